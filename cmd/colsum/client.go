package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ServerFlags say where the cluster is. Every node answers every request, so that any of the servers will do.
type ServerFlags struct {
	Server []string      `default:"http://127.0.0.1:5000" placeholder:"URL" help:"A coordinator, host:port or URL; several (repeated, or parted by commas) are tried in turn (default http://127.0.0.1:5000)."`
	Retry  time.Duration `default:"15s" placeholder:"TIME" help:"For how long to try again while no server answers (default 15s; 0s tries each server once)."`
	JSON   bool          `help:"Print the server's JSON document unchanged."`
}

// Validate normalises the addresses.
func (f *ServerFlags) Validate() error {
	if f.Retry < 0 {
		return usagef("--retry: must be at least 0s, got %v", f.Retry)
	}
	if err := checkServers("--server", f.Server); err != nil {
		return err
	}
	if len(f.Server) == 0 {
		return usagef("--server: must name at least one coordinator")
	}
	return nil
}

// checkServers makes URLs of servers' addresses, in place.
func checkServers(flag string, servers []string) error {
	for i, s := range servers {
		if !strings.Contains(s, "://") {
			s = "http://" + s
		}
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return usagef("%s: must be host:port or an http URL, got %q", flag, servers[i])
		}
		servers[i] = strings.TrimRight(s, "/")
	}
	return nil
}

// A client sends requests to a cluster: to the servers in turn, again and again until one answers or the time is up. All
// its requests are safe to repeat. It stays with the server that answered last. Not safe for concurrent use.
type client struct {
	servers []string
	at      int // index of the server to ask first
	retry   time.Duration
	http    *http.Client
	notice  io.Writer // where the first failure is told while trying on; nil for nowhere
}

func (f *ServerFlags) client() *client {
	return &client{
		servers: f.Server,
		retry:   f.Retry,
		notice:  os.Stderr,
		http: &http.Client{Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: longPoll + 15*time.Second,
		}},
	}
}

// longPoll is how long one request waits for a work to end; a wait is made of many.
const longPoll = 20 * time.Second

// maxPause bounds the pause between two rounds over the servers, and how far a Retry-After is heeded.
const maxPause = 2 * time.Second

// problemError is a problem document that the cluster answered.
type problemError struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

func (e *problemError) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Title
	}
	if e.Code == "" {
		return fmt.Sprintf("the server answered %d: %s", e.Status, text)
	}
	return fmt.Sprintf("%s: %s", e.Code, text)
}

// unreachableError says that nobody listens where a server should be.
type unreachableError struct{ err error }

func (e *unreachableError) Error() string { return e.err.Error() }
func (e *unreachableError) Unwrap() error { return e.err }

// get asks for path (with its query) and returns the answer's body.
func (c *client) get(ctx context.Context, path string) ([]byte, error) {
	return c.do(ctx, http.MethodGet, path, nil, nil)
}

// post sends v as JSON; header may be nil.
func (c *client) post(ctx context.Context, path string, v any, header http.Header) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return c.do(ctx, http.MethodPost, path, body, header)
}

// do sends one request until it is answered. It returns a *problemError for an answer that another try would not change.
func (c *client) do(ctx context.Context, method, path string, body []byte, header http.Header) ([]byte, error) {
	start := time.Now()
	pause := 100 * time.Millisecond
	told := false
	for {
		var last error
		wait := pause
		for range c.servers {
			answer, after, err := c.once(ctx, c.servers[c.at]+path, method, body, header)
			if err == nil {
				return answer, nil
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if after < 0 {
				return nil, err
			}
			last, wait = err, max(wait, min(after, maxPause))
			c.at = (c.at + 1) % len(c.servers)
		}
		if time.Since(start)+wait > c.retry {
			if errors.Is(last, syscall.ECONNREFUSED) {
				last = &unreachableError{last}
			}
			return nil, last
		}
		if !told && c.notice != nil {
			told = true
			fmt.Fprintf(c.notice, "colsum: %s; trying again for %v\n", plain(last), c.retry)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
		pause = min(2*pause, maxPause)
	}
}

// once sends one request to one server. With an error, after says when another try makes sense; below 0: never.
func (c *client) once(ctx context.Context, url, method string, body []byte, header http.Header) (answer []byte, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, -1, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, 0, brief(err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return nil, 0, fmt.Errorf("read answer of %s: %w", url, err)
	}
	if resp.StatusCode < 300 {
		return answer, 0, nil
	}
	p := &problemError{}
	if json.Unmarshal(answer, p) != nil || p.Title == "" && p.Detail == "" {
		p = &problemError{Title: http.StatusText(resp.StatusCode)}
	}
	p.Status = resp.StatusCode
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return nil, max(0, time.Duration(seconds)*time.Second), p
	}
	return nil, -1, p
}

// brief drops what net/http repeats: the method and the whole URL.
func brief(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	where := u.URL
	if parsed, perr := url.Parse(u.URL); perr == nil {
		where = parsed.Scheme + "://" + parsed.Host
	}
	return fmt.Errorf("%s: %w", where, u.Err)
}
