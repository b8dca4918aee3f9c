package storage_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"colsum/storage"
	"colsum/storage/storagetest"
	"colsum/test/e2e/toxi"
)

// A row is one line of the table that scripts/storage-faults prints.
type row struct {
	fault    string
	want     error // nil: the read must end right
	got      error
	requests int64 // sent by the store; a connection that never came about counts, too
	took     time.Duration
	right    bool // the SHA-256 of the bytes
}

// TestFaults breaks the way between the reader and a real server in every way of the two proxies: storagetest.Proxy for
// what a server can say, toxiproxy for what a network can do.
func TestFaults(t *testing.T) {
	var rows []row
	defer func() { print(t, rows) }()
	data := storagetest.Bytes(1, 300_000)
	srv := servers[0].start(t, false)
	storagetest.Put(t, open(t, srv.Config()), "data.csv", data)

	// read gets the object over a store of its own and books what happened.
	read := func(t *testing.T, fault string, want error, cfg storage.Config) row {
		s := open(t, cfg)
		in := storage.Info{Path: "data.csv", Size: int64(len(data)), Version: version(t, srv)}
		begin := time.Now()
		got, err := storagetest.Read(t, s, in, 0, in.Size)
		r := row{fault, want, err, s.Stats().Requests.Load(), time.Since(begin), sha256.Sum256(got) == sha256.Sum256(data)}
		rows = append(rows, r)
		switch {
		case !errors.Is(err, want):
			t.Errorf("got %v, want %v", err, want)
		case want == nil && !r.right:
			t.Error("the bytes are not right")
		case want != nil && !bytes.HasPrefix(data, got):
			t.Error("wrong bytes before the error")
		}
		return r
	}
	base := srv.Config()
	base.Timing = storagetest.Timing

	proxy := storagetest.StartProxy(t, srv.URL, false)
	for _, f := range storagetest.Faults {
		t.Run(f.Name, func(t *testing.T) {
			f.Apply(proxy)
			cfg := base
			cfg.S3.Endpoint = proxy.URL
			if r := read(t, f.Name, f.Want, cfg); f.Once && r.requests != 1 && !(r.requests == 2 && f.Want == storage.ErrChanged) {
				t.Errorf("%d requests", r.requests)
			}
		})
	}

	network := toxi.Start(t, strings.TrimPrefix(srv.URL, "http://"))
	for _, f := range []struct {
		name, toxic string
		heal        bool // after the first request has met it
	}{
		{"network: connection breaks after 100 KB", `{"type":"limit_data","attributes":{"bytes":100000}}`, false},
		{"network: reset by peer", `{"type":"reset_peer","attributes":{"timeout":0}}`, true},
		{"network: reset by peer after 50 ms", `{"type":"reset_peer","attributes":{"timeout":50}}`, true},
		{"network: silence", `{"type":"timeout","attributes":{"timeout":0}}`, true},
		{"network: silence, then closed", `{"type":"timeout","attributes":{"timeout":100}}`, true},
		{"network: latency 100±50 ms", `{"type":"latency","attributes":{"latency":100,"jitter":50}}`, false},
		{"network: 10 KB/s", `{"type":"bandwidth","attributes":{"rate":10}}`, true},
		{"network: packets of 100 bytes", `{"type":"slicer","attributes":{"average_size":100,"size_variation":50,"delay":1}}`, false},
	} {
		t.Run(f.name, func(t *testing.T) {
			network.Add(t, f.toxic)
			defer network.Heal()
			cfg := base
			cfg.S3.Endpoint = network.Addr
			if f.heal {
				heal := time.AfterFunc(time.Second, network.Heal)
				defer heal.Stop()
			}
			read(t, f.name, nil, cfg)
		})
	}

	t.Run("server down", func(t *testing.T) {
		cfg := base
		cfg.S3.Endpoint = network.Addr
		network.Refuse()
		back := make(chan error, 1)
		up := time.AfterFunc(2*time.Second, func() { back <- network.Accept() })
		defer up.Stop()
		read(t, "server down for a fifth of the budget (2 s of 10 s)", nil, cfg)
		if err := <-back; err != nil {
			t.Fatal(err)
		}
		cfg.Timing.Budget = time.Second
		network.Refuse()
		read(t, "server down for longer than the budget (1 s)", storage.ErrUnavailable, cfg)
		if err := network.Accept(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		cfg := base
		cfg.S3.Endpoint, cfg.Timing.Budget = refusing(t), time.Second
		read(t, "connection refused", storage.ErrUnavailable, cfg)
	})
	t.Run("DNS", func(t *testing.T) {
		cfg := base
		cfg.S3.Endpoint, cfg.Timing.Budget = "no-such-host.invalid:9000", time.Second
		read(t, "DNS: no such host", storage.ErrUnavailable, cfg)
	})
	t.Run("certificate", func(t *testing.T) {
		secure := storagetest.StartProxy(t, srv.URL, true)
		cfg := base
		cfg.S3.Endpoint = secure.URL
		read(t, "TLS: unknown authority", storage.ErrRefused, cfg)
		if n := secure.Requests(); n != 0 {
			t.Errorf("%d requests to a server that is not trusted", n)
		}
		cfg.S3.CAFile = secure.CAFile
		read(t, "TLS: authority given", nil, cfg)
	})
	t.Run("keys", func(t *testing.T) {
		cfg := base
		cfg.S3.SecretKey = "wrong"
		if r := read(t, "wrong secret key (the server's own answer)", storage.ErrForbidden, cfg); r.requests != 1 {
			t.Errorf("%d requests", r.requests)
		}
		cfg = base
		cfg.S3.Region = "eu-west-9"
		if r := read(t, "wrong region (the server's own answer)", storage.ErrRefused, cfg); r.requests != 1 {
			t.Errorf("%d requests", r.requests)
		}
	})
	t.Run("replaced", func(t *testing.T) {
		old := storagetest.Put(t, open(t, base), "replaced.csv", storagetest.Bytes(2, 1000))
		storagetest.Put(t, open(t, base), "replaced.csv", storagetest.Bytes(3, 1000))
		s := open(t, base)
		begin := time.Now()
		_, err := storagetest.Read(t, s, old, 0, 1000)
		rows = append(rows, row{"object replaced (the server's own answer)", storage.ErrChanged, err, s.Stats().Requests.Load(), time.Since(begin), false})
		// The second request asks for the version that is there now.
		now, _ := open(t, base).Stat(t.Context(), "replaced.csv")
		if !errors.Is(err, storage.ErrChanged) || s.Stats().Requests.Load() != 2 ||
			!strings.Contains(err.Error(), old.Version) || !strings.Contains(err.Error(), now.Version) {
			t.Errorf("%d requests, %v", s.Stats().Requests.Load(), err)
		}
	})
}

// TestFaultsOfWrites: an upload whose requests fail now and then appears whole, or not at all.
func TestFaultsOfWrites(t *testing.T) {
	srv := servers[0].start(t, false)
	proxy := storagetest.StartProxy(t, srv.URL, false)
	cfg := srv.Config()
	cfg.S3.Endpoint, cfg.Timing = proxy.URL, storagetest.Timing
	cfg.Timing.Headers = 10 * time.Second
	s := open(t, cfg)
	data := storagetest.Bytes(1, 40<<20)
	proxy.Set(func(p *storagetest.Proxy, n int, w http.ResponseWriter, r *http.Request) bool {
		switch n % 4 {
		case 0:
			w.WriteHeader(503)
		case 2:
			panic(http.ErrAbortHandler)
		default:
			return false
		}
		return true
	})
	w, err := s.Create(t.Context(), "up.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	proxy.Set(nil)
	in, err := s.Stat(t.Context(), "up.csv")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := storagetest.Read(t, s, in, 0, in.Size); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}

	// The answer to the last request is lost: the object is there all the same, and the writer finds out.
	completes := 0
	proxy.Set(func(p *storagetest.Proxy, n int, w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || !r.URL.Query().Has("uploadId") {
			return false
		}
		if completes++; completes == 1 {
			p.Change(httpDiscard{}, r, func(http.Header) {})
			panic(http.ErrAbortHandler)
		}
		return false
	})
	w, err = s.Create(t.Context(), "lost.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(data[:20<<20]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil || completes < 2 {
		t.Errorf("after %d requests to complete: %v", completes, err)
	}

	proxy.Set(func(p *storagetest.Proxy, n int, w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(403)
		return true
	})
	w, err = s.Create(t.Context(), "denied.csv")
	if err == nil {
		_, err = w.Write(data)
	}
	if !errors.Is(err, storage.ErrForbidden) {
		t.Errorf("403: %v", err)
	}
	w.Abort()
}

// httpDiscard takes an answer that nobody gets.
type httpDiscard struct{}

func (httpDiscard) Header() http.Header         { return http.Header{} }
func (httpDiscard) Write(p []byte) (int, error) { return len(p), nil }
func (httpDiscard) WriteHeader(int)             {}
func (httpDiscard) Flush()                      {}

// version asks the server itself, past all proxies.
func version(t *testing.T, srv *storagetest.Server) string {
	t.Helper()
	in, err := open(t, srv.Config()).Stat(t.Context(), "data.csv")
	if err != nil {
		t.Fatal(err)
	}
	return in.Version
}

// refusing is an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// print writes the table as Markdown to the file that $COLSUM_FAULT_TABLE names, else to the log.
func print(t *testing.T, rows []row) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| fault\t| must end\t| ended\t| requests\t| after\t| bytes right\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, r := range rows {
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %d\t| %v\t| %s\t|\n", r.fault, outcome(r.want), outcome(r.got), r.requests,
			r.took.Round(time.Millisecond), map[bool]string{true: "yes", false: "none used"}[r.right])
	}
	w.Flush()
	if file := os.Getenv("COLSUM_FAULT_TABLE"); file != "" {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Error(err)
		}
		return
	}
	t.Log("\n" + b.String())
}

func outcome(err error) string {
	for _, e := range []error{storage.ErrNotFound, storage.ErrForbidden, storage.ErrChanged, storage.ErrRefused, storage.ErrUnavailable} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	if err != nil {
		return err.Error()
	}
	return "well"
}
