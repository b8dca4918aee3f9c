package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Error says what went wrong with which file. errors.Is finds the sentinel in Err; when the caller's ctx ended, also
// ctx's own error. It never holds a secret.
type Error struct {
	// Op is "list", "stat", "open", "read" or "write".
	Op string
	// Path names the file so that a person finds it: s3://bucket/key, or the path on disk.
	Path string
	// Off and N are the byte range asked for; N is 0 where there was none.
	Off, N int64
	// Status is the HTTP status of the last response, 0 when there was none.
	Status int
	// Code is the S3 error code of the last response, "" when it had none.
	Code string
	// RequestID is the server's name for the last request, "" when it gave none.
	RequestID string
	// Attempts is the number of HTTP requests sent for this operation (for a read: for this range).
	Attempts int
	// Err is one of the package's sentinels, or ctx's error.
	Err error
	// Detail is the rest of the story for a person, "" when there is none.
	Detail string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	b.WriteByte(' ')
	b.WriteString(e.Path)
	if e.N > 0 {
		fmt.Fprintf(&b, " bytes %d-%d", e.Off, e.Off+e.N-1)
	}
	b.WriteString(": ")
	b.WriteString(strings.ReplaceAll(e.Err.Error(), "\n", ": "))
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	var facts []string
	if e.Status != 0 {
		facts = append(facts, fmt.Sprintf("status %d", e.Status))
	}
	if e.Code != "" {
		facts = append(facts, "code "+e.Code)
	}
	if e.RequestID != "" {
		facts = append(facts, "request id "+e.RequestID)
	}
	if e.Attempts > 0 {
		facts = append(facts, fmt.Sprintf("attempts %d", e.Attempts))
	}
	if len(facts) > 0 {
		b.WriteString(" (" + strings.Join(facts, ", ") + ")")
	}
	return b.String()
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

// Code returns the word that documents and programs know an error by, which never changes; "" for an error that is not
// the storage's.
func Code(err error) string {
	switch {
	case errors.Is(err, ErrNotFound):
		return "file_not_found"
	case errors.Is(err, ErrForbidden):
		return "forbidden"
	case errors.Is(err, ErrIsDir):
		return "is_directory"
	case errors.Is(err, ErrBadPath):
		return "path_not_allowed"
	case errors.Is(err, ErrChanged):
		return "file_changed"
	case errors.Is(err, ErrRefused):
		return "storage_refused"
	case errors.Is(err, ErrUnavailable):
		return "storage_unavailable"
	}
	return ""
}

// ended turns the end of the caller's ctx into the sentinel to report: a deadline that passed while the storage kept
// silent is ErrUnavailable as well as ctx's error; a cancellation is only itself.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.Join(ErrUnavailable, context.DeadlineExceeded)
	}
	return ctx.Err()
}

func badPath(op, path, detail string) error {
	return &Error{Op: op, Path: path, Err: ErrBadPath, Detail: detail}
}
