package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Local is the files below one folder. Nothing outside it can be reached: every access goes through an os.Root, so
// neither `..` nor a symbolic link leads out. The folder is opened anew for each operation, so it may appear, vanish or be
// replaced while the program runs.
type Local struct {
	dir   string // absolute, clean
	shown string // what stands in front of the relative path in Info.Path: "" or "file:///dir/"
	stats *Stats
}

// NewLocal returns the store of the files below dir, whose paths are relative to it.
func NewLocal(dir string) (*Local, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	return &Local{dir: abs, stats: new(Stats)}, nil
}

// Stat opens the file, so that one that may not be read is refused here and not first in the middle of a work.
func (l *Local) Stat(ctx context.Context, path string) (Info, error) {
	f, st, err := l.open(ctx, "stat", path)
	if err != nil {
		return Info{}, l.stats.count(err)
	}
	defer f.Close()
	return info(path, st), nil
}

// Open reads nothing ahead: that is the kernel's business.
func (l *Local) Open(ctx context.Context, in Info, off, want int64) (io.ReadCloser, error) {
	if off < 0 || off > in.Size {
		return nil, badPath("open", in.Path, fmt.Sprintf("offset %d outside 0..%d", off, in.Size))
	}
	f, st, err := l.open(ctx, "open", in.Path)
	if err != nil {
		return nil, l.stats.count(err)
	}
	r := &localReader{f: f, path: in.Path, size: in.Size, version: in.Version, off: off, end: off + want, stats: l.stats, stop: ctx.Done, cause: ctx.Err}
	if err := r.check(st); err != nil {
		f.Close()
		return nil, l.stats.count(err)
	}
	return r, nil
}

// open opens a regular file for reading and stats what it opened.
func (l *Local) open(ctx context.Context, op, path string) (*os.File, *unix.Stat_t, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, &Error{Op: op, Path: path, Err: ended(ctx)}
	}
	name, err := l.name(op, path)
	if err != nil {
		return nil, nil, err
	}
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return nil, nil, l.fault(op, path, err)
	}
	defer root.Close()
	// O_NONBLOCK: opening a pipe must not wait for its writer. It means nothing to a regular file.
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, l.fault(op, path, err)
	}
	st := new(unix.Stat_t)
	if err := fstat(f, st); err != nil {
		f.Close()
		return nil, nil, l.fault(op, path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		err = &Error{Op: op, Path: path, Err: ErrIsDir}
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = badPath(op, path, "not a regular file")
	case strings.HasSuffix(name, "/"):
		err = &Error{Op: op, Path: path, Err: ErrNotFound}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, st, nil
}

// name is the path below the folder, as os.Root takes it.
func (l *Local) name(op, path string) (string, error) {
	name, ok := strings.CutPrefix(path, l.shown)
	switch {
	case !ok, strings.HasPrefix(name, "/"):
		return "", badPath(op, path, "outside the storage folder; a path is relative to it, or file:///... below an allowed folder")
	case strings.IndexByte(name, 0) >= 0:
		return "", badPath(op, path, "holds a zero byte")
	case name == "":
		return "", &Error{Op: op, Path: path, Err: ErrIsDir}
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		if part == "" || part == "." || part == ".." {
			return "", badPath(op, path, "holds an empty, . or .. element")
		}
	}
	return name, nil
}

// fault turns what the operating system said into an *Error. An error that is not the system's own comes from os.Root
// and says that the path leads out of the folder.
func (l *Local) fault(op, path string, err error) error {
	e := &Error{Op: op, Path: path, Err: ErrUnavailable}
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		e.Err = ErrNotFound
		if _, rootErr := os.Stat(l.dir); rootErr != nil {
			e.Detail = "the storage folder " + l.dir + " does not exist"
		}
		return e
	case errors.Is(err, fs.ErrPermission):
		e.Err = ErrForbidden
		return e
	case errors.Is(err, unix.EISDIR):
		e.Err = ErrIsDir
		return e
	case !errors.As(err, &errno), errno == unix.ELOOP, errno == unix.ENAMETOOLONG, errno == unix.EINVAL, errno == unix.ENXIO:
		e.Err = ErrBadPath
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the path is named already
	}
	e.Detail = err.Error()
	return e
}

func info(path string, st *unix.Stat_t) Info {
	return Info{Path: path, Size: st.Size, Version: version(st), ModTime: time.Unix(st.Mtim.Unix()).UTC()}
}

// version is the pin of a local file. The size is a field of Info, so it is compared beside it.
func version(st *unix.Stat_t) string { return pin(st.Ino, st.Mtim.Nano()) }

func pin(inode uint64, mtimeNanos int64) string { return fmt.Sprintf("%x-%x", inode, mtimeNanos) }

// fstat is f.Stat without its allocations: it runs once per Read.
func fstat(f *os.File, st *unix.Stat_t) error {
	for {
		if err := unix.Fstat(int(f.Fd()), st); err != unix.EINTR {
			return err
		}
	}
}
