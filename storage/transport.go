package storage

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// The layers below minio-go, from the network up:
//
//	http.Transport     connects; gives up on connecting, TLS and silence before the headers
//	wire               one per request: counts it, records the response for messages, guards the body against silence
//	retryablehttp      GET, HEAD, LIST: again until there are headers worth reading
//	verbs              sends reads through retryablehttp, writes straight to wire (their loop is in s3_write.go)
type verbs struct {
	read, write http.RoundTripper
}

func (v verbs) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		return v.read.RoundTrip(req)
	}
	return v.write.RoundTrip(req)
}

// newTransport returns the stack and the function that closes its idle connections.
func newTransport(cfg *Config, stats *Stats) (http.RoundTripper, func(), error) {
	t := cfg.Timing
	pool, err := certificates(cfg.S3.CAFile)
	if err != nil {
		return nil, nil, err
	}
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	base := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: t.Dial, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   t.TLS,
		ResponseHeaderTimeout: t.Headers,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   2 * max(cfg.Transfer.InFlight, int(cfg.Transfer.BufferBytes/cfg.Transfer.RangeBytes)),
		DisableCompression:    true, // offsets are offsets in the stored bytes
		ReadBufferSize:        64 << 10,
		WriteBufferSize:       64 << 10,
		Protocols:             http1,
	}
	// A server may take minutes to join the parts of an upload before it says anything.
	slow := base.Clone()
	slow.ResponseHeaderTimeout = 30 * t.Headers

	read := retryablehttp.NewClient()
	read.HTTPClient = &http.Client{
		Transport:     &wire{base: base, timing: t, stats: stats},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	read.Logger = nil
	read.RetryMax = 3
	read.RetryWaitMin, read.RetryWaitMax = t.BackoffMin, t.BackoffMax
	read.CheckRetry = checkRetry
	read.Backoff = func(_, _ time.Duration, attempt int, resp *http.Response) time.Duration {
		stats.Retries.Add(1)
		return t.pause(attempt, header(resp))
	}
	read.ErrorHandler = lastAnswer
	stack := verbs{
		read:  &retryablehttp.RoundTripper{Client: read},
		write: &wire{base: slow, timing: t, stats: stats},
	}
	return stack, func() { base.CloseIdleConnections(); slow.CloseIdleConnections() }, nil
}

func header(resp *http.Response) http.Header {
	if resp == nil {
		return nil
	}
	return resp.Header
}

// checkRetry has no error of its own: one would take the place of the response and its S3 code.
func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		if resp != nil {
			resp.Body.Close()
		}
		return false, ctx.Err()
	}
	if err != nil {
		return !untrusted(err), nil
	}
	return resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500, nil
}

// lastAnswer is retryablehttp.PassthroughErrorHandler, but never returns a response beside an error: net/http would
// write a line to the standard logger for that.
func lastAnswer(resp *http.Response, err error, tries int) (*http.Response, error) {
	if err != nil && resp != nil {
		resp.Body.Close()
		resp = nil
	}
	return retryablehttp.PassthroughErrorHandler(resp, err, tries)
}

func certificates(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil // the system's
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("storage: S3.CAFile: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("storage: S3.CAFile: no certificate in %s", file)
	}
	return pool, nil
}

// call is what became of one call of minio-go, for messages and decisions. It travels in the request's context. wire
// writes it while the call runs; its owner reads it afterwards.
type call struct {
	requests int
	status   int         // of the last request; 0 when it got no response
	header   http.Header // of the last response
}

type callKey struct{}

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// errorBodyLimit bounds what is read of the body of an error response.
const errorBodyLimit = 64 << 10

// wire sends one request.
type wire struct {
	base   http.RoundTripper
	timing Timing
	stats  *Stats
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.stats.Requests.Add(1)
	c, _ := req.Context().Value(callKey{}).(*call)
	if c == nil {
		c = new(call) // a credentials request
	}
	c.requests++
	c.status, c.header = 0, nil
	ctx, cancel := context.WithCancelCause(req.Context())
	resp, err := w.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	c.status, c.header = resp.StatusCode, resp.Header
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		w.stats.Throttles.Add(1)
	}
	resp.Body = newGuard(ctx, cancel, resp.Body, w.timing, w.stats)
	if resp.StatusCode < 300 {
		return resp, nil
	}
	// Whoever reads an error response (retryablehttp drains it, minio-go parses it) has no timer of his own, and half of
	// its body is as good as all of it: read it here.
	body, err := io.ReadAll(io.LimitReader(resp.Body, errorBodyLimit))
	resp.Body.Close()
	if err != nil && req.Context().Err() != nil {
		return nil, req.Context().Err()
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// untrusted reports whether err says that the server's certificate, or its way of speaking TLS, is not the expected one.
func untrusted(err error) bool {
	var (
		cert   *tls.CertificateVerificationError
		record tls.RecordHeaderError
	)
	return errors.As(err, &cert) || errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}
