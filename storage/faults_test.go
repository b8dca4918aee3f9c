package storage_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"colsum/storage"
	"colsum/storage/storagetest"
)

// faulty returns a store behind a proxy, with an object of data in it. Ranges are small, so that there are many.
func faulty(t *testing.T, data []byte, change func(*storage.Config)) (*storage.Router, *storagetest.Proxy, storage.Info) {
	t.Helper()
	server := storagetest.StartVersityGW(t)
	proxy := storagetest.StartProxy(t, server.URL, false)
	cfg := server.Config()
	cfg.S3.Endpoint = proxy.URL
	cfg.Timing = storagetest.Timing
	cfg.Transfer = storage.Transfer{RangeBytes: 64 << 10, BufferBytes: 1 << 20}
	cfg.Logger = slog.New(slog.DiscardHandler)
	if change != nil {
		change(&cfg)
	}
	s := open(t, cfg)
	return s, proxy, storagetest.Put(t, s, "dir/data.csv", data)
}

func TestFaults(t *testing.T) {
	data := storagetest.Bytes(1, 50_000)
	s, proxy, in := faulty(t, data, nil)
	for _, f := range storagetest.Faults {
		t.Run(f.Name, func(t *testing.T) {
			f.Apply(proxy)
			got, err := storagetest.Read(t, s, in, 0, in.Size)
			n := proxy.Requests()
			if !errors.Is(err, f.Want) {
				t.Fatalf("got %v, want %v", err, f.Want)
			}
			if f.Want == nil {
				if !bytes.Equal(got, data) {
					t.Errorf("%d bytes, not the right ones", len(got))
				}
				if n <= f.Hits {
					t.Errorf("%d requests: the fault was not met %d times", n, f.Hits)
				}
				return
			}
			if n != 1 && !(n == 2 && f.Want == storage.ErrChanged) { // the second one asks which version is there now
				t.Errorf("%d requests", n)
			}
			var e *storage.Error
			if !errors.As(err, &e) || e.Op != "read" || e.Path != "s3://test/dir/data.csv" || e.Off != 0 || e.N != in.Size ||
				e.Status == 0 || e.Attempts != 1 {
				t.Errorf("%#v", err)
			}
			if f.Want == storage.ErrChanged && !strings.Contains(e.Detail, in.Version) {
				t.Errorf("message does not name the version: %v", err)
			}
			if strings.Contains(err.Error(), storagetest.SecretKey) || strings.Contains(err.Error(), "\n") {
				t.Errorf("message: %v", err)
			}
		})
	}
}

// A fault that never ends is ErrUnavailable once the budget is spent, and the message tells what it was.
func TestBudget(t *testing.T) {
	s, proxy, in := faulty(t, storagetest.Bytes(1, 50_000), func(c *storage.Config) { c.Timing.Budget = 300 * time.Millisecond })
	for _, f := range storagetest.Faults {
		if f.Want != nil || f.Name == "slow drip" || strings.Contains(f.Name, "mid-body") || strings.Contains(f.Name, "short, clean") || strings.Contains(f.Name, "too large") {
			continue // final, or each attempt brings bytes
		}
		t.Run(f.Name, func(t *testing.T) {
			f.Hits = 0
			f.Apply(proxy)
			got, err := storagetest.Read(t, s, in, 0, in.Size)
			if !errors.Is(err, storage.ErrUnavailable) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			var e *storage.Error
			if !errors.As(err, &e) || e.Attempts < 1 || e.Detail == "" || strings.Contains(e.Detail, "canceled") {
				t.Errorf("%#v", err)
			}
		})
	}
}

// Stat and List meet the same faults.
func TestFaultsOfStatAndList(t *testing.T) {
	s, proxy, in := faulty(t, []byte("1\n"), nil)
	for _, f := range []struct {
		status int
		hits   int
		want   error
	}{{503, 6, nil}, {500, 2, nil}, {403, 0, storage.ErrForbidden}, {404, 0, storage.ErrNotFound}, {307, 0, storage.ErrRefused}} {
		for _, op := range []func() error{
			func() error {
				got, err := s.Stat(t.Context(), in.Path)
				if err == nil && got != in {
					t.Errorf("stat: %+v", got)
				}
				return err
			},
			func() error {
				page, err := s.List(t.Context(), "", "", 10)
				if err == nil && len(page.Files) != 1 {
					t.Errorf("list: %+v", page)
				}
				return err
			},
		} {
			proxy.Set(func(p *storagetest.Proxy, n int, w http.ResponseWriter, r *http.Request) bool {
				if f.hits > 0 && n >= f.hits {
					return false
				}
				w.WriteHeader(f.status)
				return true
			})
			if err := op(); !errors.Is(err, f.want) {
				t.Errorf("%d: got %v, want %v", f.status, err, f.want)
			}
			if n := proxy.Requests(); f.want != nil && n != 1 || n <= f.hits {
				t.Errorf("%d: %d requests", f.status, n)
			}
		}
	}
}

