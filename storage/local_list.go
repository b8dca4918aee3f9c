package storage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// List leaves out what a person would not call a file of the store: entries whose name begins with a dot, special files,
// links that lead nowhere or out of the folder, names that are not UTF-8 (JSON could not carry them), and folders that
// may not be read. It does not follow links to folders: they could form a circle.
func (l *Local) List(ctx context.Context, prefix, after string, limit int) (Page, error) {
	page, err := l.list(ctx, prefix, after, limit)
	return page, l.stats.count(err)
}

func (l *Local) list(ctx context.Context, prefix, after string, limit int) (Page, error) {
	w := &walk{ctx: ctx, shown: l.shown, limit: pageLimit(limit)}
	var ok bool
	if w.prefix, ok = strings.CutPrefix(prefix, l.shown); !ok {
		return Page{}, badPath("list", prefix, "outside the storage folder")
	}
	if after != "" {
		if w.after, ok = strings.CutPrefix(after, l.shown); !ok {
			return Page{}, badPath("list", after, "after is not a path of this store")
		}
	}
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return Page{}, l.fault("list", prefix, err)
	}
	defer root.Close()
	w.root = root
	// Start in the folder that the prefix names, not at the top.
	dir := w.prefix[:strings.LastIndexByte(w.prefix, '/')+1]
	if dir != "" {
		if _, err := l.name("list", l.shown+dir); err != nil {
			return Page{}, err
		}
	}
	err = w.folder(dir)
	switch {
	case err == errPageFull:
		return Page{Files: w.files, Next: w.files[len(w.files)-1].Path}, nil
	case errors.Is(err, fs.ErrNotExist) && dir != "":
		return Page{}, nil // a prefix that nothing has
	case errors.Is(err, unix.ENOTDIR):
		return Page{}, nil
	case ctx.Err() != nil:
		return Page{}, &Error{Op: "list", Path: prefix, Err: ended(ctx)}
	case err != nil:
		return Page{}, l.fault("list", prefix, err)
	}
	return Page{Files: w.files}, nil
}

// errPageFull ends a walk: there is at least one more file than the limit.
var errPageFull = errors.New("page full")

// walk visits a tree depth first in the bytewise order of whole paths, skipping the folders that cannot hold a file of
// the page.
type walk struct {
	ctx           context.Context // of the one List call that this walk is
	root          *os.Root
	shown         string
	prefix, after string // without shown
	limit         int
	files         []Info
}

// folder visits the files below dir, which is "" or ends in a slash.
func (w *walk) folder(dir string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	name := strings.TrimSuffix(dir, "/")
	if name == "" {
		name = "."
	}
	f, err := w.root.Open(name)
	if err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	f.Close()
	if err != nil && len(entries) == 0 {
		return err
	}
	// As part of a path a folder's name ends in a slash, and that decides its place: "a.csv" < "a/b" < "a0".
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		n := e.Name()
		if n[0] == '.' || !utf8.ValidString(n) {
			continue
		}
		switch {
		case e.IsDir():
			n += "/"
		case !e.Type().IsRegular() && e.Type() != fs.ModeSymlink:
			continue
		}
		if path := dir + n; w.wanted(path) {
			names = append(names, path)
		}
	}
	slices.Sort(names)
	for _, path := range names {
		if strings.HasSuffix(path, "/") {
			err = w.folder(path)
			if err != nil && err != errPageFull && w.ctx.Err() == nil {
				err = nil // unreadable, or gone meanwhile
			}
		} else {
			err = w.file(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wanted reports whether path, or for a folder some path below it, may be on the page.
func (w *walk) wanted(path string) bool {
	if strings.HasSuffix(path, "/") {
		return (strings.HasPrefix(path, w.prefix) || strings.HasPrefix(w.prefix, path)) &&
			(path > w.after || strings.HasPrefix(w.after, path))
	}
	return strings.HasPrefix(path, w.prefix) && path > w.after
}

func (w *walk) file(path string) error {
	fi, err := w.root.Stat(path)
	if err != nil || !fi.Mode().IsRegular() {
		return nil // gone meanwhile, or a link to something else
	}
	if len(w.files) == w.limit {
		return errPageFull
	}
	in := Info{Path: w.shown + path, Size: fi.Size(), ModTime: fi.ModTime().UTC()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		in.Version = pin(st.Ino, fi.ModTime().UnixNano())
	}
	w.files = append(w.files, in)
	return nil
}

// pageLimit is the limit where the caller named none.
func pageLimit(limit int) int {
	if limit <= 0 {
		return 1000
	}
	return limit
}
