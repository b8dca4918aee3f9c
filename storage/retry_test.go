package storage

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/minio/minio-go/v7"
)

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		want   error
	}{
		{0, "", nil}, {200, "InternalError", nil}, {206, "", nil},
		{301, "PermanentRedirect", ErrRefused}, {304, "", ErrRefused}, {307, "", ErrRefused},
		{400, "InvalidArgument", ErrRefused}, {400, "RequestTimeout", nil}, {400, "IncompleteBody", nil}, {400, "ExpiredToken", nil},
		{401, "", ErrForbidden}, {403, "AccessDenied", ErrForbidden}, {403, "SignatureDoesNotMatch", ErrForbidden},
		{403, "InvalidAccessKeyId", ErrForbidden}, {403, "RequestTimeTooSkewed", nil}, {403, "ExpiredToken", nil},
		{404, "NoSuchKey", ErrNotFound}, {404, "NoSuchBucket", ErrNotFound}, {405, "", ErrRefused},
		{408, "", nil}, {409, "OperationAborted", nil}, {412, "PreconditionFailed", ErrChanged}, {416, "InvalidRange", ErrChanged},
		{429, "", nil}, {499, "", nil}, {500, "InternalError", nil}, {502, "", nil}, {503, "SlowDown", nil}, {504, "", nil},
	} {
		v := judge(&call{status: test.status, requests: 1}, minio.ErrorResponse{StatusCode: test.status, Code: test.code})
		if v.final != test.want || v.code != test.code {
			t.Errorf("%d %s: got %v", test.status, test.code, v)
		}
	}
	for _, test := range []struct {
		err  error
		want error
	}{
		{io.ErrUnexpectedEOF, nil},
		{fmt.Errorf("get: %w", &tls.CertificateVerificationError{Err: errors.New("unknown authority")}), ErrRefused},
		{fmt.Errorf("get: %w", http.ErrSchemeMismatch), ErrRefused},
	} {
		if v := judge(&call{requests: 1}, test.err); v.final != test.want {
			t.Errorf("%v: got %v", test.err, v)
		}
	}
	if v := judge(&call{}, minio.ErrorResponse{StatusCode: 400}); v.final != ErrBadPath {
		t.Errorf("a name that minio-go refuses: %v", v)
	}
}

func TestPause(t *testing.T) {
	var cfg Config
	cfg.setDefaults()
	for attempt, bound := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		for range 100 {
			if d := cfg.Timing.pause(attempt, nil); d < 0 || d >= bound {
				t.Fatalf("attempt %d: %v", attempt, d)
			}
		}
	}
	for _, attempt := range []int{6, 29, 30, 1000} {
		if d := cfg.Timing.pause(attempt, nil); d < 0 || d >= 5*time.Second {
			t.Errorf("attempt %d: %v", attempt, d)
		}
	}
	for value, want := range map[string]time.Duration{
		"0": 0, "3": 3 * time.Second, "10": 10 * time.Second, "86400": 10 * time.Second, "9223372036854775807": 10 * time.Second,
		"Fri, 31 Dec 9999 23:59:59 GMT": 10 * time.Second, "Thu, 01 Jan 1970 00:00:00 GMT": 0,
	} {
		if d := cfg.Timing.pause(0, http.Header{"Retry-After": {value}}); d != want {
			t.Errorf("Retry-After %s: %v", value, d)
		}
	}
	for _, value := range []string{"-1", "soon", "99999999999999999999"} {
		if d := cfg.Timing.pause(0, http.Header{"Retry-After": {value}}); d < 0 || d >= 100*time.Millisecond {
			t.Errorf("Retry-After %s: %v", value, d)
		}
	}
}

func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cfg Config
		cfg.setDefaults()
		p, start := newPatience(cfg.Timing), time.Now()
		tries := 0
		for p.wait(t.Context(), nil) {
			tries++
		}
		if spent := time.Since(start); spent > 3*time.Minute || spent < 3*time.Minute-5*time.Second || tries < 30 {
			t.Errorf("gave up after %v and %d tries", spent, tries)
		}
		p.progress()
		if p.left() != 3*time.Minute || !p.wait(t.Context(), nil) {
			t.Error("a byte of progress did not start the budget anew")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if p.wait(ctx, http.Header{"Retry-After": {"5"}}) {
			t.Error("waited although ctx had ended")
		}
	})
}

// body is a response body whose reads are functions.
type body struct {
	ctx   context.Context
	reads []func(p []byte) (int, error)
}

func (b *body) Read(p []byte) (int, error) {
	next := b.reads[0]
	b.reads = b.reads[1:]
	return next(p)
}

func (b *body) Close() error { return nil }

