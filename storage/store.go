package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Each error of this package wraps one of these, in an *Error where a file is concerned.
var (
	// ErrNotFound is returned when the file, bucket or folder is certainly absent.
	ErrNotFound = errors.New("file not found")
	// ErrForbidden is returned when the storage refuses access.
	ErrForbidden = errors.New("access denied")
	// ErrIsDir is returned when the path names a folder.
	ErrIsDir = errors.New("is a directory")
	// ErrBadPath is returned when a path is malformed, leaves its root, or names a store or bucket that is not configured.
	ErrBadPath = errors.New("path not allowed")
	// ErrChanged is returned when the file is no longer the version it was pinned to.
	ErrChanged = errors.New("file changed")
	// ErrRefused is returned when the storage answers that the request itself is wrong (400, 405, a redirect) or when its
	// certificate is not trusted: asking again cannot help.
	ErrRefused = errors.New("request refused")
	// ErrUnavailable is returned when the storage has not answered for as long as the budget allows: try again later.
	ErrUnavailable = errors.New("storage unavailable")
)

// Info describes one version of one file.
type Info struct {
	// Path is what schedule_work takes.
	Path string
	Size int64
	// Version is the pin: an ETag with its quotes, or for a local file its inode and mtime. Opaque to all but its store. A
	// copy of a local file on another host has another inode, and so another version: nobody can tell that it is the same.
	Version string
	ModTime time.Time
}

// versions tells a person which version was wanted and which was found.
func versions(pinned string, size int64, found string, foundSize int64) string {
	return fmt.Sprintf("found version %s of %d bytes, not version %s of %d bytes", oneLine(found), foundSize, oneLine(pinned), size)
}

// Page is one page of a listing. Next is the After of the following page, "" on the last.
type Page struct {
	Files []Info
	Next  string
}

// Writer is a file in the making. Nothing of it can be seen under its name before Close has returned nil. Abort discards
// it; after Close it does nothing, so `defer w.Abort()` is the way to use it. Not safe for concurrent use.
type Writer interface {
	io.WriteCloser
	Abort()
}

// Store is what the program needs of a storage. Implementations are safe for concurrent use.
type Store interface {
	// List returns at most limit files whose path begins with prefix and sorts after `after`, by ascending path (bytewise).
	List(ctx context.Context, prefix, after string, limit int) (Page, error)
	// Stat returns the current version of a file.
	Stat(ctx context.Context, path string) (Info, error)
	// Open reads the version named by info (Path, Size and Version are used) from off to the end of the file. The reader
	// fetches ahead up to off+want, and little beyond it. It ends with io.EOF at info.Size exactly; an earlier end is an
	// error (ErrChanged where the file got shorter). Opening may be lazy: errors may come from Read. Close releases all; it
	// returns ErrChanged where less than want was read and that may be of another version.
	Open(ctx context.Context, info Info, off, want int64) (io.ReadCloser, error)
}
