package storagetest

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy stands between a client and a Server and spoils answers. It keeps Host and Range, which are signed.
type Proxy struct {
	// URL is what the client takes for the S3 server.
	URL string
	// CAFile holds the proxy's certificate when it speaks TLS.
	CAFile string

	target *url.URL
	direct http.Handler
	client http.Transport

	mu       sync.Mutex
	spoil    Spoil
	requests int
}

// Spoil answers request number n (from 0, counted since Set) in place of the server, or reports false: then the server
// answers. It writes what it wants to w; a panic with http.ErrAbortHandler breaks the connection off.
type Spoil func(p *Proxy, n int, w http.ResponseWriter, r *http.Request) bool

// StartProxy starts a proxy to the server at target (a URL) and stops it when the test ends.
func StartProxy(t testing.TB, target string, secure bool) *Proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: u}
	p.client.DisableCompression = true
	p.direct = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host
		},
		Transport:     &p.client,
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	srv := httptest.NewUnstartedServer(p)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // aborted handlers are its business
	if secure {
		srv.StartTLS()
		p.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
		if err := os.WriteFile(p.CAFile, cert, 0o600); err != nil {
			t.Fatal(err)
		}
	} else {
		srv.Start()
	}
	p.URL = srv.URL
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		p.client.CloseIdleConnections()
	})
	return p
}

// Set starts counting anew and spoils from now on; nil spoils nothing.
func (p *Proxy) Set(s Spoil) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spoil, p.requests = s, 0
}

// Requests is how many came in since Set.
func (p *Proxy) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	spoil, n := p.spoil, p.requests
	p.requests++
	p.mu.Unlock()
	if spoil == nil || !spoil(p, n, w, r) {
		p.direct.ServeHTTP(w, r)
	}
}

// fetch gets the server's whole answer.
func (p *Proxy) fetch(r *http.Request) (*http.Response, []byte) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = p.target.Scheme, p.target.Host, ""
	resp, err := p.client.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return resp, body
}

// answer writes a response with the headers of resp as change leaves them. Without a Content-Length the body is chunked.
func answer(w http.ResponseWriter, resp *http.Response, body []byte, change func(http.Header)) {
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	if change != nil {
		change(w.Header())
	}
	w.WriteHeader(resp.StatusCode)
	w.Write(body)
	w.(http.Flusher).Flush()
}

// refuse answers with an S3 error.
func refuse(w http.ResponseWriter, status int, code string, header ...string) {
	for i := 0; i+1 < len(header); i += 2 {
		w.Header().Set(header[i], header[i+1])
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", "REQ-"+code)
	w.WriteHeader(status)
	io.WriteString(w, "<Error><Code>"+code+"</Code><Message>"+strings.ToLower(code)+" it says</Message></Error>")
}

// reset ends the connection with a TCP reset.
func reset(w http.ResponseWriter, before string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	io.WriteString(conn, before)
	if before != "" {
		// A reset overtakes what is not yet read: wait until the client has had the time to take it, or is gone.
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		conn.Read(make([]byte, 1))
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// Change passes the request on and lets change edit the headers of the answer.
func (p *Proxy) Change(w http.ResponseWriter, r *http.Request, change func(http.Header)) {
	resp, body := p.fetch(r)
	answer(w, resp, body, change)
}
