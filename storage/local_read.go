package storage

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// checkEvery is after how many bytes a local file is looked at again. A look costs as much as reading some 30 KiB.
const checkEvery = 1 << 20

// localReader reads a pinned file. It checks that the file still has the inode, mtime and size of the pin after each
// checkEvery bytes and at the end of what was wanted, before it hands the last of these bytes out, and when it is closed. So
// who reads all that was wanted, or heeds what Close returns, never takes bytes of another version for good, as far as the
// file system's clock can tell versions apart.
type localReader struct {
	f       *os.File
	path    string
	size    int64
	version string
	off     int64
	end     int64       // of what was wanted
	news    int64       // bytes read since the last check
	pinned  unix.Stat_t // what version stands for, so that the check of each read compares numbers
	now     unix.Stat_t
	stats   *Stats
	stop    func() <-chan struct{} // of the ctx given to Open
	cause   func() error
	err     error // sticky
}

// check compares a fresh stat with the pin, and remembers it.
func (r *localReader) check(st *unix.Stat_t) error {
	if version(st) != r.version || st.Size != r.size {
		return r.changed("open", st)
	}
	r.pinned = *st
	return nil
}

func (r *localReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.read(p)
	r.off += int64(n)
	r.stats.BytesLocal.Add(int64(n))
	if err != nil {
		r.err = r.stats.count(err)
	}
	return n, err
}

func (r *localReader) read(p []byte) (int, error) {
	select {
	case <-r.stop():
		return 0, &Error{Op: "read", Path: r.path, Off: r.off, N: int64(len(p)), Err: r.cause()}
	default:
	}
	if left := r.size - r.off; int64(len(p)) > left {
		p = p[:left]
	}
	if len(p) == 0 {
		if r.off < r.size {
			return 0, nil
		}
		if err := r.verify(); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	n, err := r.f.ReadAt(p, r.off)
	if r.news += int64(n); n < len(p) || r.news >= checkEvery || r.off+int64(n) >= r.end {
		if verr := r.verify(); verr != nil {
			return 0, verr
		}
	}
	switch {
	case n == len(p):
		return n, nil
	case err == io.EOF: // inside the pinned size, by a file that claims to have it still
		return 0, r.changed("read", &r.now)
	default:
		return 0, &Error{Op: "read", Path: r.path, Off: r.off, N: int64(len(p)), Err: ErrUnavailable, Detail: err.Error()}
	}
}

// verify reports whether the open file is still the pinned version.
func (r *localReader) verify() error {
	if err := fstat(r.f, &r.now); err != nil {
		return &Error{Op: "read", Path: r.path, Off: r.off, Err: ErrUnavailable, Detail: err.Error()}
	}
	if r.now.Size != r.pinned.Size || r.now.Mtim != r.pinned.Mtim || r.now.Ino != r.pinned.Ino {
		return r.changed("read", &r.now)
	}
	r.news = 0
	return nil
}

// changed names both versions. Op "open" tells that this reader never saw the pinned one: on another host than the one
// where the file was pinned it may be a copy, see Info.Version.
func (r *localReader) changed(op string, found *unix.Stat_t) error {
	return &Error{Op: op, Path: r.path, Err: ErrChanged, Detail: versions(r.version, r.size, version(found), found.Size)}
}

// Close returns ErrChanged if what was read may be of another version.
func (r *localReader) Close() error {
	var changed error
	if r.err == nil {
		if r.news > 0 {
			changed = r.stats.count(r.verify())
		}
		r.err = os.ErrClosed
	}
	return errors.Join(changed, r.f.Close())
}
