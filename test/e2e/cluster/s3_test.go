package cluster_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"colsum/storage"
	"colsum/storage/storagetest"
	"colsum/test/e2e/toxi"
)

// A way leads from the cluster to an S3 server: network, then proxy, then server.
type way struct {
	server  *storagetest.Server
	proxy   *storagetest.Proxy
	network *toxi.Network
	direct  *storage.Router // past both
}

func openWay(t testing.TB) *way {
	t.Helper()
	server := storagetest.StartVersityGW(t)
	proxy := storagetest.StartProxy(t, server.URL, false)
	cfg := server.Config()
	cfg.Logger = slog.New(slog.DiscardHandler)
	direct, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { direct.Close() })
	return &way{server, proxy, toxi.Start(t, strings.TrimPrefix(proxy.URL, "http://")), direct}
}

// flags lead the program along the way.
func (w *way) flags() []string {
	return []string{"--s3-endpoint=http://" + w.network.Addr, "--s3-region=" + storagetest.Region}
}

// put makes an object of a file past all faults, and returns the digest of the file.
func (w *way) put(t testing.TB, key string, rows, seed int) (digest string) {
	t.Helper()
	plain := filepath.Join(t.TempDir(), "plain.csv")
	generate(t, plain, rows, seed)
	text, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	storagetest.Put(t, w.direct, key, text)
	return sum(t, plain).Digest
}

// version is what the server says of an object now.
func (w *way) version(t testing.TB, key string) string {
	t.Helper()
	in, err := w.direct.Stat(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return in.Version
}

// A gate lets some ranged requests through and holds all later ones.
type gate struct {
	held chan struct{} // closed when the first one is held
	open func()        // lets them go, and everything from then on
}

// hold shuts a gate behind the next n ranged requests.
func (w *way) hold(n int) *gate {
	held, opened := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var mu sync.Mutex
	w.proxy.Set(func(_ *storagetest.Proxy, _ int, _ http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Range") == "" {
			return false
		}
		mu.Lock()
		n--
		wait := n < 0
		mu.Unlock()
		if wait {
			once.Do(func() { close(held) })
			select {
			case <-opened:
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			}
		}
		return false
	})
	return &gate{held, sync.OnceFunc(func() { close(opened) })}
}
