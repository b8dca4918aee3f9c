package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

var (
	errShort = errors.New("the body ended before the range did")
	errLong  = errors.New("the body is longer than the range")
)

// nameTime bounds the question that only makes a message better.
const nameTime = 5 * time.Second

// changedError is a response that shows another version than the pinned one.
type changedError struct{ what string }

func (e changedError) Error() string { return e.what }

// fetch reads len(buf) bytes of the pinned object from off on. It calls got(n) when n more bytes stand in buf; they stay.
// After a break it goes on where it was, on a new request. It ends when the range is complete, when asking again cannot
// help, when nothing has come for as long as the budget allows, or with ctx.
func (s *S3) fetch(ctx context.Context, key string, in Info, off int64, buf []byte, got func(n int)) error {
	e := &Error{Op: "read", Path: s.url(key), Off: off, N: int64(len(buf))}
	p, requests, n := newPatience(s.timing), 0, 0
	for {
		c := new(call)
		err := s.fetchOnce(ctx, p, c, key, in, off+int64(n), buf[n:], func(k int) {
			n += k
			p.progress()
			got(k)
		})
		requests += c.requests
		if err == nil {
			return nil
		}
		out := *e
		out.Status, out.Attempts, out.Detail = c.status, requests, err.Error()
		if c.header != nil {
			out.RequestID = c.header.Get("x-amz-request-id")
		}
		var changed changedError
		switch {
		case ctx.Err() != nil:
			out.Err = ended(ctx)
			return &out
		case errors.As(err, &changed):
			out.Err = ErrChanged
			return &out
		case err == errLong: // the bytes are with the caller already and cannot be trusted
			out.Err = ErrUnavailable
			return &out
		}
		if err := s.again(ctx, p, c, e, requests, err); err != nil {
			if errors.Is(err, ErrChanged) {
				s.nameVersions(ctx, key, in, err.(*Error))
			}
			return err
		}
		if n > 0 {
			s.stats.Resumes.Add(1)
		}
	}
}

// nameVersions asks, once, what has taken the place of the pinned version: a refusal (412, 416) does not say. Only the
// message depends on the answer.
func (s *S3) nameVersions(ctx context.Context, key string, in Info, e *Error) {
	ctx, cancel := context.WithTimeout(ctx, min(nameTime, s.timing.Headers))
	defer cancel()
	c := new(call)
	oi, err := s.core.StatObject(withCall(ctx, c), s.bucket, key, minio.StatObjectOptions{})
	if err != nil {
		e.Detail += fmt.Sprintf("; the version wanted is %s of %d bytes", in.Version, in.Size)
		return
	}
	e.Detail = versions(in.Version, in.Size, objectPin(c.header.Get("ETag"), oi.LastModified), oi.Size)
}

// fetchOnce is one attempt at the rest of a range.
func (s *S3) fetchOnce(ctx context.Context, p *patience, c *call, key string, in Info, off int64, buf []byte, got func(n int)) error {
	ctx, cancel := context.WithCancel(withCall(ctx, c))
	defer cancel()
	var opts minio.GetObjectOptions
	opts.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+int64(len(buf))-1))
	if etag, ok := pinnedETag(in); ok {
		opts.Set("If-Match", etag)
	}
	budget := time.AfterFunc(p.left(), cancel)
	body, _, _, err := s.core.GetObject(ctx, s.bucket, key, opts)
	budget.Stop()
	if err != nil {
		return err
	}
	defer body.Close()
	if err := checkHeaders(c, in, off, int64(len(buf))); err != nil {
		return err
	}
	for len(buf) > 0 {
		n, err := body.Read(buf)
		if n > 0 {
			s.stats.BytesS3.Add(int64(n))
			buf = buf[n:]
			got(n)
		}
		if err == io.EOF && len(buf) > 0 {
			return errShort
		}
		if err != nil && err != io.EOF {
			if len(buf) == 0 {
				break // all is here; the connection is not worth a word
			}
			return err
		}
	}
	// Reading the end gives the connection back for the next request.
	var one [1]byte
	if n, _ := io.ReadFull(body, one[:]); n > 0 {
		return errLong
	}
	return nil
}

// pinnedETag is the ETag of the pin, if the server has ETags.
func pinnedETag(in Info) (string, bool) {
	return in.Version, strings.HasPrefix(in.Version, `"`) || strings.HasPrefix(in.Version, "W/")
}

// checkHeaders believes nothing: the response must be of the pinned version and for the very range that was asked.
func checkHeaders(c *call, in Info, off, n int64) error {
	h := c.header
	if want, ok := pinnedETag(in); ok {
		switch etag := h.Get("ETag"); {
		case etag == "":
			return errors.New("the response has no ETag")
		case objectPin(etag, time.Time{}) != want:
			return changedError{fmt.Sprintf("found version %s, not version %s of %d bytes", oneLine(objectPin(etag, time.Time{})), want, in.Size)}
		}
	} else {
		modified, err := http.ParseTime(h.Get("Last-Modified"))
		if err != nil {
			return errors.New("the response has neither an ETag nor a Last-Modified")
		}
		if pin := objectPin("", modified); pin != in.Version {
			return changedError{fmt.Sprintf("found version %s, not version %s of %d bytes", pin, in.Version, in.Size)}
		}
	}
	if c.status == http.StatusOK {
		// The whole object: as good, if that is what was asked for.
		if off != 0 || n != in.Size || h.Get("Content-Length") != strconv.FormatInt(n, 10) {
			return errors.New("the server ignored the Range header")
		}
		return nil
	}
	if c.status != http.StatusPartialContent {
		return fmt.Errorf("status %d in answer to a range request", c.status)
	}
	cr := h.Get("Content-Range")
	span, total, ok := strings.Cut(strings.TrimPrefix(cr, "bytes "), "/")
	if !ok || cr == span {
		return fmt.Errorf("the response has no valid Content-Range: %q", oneLine(cr))
	}
	if _, hasETag := pinnedETag(in); total != strconv.FormatInt(in.Size, 10) && !hasETag {
		return changedError{fmt.Sprintf("found version %s of %s bytes, not of %d bytes", in.Version, oneLine(total), in.Size)}
	}
	if want := fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, in.Size); cr != want {
		return fmt.Errorf("the response has Content-Range %q, not %q", oneLine(cr), want)
	}
	if cl := h.Get("Content-Length"); cl != "" && cl != strconv.FormatInt(n, 10) {
		return fmt.Errorf("the response has Content-Length %s for a range of %d bytes", oneLine(cl), n)
	}
	return nil
}
