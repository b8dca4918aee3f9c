package storagetest

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"colsum/storage"
)

// Fault is one way in which a storage goes wrong, and what the reader must make of it.
type Fault struct {
	Name string
	// Hits is how many requests are spoiled, from the first; 0 means all.
	Hits int
	// Want is the error that the read ends in, nil when it must end right.
	Want error
	// Once: the error must come after a single request for the range.
	Once bool
	// Spoil answers a ranged GET.
	Spoil func(p *Proxy, w http.ResponseWriter, r *http.Request)
}

// Apply makes the proxy spoil ranged GETs.
func (f Fault) Apply(p *Proxy) {
	p.Set(func(p *Proxy, n int, w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Range") == "" || f.Hits > 0 && n >= f.Hits {
			return false
		}
		f.Spoil(p, w, r)
		return true
	})
}

// Timing is short enough that a fault costs milliseconds, and long enough for a loaded machine.
var Timing = storage.Timing{
	Dial: 5 * time.Second, TLS: 5 * time.Second, Headers: 500 * time.Millisecond, Idle: 500 * time.Millisecond,
	Slow: 500 * time.Millisecond, Budget: 10 * time.Second,
	BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond, RetryAfterMax: 30 * time.Millisecond,
}

// Faults is the matrix of what an HTTP server can do wrong.
var Faults = []Fault{
	{Name: "connection reset before headers", Hits: 2, Spoil: func(_ *Proxy, w http.ResponseWriter, _ *http.Request) {
		reset(w, "")
	}},
	{Name: "connection closed before headers", Hits: 2, Spoil: func(*Proxy, http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}},
	{Name: "connection reset in mid-body", Hits: 2, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		var b bytes.Buffer
		fmt.Fprintf(&b, "HTTP/1.1 %s\r\n", resp.Status)
		resp.Header.Write(&b)
		b.WriteString("\r\n")
		b.Write(body[:len(body)/2])
		reset(w, b.String())
	}},
	{Name: "connection closed in mid-body", Hits: 2, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, body[:len(body)/2], nil)
		panic(http.ErrAbortHandler)
	}},
	{Name: "silence before headers", Hits: 1, Spoil: func(_ *Proxy, _ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}},
	{Name: "stall in mid-body", Hits: 1, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, body[:len(body)/2], nil)
		<-r.Context().Done()
	}},
	{Name: "slow drip", Hits: 1, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, nil, nil)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := range body {
			w.Write(body[i : i+1])
			w.(http.Flusher).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}},
	{Name: "503 SlowDown", Hits: 6, Spoil: status(503, "SlowDown")},
	{Name: "503 SlowDown, Retry-After: 1", Hits: 2, Spoil: status(503, "SlowDown", "Retry-After", "1")},
	{Name: "503 SlowDown, Retry-After: 86400", Hits: 2, Spoil: status(503, "SlowDown", "Retry-After", "86400")},
	{Name: "503 SlowDown, Retry-After: a date in 9999", Hits: 2, Spoil: status(503, "SlowDown", "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT")},
	{Name: "503 with a body cut short", Hits: 2, Spoil: func(_ *Proxy, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(503)
		w.Write([]byte("<Error><Code>Slow"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}},
	{Name: "503 with a body that stalls", Hits: 1, Spoil: func(_ *Proxy, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(503)
		w.Write([]byte("<Error><Code>Slow"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}},
	{Name: "500 InternalError", Hits: 6, Spoil: status(500, "InternalError")},
	{Name: "429 TooManyRequests", Hits: 2, Spoil: status(429, "TooManyRequests")},
	{Name: "502 with an HTML page", Hits: 2, Spoil: func(_ *Proxy, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(502)
		w.Write([]byte("<html><body>Bad Gateway</body></html>"))
	}},
	{Name: "body cut short, clean end", Hits: 2, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, body[:len(body)/2], func(h http.Header) { h.Del("Content-Length") })
	}},
	{Name: "empty body, clean end", Hits: 2, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, _ := p.fetch(r)
		answer(w, resp, nil, func(h http.Header) { h.Del("Content-Length") })
	}},
	{Name: "Content-Length too small", Hits: 2, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, body[:len(body)/2], func(h http.Header) { h.Set("Content-Length", strconv.Itoa(len(body)/2)) })
	}},
	{Name: "Content-Length too large", Hits: 2, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, body, func(h http.Header) { h.Set("Content-Length", strconv.Itoa(len(body)+10)) })
		panic(http.ErrAbortHandler)
	}},
	{Name: "no Content-Range", Hits: 2, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, body, func(h http.Header) { h.Del("Content-Range") })
	}},
	{Name: "Content-Range of another range", Hits: 2, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, body, func(h http.Header) { h.Set("Content-Range", fmt.Sprintf("bytes 1-%d/%d", len(body), len(body)+1)) })
	}},
	{Name: "Range ignored: 200 and other bytes", Hits: 2, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		resp.StatusCode = 200
		answer(w, resp, append([]byte("x"), body...), func(h http.Header) { h.Del("Content-Range"); h.Del("Content-Length") })
	}},
	{Name: "206 without an ETag", Hits: 2, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, body, func(h http.Header) { h.Del("ETag") })
	}},
	{Name: "unreadable Last-Modified", Hits: 2, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, body, func(h http.Header) { h.Set("Last-Modified", "yesterday") })
	}},
	{Name: "400 ExpiredToken", Hits: 2, Spoil: status(400, "ExpiredToken")},
	{Name: "403 RequestTimeTooSkewed", Hits: 2, Spoil: status(403, "RequestTimeTooSkewed")},
	{Name: "400 RequestTimeout", Hits: 2, Spoil: status(400, "RequestTimeout")},
	{Name: "body longer than the range", Want: storage.ErrUnavailable, Once: true, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, append(body, 'x'), func(h http.Header) { h.Del("Content-Length") })
	}},
	{Name: "another ETag", Want: storage.ErrChanged, Once: true, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		resp, body := p.fetch(r)
		answer(w, resp, body, func(h http.Header) { h.Set("ETag", `"other"`) })
	}},
	{Name: "412 PreconditionFailed", Want: storage.ErrChanged, Once: true, Spoil: status(412, "PreconditionFailed")},
	{Name: "416 InvalidRange", Want: storage.ErrChanged, Once: true, Spoil: status(416, "InvalidRange")},
	{Name: "403 AccessDenied", Want: storage.ErrForbidden, Once: true, Spoil: status(403, "AccessDenied")},
	{Name: "401 Unauthorized", Want: storage.ErrForbidden, Once: true, Spoil: status(401, "Unauthorized")},
	{Name: "404 NoSuchKey", Want: storage.ErrNotFound, Once: true, Spoil: status(404, "NoSuchKey")},
	{Name: "404 NoSuchBucket", Want: storage.ErrNotFound, Once: true, Spoil: status(404, "NoSuchBucket")},
	{Name: "405 MethodNotAllowed", Want: storage.ErrRefused, Once: true, Spoil: status(405, "MethodNotAllowed")},
	{Name: "400 InvalidRequest", Want: storage.ErrRefused, Once: true, Spoil: status(400, "InvalidRequest")},
	{Name: "307 to another server", Want: storage.ErrRefused, Once: true, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		refuse(w, 307, "TemporaryRedirect", "Location", p.URL+"/elsewhere") // a follower would come back as a second request
	}},
	{Name: "301 to another region", Want: storage.ErrRefused, Once: true, Spoil: func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		refuse(w, 301, "PermanentRedirect", "Location", p.URL+"/elsewhere", "X-Amz-Bucket-Region", "eu-west-1")
	}},
}

func status(code int, s3 string, header ...string) func(*Proxy, http.ResponseWriter, *http.Request) {
	return func(_ *Proxy, w http.ResponseWriter, _ *http.Request) { refuse(w, code, s3, header...) }
}
