package storage

import (
	"context"
	"errors"
	"io"
	"testing"
)

// The words are part of the API: programs compare them.
func TestCode(t *testing.T) {
	for want, err := range map[string]error{
		"file_not_found":      ErrNotFound,
		"forbidden":           ErrForbidden,
		"is_directory":        ErrIsDir,
		"path_not_allowed":    ErrBadPath,
		"file_changed":        ErrChanged,
		"storage_refused":     ErrRefused,
		"storage_unavailable": errors.Join(ErrUnavailable, context.DeadlineExceeded),
		"":                    io.ErrUnexpectedEOF,
	} {
		if got := Code(&Error{Op: "stat", Path: "a.csv", Err: err}); got != want {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
}
