package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"colsum/coordinator/problem"
)

const (
	// MaxBody bounds a request's body: 1 MiB holds a list of csvsum.MaxSelected columns.
	MaxBody = 1 << 20
	// bodyTime is how long a client may take to send it.
	bodyTime = 30 * time.Second
)

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &attempt{to: w}
	began := time.Now()
	defer func() {
		v := recover()
		defer func() { a.cfg.Observe(a.callOf(r), out.status, time.Since(began)) }()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler {
			panic(v) // a broken copy from the leader: the client must see the break
		}
		a.log.Error("panic in a request", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
		if out.begun {
			panic(http.ErrAbortHandler)
		}
		out.reset()
		writeProblem(out, problem.From(fmt.Errorf("panic: %v", v)))
		out.flush()
	}()
	a.route(out, r)
	out.flush()
}

// route finds the handler. The mux's own words about unknown paths and methods are plain text; they are said as problems.
func (a *API) route(out *attempt, r *http.Request) {
	handler, pattern := a.mux.Handler(r)
	if pattern == "" {
		probe := &statusOnly{header: http.Header{}}
		handler.ServeHTTP(probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			allow := probe.header.Get("Allow")
			out.Header().Set("Allow", allow)
			writeProblem(out, problem.New(problem.MethodNotAllowed, "%s takes %s, not %s", r.URL.Path, allow, r.Method))
			return
		}
		if a.isPage(r) {
			a.page.ServeHTTP(out, r)
			return
		}
		writeProblem(out, problem.New(problem.NotFound, "no such path: %s", r.URL.Path))
		return
	}
	body, err := readBody(out, r)
	if err == nil {
		err = checkQuery(r.URL.RawQuery)
	}
	if err != nil {
		writeProblem(out, problem.From(err))
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, body))
	// There is one form of each answer, and huma, which would choose among several, panics at some values.
	r.Header.Del("Accept")
	if !a.isForwarded(pattern, r) {
		a.mux.ServeHTTP(out, withBody(r, body))
		return
	}
	a.forward(out, r, body)
}

// callOf names what a request asks for. The names are few, whatever is asked for.
func (a *API) callOf(r *http.Request) string {
	_, pattern := a.mux.Handler(r)
	_, path, ok := strings.Cut(pattern, " ")
	switch {
	case path == "/{$}", !ok && a.isPage(r):
		return "page"
	case !ok:
		return "unknown"
	}
	return path
}

// isPage reports whether the page has a file of this path.
func (a *API) isPage(r *http.Request) bool {
	probe := &statusOnly{header: http.Header{}}
	a.page.ServeHTTP(probe, r)
	return probe.status != http.StatusNotFound && probe.status != http.StatusMethodNotAllowed
}

// sent is the body of a request, read whole, and what it is.
type sent struct {
	data        []byte
	contentType string
}

type bodyKey struct{}

// bodyOf returns the body that route has read.
func bodyOf(ctx context.Context) sent {
	b, _ := ctx.Value(bodyKey{}).(sent)
	return b
}

// readBody reads the whole body, so that a request can be sent to another leader should the first one go away.
func readBody(out *attempt, r *http.Request) (sent, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return sent{}, nil
	}
	control := http.NewResponseController(out)
	// Not every ResponseWriter has deadlines; those of a test server's recorder are not missed. The deadline is taken back,
	// since it would end the request's context in a long call.
	_ = control.SetReadDeadline(time.Now().Add(bodyTime))
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	data, err := io.ReadAll(http.MaxBytesReader(out, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return sent{}, problem.New(problem.BodyTooLarge, "body: must be at most %d bytes", MaxBody)
	case err != nil:
		return sent{}, problem.New(problem.BadRequest, "body: not received whole: %w", err)
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return sent{data: data, contentType: strings.ToLower(strings.TrimSpace(media))}, nil
}

// withBody returns r with its body to read once more.
func withBody(r *http.Request, b sent) *http.Request {
	r = r.Clone(r.Context())
	r.ContentLength = int64(len(b.data))
	r.TransferEncoding = nil
	if len(b.data) == 0 {
		r.Body, r.GetBody = http.NoBody, nil
		return r
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.data)), nil }
	r.Body, _ = r.GetBody()
	return r
}

// statusOnly takes in what a handler answers and keeps status and header.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(p []byte) (int, error) { return len(p), nil }
