package storage

import (
	"context"
	"crypto/rand"
	"os"
	"path"
)

// Create writes a file of the store: under a hidden temporary name in the same folder, renamed over path by Close once
// its bytes are on disk. Missing folders are made.
func (l *Local) Create(ctx context.Context, p string) (Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, &Error{Op: "write", Path: p, Err: ended(ctx)}
	}
	name, err := l.name("write", p)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return nil, l.fault("write", p, err)
	}
	if fi, err := root.Stat(name); err == nil && !fi.Mode().IsRegular() {
		root.Close()
		if fi.IsDir() {
			return nil, &Error{Op: "write", Path: p, Err: ErrIsDir}
		}
		return nil, badPath("write", p, "not a regular file") // a device or pipe would be replaced, not written to
	}
	dir := path.Dir(name)
	if err := root.MkdirAll(dir, 0o777); err != nil {
		root.Close()
		return nil, l.fault("write", p, err)
	}
	tmp := path.Join(dir, "."+path.Base(name)+"."+rand.Text()[:8]+".tmp")
	f, err := root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		root.Close()
		return nil, l.fault("write", p, err)
	}
	return &localWriter{l: l, root: root, f: f, path: p, name: name, tmp: tmp}, nil
}

type localWriter struct {
	l         *Local
	root      *os.Root // nil once ended
	f         *os.File
	path      string
	name, tmp string // below root
}

func (w *localWriter) Write(b []byte) (int, error) {
	n, err := w.f.Write(b)
	if err != nil {
		err = w.l.fault("write", w.path, err)
	}
	return n, err
}

func (w *localWriter) Close() error {
	if w.root == nil {
		return os.ErrClosed
	}
	err := w.f.Sync()
	if cerr := w.f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = w.root.Rename(w.tmp, w.name)
	}
	if err == nil {
		err = syncFolder(w.root, path.Dir(w.name))
	} else {
		w.root.Remove(w.tmp)
	}
	w.root.Close()
	w.root = nil
	if err != nil {
		return w.l.fault("write", w.path, err)
	}
	return nil
}

func (w *localWriter) Abort() {
	if w.root == nil {
		return
	}
	w.f.Close()
	w.root.Remove(w.tmp)
	w.root.Close()
	w.root = nil
}

// syncFolder makes a rename in dir outlive a loss of power.
func syncFolder(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
