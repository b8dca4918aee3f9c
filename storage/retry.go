package storage

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/minio/minio-go/v7"
)

// verdict is what an attempt's error means.
type verdict struct {
	final error  // the sentinel when asking again cannot help, nil when it can
	code  string // the S3 error code, "" without one
	text  string // for a person
}

// judge decides whether an attempt of minio-go that failed with err is worth repeating. What the HTTP status says comes
// first; without one it was the network. 416 counts as a change: ranges are always inside the pinned size.
func judge(c *call, err error) verdict {
	var (
		v  verdict
		er minio.ErrorResponse
	)
	v.text = oneLine(err.Error())
	answered := errors.As(err, &er)
	if answered {
		v.code, v.text = er.Code, oneLine(er.Message)
	}
	switch s := c.status; {
	case s == 0:
		switch {
		case untrusted(err):
			v.final = ErrRefused
		case c.requests == 0 && er.StatusCode == http.StatusBadRequest: // minio-go itself did not like the name
			v.final = ErrBadPath
		}
	case s < 300: // an answer that could not be read
	case s < 400:
		v.final, v.text = ErrRefused, "redirects are not followed; check the endpoint, region and bucket style"
	case !answered: // broken off before the error could be read
	case v.code == "ExpiredToken" || v.code == "ExpiredTokenException":
	case s == http.StatusBadRequest:
		if v.code != "RequestTimeout" && v.code != "IncompleteBody" && v.code != "RequestTimeTooSkewed" {
			v.final = ErrRefused
		}
	case s == http.StatusForbidden:
		if v.code != "RequestTimeTooSkewed" {
			v.final = ErrForbidden
		}
	case s == http.StatusUnauthorized:
		v.final = ErrForbidden
	case s == http.StatusNotFound:
		v.final = ErrNotFound
	case s == http.StatusMethodNotAllowed:
		v.final = ErrRefused
	case s == http.StatusPreconditionFailed, s == http.StatusRequestedRangeNotSatisfiable:
		v.final = ErrChanged
	}
	return v
}

// oneLine makes text from afar fit into a message.
func oneLine(s string) string {
	const limit = 200
	b := []rune(s)
	if len(b) > limit {
		b = append(b[:limit], '…')
	}
	for i, r := range b {
		if r < ' ' || r == 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}

// pause is how long to wait before attempt+1: full jitter up to an exponential bound, or what the response asked for.
func (t Timing) pause(attempt int, h http.Header) time.Duration {
	if s, err := strconv.ParseInt(h.Get("Retry-After"), 10, 64); err == nil && s >= 0 {
		return min(time.Duration(min(s, 1<<20))*time.Second, t.RetryAfterMax)
	}
	if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		return min(max(time.Until(at), 0), t.RetryAfterMax)
	}
	bound := t.BackoffMax
	if attempt < 30 && t.BackoffMin<<attempt < bound {
		bound = t.BackoffMin << attempt
	}
	if bound <= 0 {
		return 0
	}
	return rand.N(bound)
}

// patience is the budget of one operation: time without progress.
type patience struct {
	timing  Timing
	since   time.Time // of the last progress
	attempt int       // failed ones since then
	fault   string    // the last one within the budget, for a person
}

func newPatience(t Timing) *patience { return &patience{timing: t, since: time.Now()} }

// progress starts the budget anew.
func (p *patience) progress() { p.since, p.attempt = time.Now(), 0 }

// left is what remains of the budget.
func (p *patience) left() time.Duration { return p.timing.Budget - time.Since(p.since) }

// wait sleeps before the next attempt. It returns false when the budget will be spent by then, or ctx ends.
func (p *patience) wait(ctx context.Context, h http.Header) bool {
	d := p.timing.pause(p.attempt, h)
	p.attempt++
	if d >= p.left() {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
