package cluster_test

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"colsum/storage/storagetest"
)

// isSilent reports whether a fault of storagetest consists of saying nothing for as long as the client can stand, which is
// 10 s and more for a real client. The tests of package storage, whose client is impatient, have them all.
func isSilent(f storagetest.Fault) bool {
	for _, word := range []string{"silence", "stall", "drip", "86400", "9999"} {
		if strings.Contains(f.Name, word) {
			return true
		}
	}
	return false
}

// curable are the faults that a client gets over.
func curable() (list []storagetest.Fault) {
	for _, f := range storagetest.Faults {
		if f.Want == nil && !isSilent(f) {
			list = append(list, f)
		}
	}
	return list
}

// spoil makes one request in ten meet some curable fault, from now on. It returns how many did so far.
func (w *way) spoil(t testing.TB) (spoiled func() int) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd, faults := rand.New(rand.NewPCG(seed, 0)), curable()
	var mu sync.Mutex
	n := 0
	w.proxy.Set(func(p *storagetest.Proxy, _ int, rw http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		hit, f, abort := rnd.IntN(10) == 0, faults[rnd.IntN(len(faults))], rnd.IntN(2) == 0
		if hit {
			n++
		}
		mu.Unlock()
		switch {
		case !hit:
			return false
		case r.Header.Get("Range") != "":
			f.Spoil(p, rw, r)
		case abort:
			panic(http.ErrAbortHandler)
		default:
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
		return true
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// One request in ten meets a fault, of nodes and workers alike, while several works run: every sum is right.
func TestOneRequestInTenFails(t *testing.T) {
	w := openWay(t)
	small, large := w.put(t, "small.csv", 500, 1), w.put(t, "large.csv", 40_000, 2)
	c := startCluster(t, 3, 2, w.flags()...)
	spoiled := w.spoil(t)
	var ids []string
	for range 5 {
		ids = append(ids, c.submit("s3://test/large.csv", 64<<10), c.submit("s3://test/small.csv", 8<<10))
	}
	for i, id := range ids {
		c.done(id, []string{large, small}[i%2])
	}
	t.Logf("%d requests spoiled", spoiled())
	if spoiled() < 10 {
		t.Error("hardly a request met a fault")
	}
}

// generate and sum get through the same faults without a cluster: what arrives is what was sent.
func TestCommandsThroughFaults(t *testing.T) {
	w := openWay(t)
	plain := filepath.Join(t.TempDir(), "plain.csv")
	generate(t, plain, 150_000, 3) // 63 MB: four parts
	spoiled := w.spoil(t)
	total := 0
	for total < 10 { // an upload is few requests
		generate(t, "s3://test/g.csv", 150_000, 3, w.flags()...)
		if !sameBytes(t, plain, filepath.Join(w.server.Dir, "g.csv")) {
			t.Fatal("the object is not what was generated")
		}
		want := sum(t, plain).Digest
		for _, chunk := range []string{"--chunk=200000", "--chunk=16MiB"} {
			if d := sum(t, append(w.flags(), chunk, "s3://test/g.csv")...); d.Digest != want {
				t.Errorf("digest %s, want %s", d.Digest, want)
			}
		}
		total = spoiled()
	}
	t.Logf("%d requests spoiled", total)
}

// Keys that the server refuses are shown nowhere either.
func TestWrongKeys(t *testing.T) {
	w := openWay(t)
	w.put(t, "a.csv", 100, 1)
	code, _, stderr := runWith(t, []string{"MINIO_SECRET_KEY=" + wrongKey}, append([]string{"sum", "s3://test/a.csv"}, w.flags()...)...)
	if code != 1 || !strings.Contains(stderr, "access denied") {
		t.Errorf("exit status %d, %s", code, stderr)
	}
	code, _, stderr = runWith(t, []string{"MINIO_SECRET_KEY=" + wrongKey}, append([]string{"generate", "--columns=1", "--rows=1", "--out=s3://test/b.csv"}, w.flags()...)...)
	if code != 1 || !strings.Contains(stderr, "access denied") {
		t.Errorf("exit status %d, %s", code, stderr)
	}
	code, _, stderr = run(t, append([]string{"sum", "--s3-credentials=anonymous", "s3://test/a.csv"}, w.flags()...)...)
	if code != 1 || !strings.Contains(stderr, "access denied") {
		t.Errorf("anonymous: exit status %d, %s", code, stderr)
	}
}

// sameBytes reports whether two files hold the same bytes.
func sameBytes(t testing.TB, a, b string) bool {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x, y)
}