// after brings n bytes after d, or ends with the context as the body of net/http does.
func (b *body) after(d time.Duration, n int) func(p []byte) (int, error) {
	return func([]byte) (int, error) {
		select {
		case <-time.After(d):
			return n, nil
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
}

func TestGuard(t *testing.T) {
	start := func(t *testing.T) (*guard, *body, *Stats) {
		var cfg Config
		cfg.setDefaults()
		ctx, cancel := context.WithCancelCause(t.Context())
		b, stats := &body{ctx: ctx}, new(Stats)
		return newGuard(ctx, cancel, b, cfg.Timing, stats), b, stats
	}
	buf := make([]byte, 1<<20)

	t.Run("silence", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g, b, stats := start(t)
			b.reads = append(b.reads, b.after(14*time.Second, 1<<20), b.after(14*time.Second, 1<<20), b.after(time.Hour, 1))
			for range 2 {
				if _, err := g.Read(buf); err != nil {
					t.Fatal(err)
				}
			}
			begin := time.Now()
			if _, err := g.Read(buf); err != errStalled || time.Since(begin) != 15*time.Second || stats.Stalls.Load() != 1 {
				t.Errorf("%v after %v", err, time.Since(begin))
			}
			g.Close()
		})
	})
	t.Run("busy reader", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g, b, stats := start(t)
			for range 10 {
				b.reads = append(b.reads, b.after(time.Millisecond, 100))
			}
			for range 10 { // slow by its own doing: neither silent nor slow
				if _, err := g.Read(buf); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
			}
			if g.ctx.Err() != nil || stats.Stalls.Load() != 0 {
				t.Error("broken off while the reader was busy")
			}
			g.Close()
		})
	})
	t.Run("slow", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g, b, stats := start(t)
			for range 100 {
				b.reads = append(b.reads, b.after(10*time.Second, minRate*10)) // just fast enough
			}
			for range 7 {
				b.reads = append(b.reads, b.after(5*time.Second, minRate*5-1)) // just not
			}
			for range 100 {
				if _, err := g.Read(buf); err != nil {
					t.Fatal(err)
				}
			}
			var err error
			n := 0
			for ; err == nil; n++ {
				_, err = g.Read(buf)
			}
			if err != errSlow || stats.Stalls.Load() != 1 || g.ctx.Err() == nil {
				t.Errorf("%v after %d reads", err, n)
			}
			g.Close()
		})
	})
}

func TestCheckHeaders(t *testing.T) {
	in := Info{Size: 1000, Version: `"e"`}
	good := func() http.Header {
		return http.Header{"Etag": {`"e"`}, "Content-Range": {"bytes 100-199/1000"}, "Content-Length": {"100"}}
	}
	check := func(status int, in Info, change func(http.Header)) error {
		h := good()
		change(h)
		return checkHeaders(&call{status: status, header: h}, in, 100, 100)
	}
	if err := check(206, in, func(http.Header) {}); err != nil {
		t.Error(err)
	}
	if err := check(206, in, func(h http.Header) { h.Del("Content-Length") }); err != nil {
		t.Errorf("chunked: %v", err)
	}
	for _, v := range []string{"", "bytes 100-199", "bytes 100-199/*", "bytes 100-198/1000", "bytes 99-199/1000", "bytes 100-199/1001",
		"bytes */1000", "100-199/1000", "bytes 100-199/1000 ", "bytes=100-199/1000", "bytes  100-199/1000"} {
		var changed changedError
		if err := check(206, in, func(h http.Header) { h.Set("Content-Range", v) }); err == nil || errors.As(err, &changed) {
			t.Errorf("Content-Range %q: %v", v, err)
		}
	}
	var changed changedError
	if err := check(206, in, func(h http.Header) { h.Set("ETag", `"f"`) }); !errors.As(err, &changed) {
		t.Errorf("another ETag: %v", err)
	}
	if err := check(206, in, func(h http.Header) { h.Set("ETag", `W/"e"`) }); !errors.As(err, &changed) {
		t.Errorf("weak ETag: %v", err)
	}
	if err := check(206, in, func(h http.Header) { h.Set("ETag", "e") }); err != nil {
		t.Errorf("ETag without quotes: %v", err)
	}
	if err := check(200, in, func(h http.Header) {}); err == nil {
		t.Error("200 for a part")
	}
	whole := Info{Size: 100, Version: `"e"`}
	if err := checkHeaders(&call{status: 200, header: good()}, whole, 0, 100); err != nil {
		t.Errorf("200 for the whole: %v", err)
	}
	if err := check(204, in, func(h http.Header) {}); err == nil {
		t.Error("204")
	}
}

func TestPool(t *testing.T) {
	p := newPool(Transfer{BufferBytes: 10 << 20, RangeBytes: 4 << 20})
	a, b := p.take(4<<20, false), p.take(300<<10, false)
	if len(a) != 4<<20 || len(b) != 300<<10 || p.take(300<<10, false) != nil {
		t.Error("two of 4 MiB fit into 10, a third does not")
	}
	c := p.take(1000, false)
	if len(c) != 1000 {
		t.Error("a small one still fits")
	}
	for range 20 {
		if d := p.take(overdraft, true); len(d) != overdraft {
			t.Error("the overdraft is always there")
		} else {
			defer p.give(d)
		}
	}
	if p.take(1, false) != nil {
		t.Error("nothing is left")
	}
	p.give(a)
	p.give(b)
	p.give(c)
	if len(p.big) != 2 || len(p.small) != 1 {
		t.Errorf("%d and %d free", len(p.big), len(p.small))
	}
	tiny := newPool(Transfer{BufferBytes: 64 << 10, RangeBytes: 64 << 10})
	if len(tiny.take(64<<10, false)) != 64<<10 || tiny.take(1, false) != nil || len(tiny.take(1, true)) != 1 {
		t.Error("ranges smaller than the overdraft")
	}
}