// One request in ten meets some fault that can be got over.
func TestMixture(t *testing.T) {
	data := storagetest.Bytes(2, 6<<20)
	s, proxy, in := faulty(t, data, nil)
	var curable []storagetest.Fault
	for _, f := range storagetest.Faults {
		if f.Want == nil {
			curable = append(curable, f)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(seed, 0))
	spoiled := 0
	proxy.Set(func(p *storagetest.Proxy, n int, w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		hit := rnd.IntN(10) == 0
		f := curable[rnd.IntN(len(curable))]
		if hit {
			spoiled++
		}
		mu.Unlock()
		if hit {
			f.Spoil(p, w, r)
		}
		return hit
	})
	for off := int64(0); off < in.Size; off += 1 << 20 {
		r, err := s.Open(t.Context(), in, off, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 1<<20)
		_, err = io.ReadFull(r, got)
		r.Close()
		if err != nil || !bytes.Equal(got, data[off:off+1<<20]) {
			t.Fatalf("from %d: %v", off, err)
		}
	}
	st := s.Stats()
	mu.Lock()
	t.Logf("%d requests, %d spoiled, %d retries, %d resumes, %d stalls, %d throttles", st.Requests.Load(), spoiled,
		st.Retries.Load(), st.Resumes.Load(), st.Stalls.Load(), st.Throttles.Load())
	if spoiled == 0 || st.Retries.Load() == 0 {
		t.Error("nothing was spoiled")
	}
	mu.Unlock()
}

// An object without an ETag is pinned by its size and time.
func TestNoETag(t *testing.T) {
	data := storagetest.Bytes(3, 200_000)
	s, proxy, _ := faulty(t, data, nil)
	modified := "Mon, 02 Jan 2006 15:04:05 GMT"
	var strip storagetest.Spoil = func(p *storagetest.Proxy, n int, w http.ResponseWriter, r *http.Request) bool {
		p.Change(w, r, func(h http.Header) {
			h.Del("ETag")
			h.Set("Last-Modified", modified)
		})
		return true
	}
	proxy.Set(strip)
	in, err := s.Stat(t.Context(), "dir/data.csv")
	if err != nil || strings.Contains(in.Version, `"`) || in.Version == "" {
		t.Fatalf("%+v, %v", in, err)
	}
	if got, err := storagetest.Read(t, s, in, 0, in.Size); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	modified = "Mon, 02 Jan 2006 15:04:06 GMT"
	if _, err := storagetest.Read(t, s, in, 0, in.Size); !errors.Is(err, storage.ErrChanged) {
		t.Errorf("another time: %v", err)
	}
	modified = "Mon, 02 Jan 2006 15:04:05 GMT"
	in.Size--
	if _, err := storagetest.Read(t, s, in, 0, in.Size); !errors.Is(err, storage.ErrChanged) {
		t.Errorf("another size: %v", err)
	}
}

// Nothing is asked of the server for an object of nothing, or at the end of one.
func TestNoNeedlessRequest(t *testing.T) {
	s, proxy, in := faulty(t, nil, nil)
	proxy.Set(nil)
	if got, err := storagetest.Read(t, s, in, 0, 100); len(got) != 0 || err != nil || proxy.Requests() != 0 {
		t.Errorf("%d bytes, %v, %d requests", len(got), err, proxy.Requests())
	}
	in = storagetest.Put(t, s, "small.csv", make([]byte, 1000))
	proxy.Set(nil)
	if got, err := storagetest.Read(t, s, in, 0, 1000); len(got) != 1000 || err != nil || proxy.Requests() != 1 {
		t.Errorf("small object: %d bytes, %v, %d requests", len(got), err, proxy.Requests())
	}
}

// A server whose certificate is not trusted gets no request, and is not asked again.
func TestUntrusted(t *testing.T) {
	server := storagetest.StartVersityGW(t)
	proxy := storagetest.StartProxy(t, server.URL, true)
	cfg := server.Config()
	cfg.S3.Endpoint, cfg.Timing = proxy.URL, storagetest.Timing
	s := open(t, cfg)
	if _, err := s.Stat(t.Context(), "x"); !errors.Is(err, storage.ErrRefused) || proxy.Requests() != 0 || s.Stats().Requests.Load() != 1 {
		t.Errorf("%v, %d requests, %d attempts", err, proxy.Requests(), s.Stats().Requests.Load())
	}
	cfg.S3.CAFile = proxy.CAFile
	s = open(t, cfg)
	in := storagetest.Put(t, s, "x", []byte("1"))
	if got, err := storagetest.Read(t, s, in, 0, 1); string(got) != "1" || err != nil {
		t.Errorf("with the certificate: %q, %v", got, err)
	}
	// http spoken to a TLS server, and the other way round.
	cfg.S3.Endpoint = strings.Replace(server.URL, "http:", "https:", 1)
	s = open(t, cfg)
	if _, err := s.Stat(t.Context(), "x"); !errors.Is(err, storage.ErrRefused) {
		t.Errorf("https to an http server: %v", err)
	}
}
