package storage_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"colsum/storage"
	"colsum/storage/storagetest"
	"colsum/test/e2e/toxi"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// BenchmarkRead compares our reader with plain HTTP GETs (presigned, so that nothing of ours is in them) of the same ranges,
// as many at a time, of the same server; near, and 30 ms away. The goal is 0.85. Each round runs both, so that the
// machine's mood hits both.
func BenchmarkRead(b *testing.B) {
	const size, rangeBytes, inFlight = 256 << 20, 4 << 20, 8
	srv := servers[0].start(b, false)
	in := storagetest.Put(b, open(b, srv.Config()), "data.csv", make([]byte, size))
	for _, latency := range []int{0, 30} {
		b.Run(fmt.Sprintf("latency=%dms", latency), func(b *testing.B) {
			addr := srv.URL
			if latency > 0 {
				network := toxi.Start(b, srv.URL[len("http://"):])
				network.Add(b, fmt.Sprintf(`{"type":"latency","attributes":{"latency":%d}}`, latency))
				addr = "http://" + network.Addr
			}
			cfg := srv.Config()
			cfg.S3.Endpoint = addr
			s := open(b, cfg)
			plain := presigned(b, addr, storagetest.Bucket, "data.csv")
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight, DisableCompression: true, ReadBufferSize: 64 << 10}}
			defer client.CloseIdleConnections()
			var ours, theirs time.Duration
			b.SetBytes(size)
			for b.Loop() {
				begin := time.Now()
				read(b, s, in)
				ours += time.Since(begin)
				begin = time.Now()
				get(b, client, plain, size, rangeBytes, inFlight)
				theirs += time.Since(begin)
			}
			b.ReportMetric(float64(b.N)*size/1e6/ours.Seconds(), "ours-MB/s")
			b.ReportMetric(float64(b.N)*size/1e6/theirs.Seconds(), "plain-MB/s")
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
		})
	}
}

// read takes the whole object as a worker does.
func read(b *testing.B, s *storage.Router, in storage.Info) {
	r, err := s.Open(b.Context(), in, 0, in.Size)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	buf := make([]byte, 256<<10)
	for n := int64(0); ; {
		k, err := r.Read(buf)
		n += int64(k)
		if err == io.EOF && n == in.Size {
			return
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// get reads the ranges into buffers, n at a time, and forgets them.
func get(b *testing.B, client *http.Client, url string, size, rangeBytes int64, n int) {
	var wg sync.WaitGroup
	offs := make(chan int64)
	for range n {
		wg.Go(func() {
			buf := make([]byte, rangeBytes)
			for off := range offs {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
				if err != nil {
					b.Error(err)
					continue
				}
				req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+rangeBytes-1))
				resp, err := client.Do(req)
				if err != nil {
					b.Error(err)
					continue
				}
				if _, err := io.ReadFull(resp.Body, buf); err != nil || resp.StatusCode != 206 {
					b.Error(resp.Status, err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	for off := int64(0); off < size; off += rangeBytes {
		offs <- off
	}
	close(offs)
	wg.Wait()
}

func presigned(b *testing.B, endpoint, bucket, key string) string {
	c, err := minio.New(endpoint[len("http://"):], &minio.Options{
		Creds: credentials.NewStaticV4(storagetest.AccessKey, storagetest.SecretKey, ""), Region: storagetest.Region,
	})
	if err != nil {
		b.Fatal(err)
	}
	u, err := c.PresignedGetObject(b.Context(), bucket, key, time.Hour, nil)
	if err != nil {
		b.Fatal(err)
	}
	return u.String()
}
