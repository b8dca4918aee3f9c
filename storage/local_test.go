package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"colsum/storage"
	"colsum/storage/storagetest"
)

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLocalConfinement(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "data")
	write(t, filepath.Join(top, "secret.csv"), []byte("secret"))
	write(t, filepath.Join(dir, "in.csv"), []byte("in"))
	write(t, filepath.Join(dir, "sub", "x.csv"), []byte("x"))
	for link, to := range map[string]string{
		"out.csv": "../secret.csv", "abs.csv": filepath.Join(top, "secret.csv"), "up": "..", "inside.csv": "sub/x.csv",
		"loop.csv": "loop.csv", "dangling.csv": "nowhere.csv", "folder": "sub",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(dir, "pipe.csv"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".hidden.csv"), nil)
	write(t, filepath.Join(dir, ".git", "config.csv"), nil)
	write(t, filepath.Join(dir, "bad\xff.csv"), nil)

	s := open(t, storage.Config{Default: dir})
	for path, want := range map[string]error{
		"in.csv": nil, "inside.csv": nil, "folder/x.csv": nil, ".hidden.csv": nil,
		"out.csv": storage.ErrBadPath, "abs.csv": storage.ErrBadPath, "up/secret.csv": storage.ErrBadPath, "../secret.csv": storage.ErrBadPath,
		"/in.csv": storage.ErrBadPath, "in.csv\x00": storage.ErrBadPath, "sub//x.csv": storage.ErrBadPath,
		"loop.csv": storage.ErrBadPath, "pipe.csv": storage.ErrBadPath, "dangling.csv": storage.ErrNotFound,
		"in.csv/": storage.ErrNotFound, "sub": storage.ErrIsDir, "sub/": storage.ErrIsDir, "folder": storage.ErrIsDir,
		"file://" + top + "/secret.csv":          storage.ErrBadPath,
		"file://" + dir + "/../secret.csv":       storage.ErrBadPath,
		"file://" + dir + "/in.csv":              nil,
		"file://localhost" + dir + "/in.csv":     storage.ErrBadPath,
		"s3://bucket/key":                        storage.ErrBadPath,
		"ftp://host/in.csv":                      storage.ErrBadPath,
		string(bytes.Repeat([]byte("x"), 10000)): storage.ErrBadPath,
	} {
		if _, err := s.Stat(t.Context(), path); !errors.Is(err, want) {
			t.Errorf("stat %.40q: got %v, want %v", path, err, want)
		}
		if want == storage.ErrBadPath && path != "pipe.csv" && path != "loop.csv" && path != "out.csv" && path != "abs.csv" {
			if w, err := s.Create(t.Context(), path); !errors.Is(err, want) {
				t.Errorf("create %.40q: %v", path, err)
				w.Abort()
			}
		}
	}
	page, err := s.List(t.Context(), "", "", 100)
	var got []string
	for _, f := range page.Files {
		got = append(got, f.Path)
	}
	if want := []string{"in.csv", "inside.csv", "sub/x.csv"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("list: %q, %v", got, err)
	}
	// Writing over a link replaces the link, not what it points to.
	storagetest.Put(t, s, "out.csv", []byte("new"))
	if b, _ := os.ReadFile(filepath.Join(top, "secret.csv")); string(b) != "secret" {
		t.Errorf("the file outside is now %q", b)
	}
}

func TestLocalRefused(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.csv"), nil)
	write(t, filepath.Join(dir, "closed", "b.csv"), nil)
	for _, name := range []string{"a.csv", "closed"} {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(filepath.Join(dir, name), 0o755)
	}
	s := open(t, storage.Config{Default: dir})
	for _, path := range []string{"a.csv", "closed/b.csv"} {
		if _, err := s.Stat(t.Context(), path); !errors.Is(err, storage.ErrForbidden) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if page, err := s.List(t.Context(), "", "", 10); err != nil || len(page.Files) != 1 {
		t.Errorf("list: %+v, %v", page, err)
	}
}

// A file that changes while it is read is noticed before the last byte that was wanted is handed out, or else when the reader
// is closed.
func TestLocalChangesInMidRead(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f.csv")
	s := open(t, storage.Config{Default: dir})
	for what, change := range map[string]func() error{
		"rewritten in place": func() error {
			f, err := os.OpenFile(name, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte("9"), 500)
			return errors.Join(err, os.Chtimes(name, time.Time{}, time.Now().Add(time.Second))) // whatever the clock's grain
		},
		"grown":     func() error { return os.Truncate(name, 5<<20) },
		"truncated": func() error { return os.Truncate(name, 10) },
		"emptied":   func() error { return os.Truncate(name, 0) },
	} {
		const size = 4 << 20
		write(t, name, make([]byte, size))
		in, err := s.Stat(t.Context(), "f.csv")
		if err != nil {
			t.Fatal(err)
		}
		// Before the change, and after it: the bytes that are read, of so many that are wanted.
		for _, read := range []struct{ before, after, want int }{
			{100, 900, 1000}, {100, size - 100, size}, {100, 3 << 20, size}, {size - 1, 1, size}, {100, 100, size}, {100, 0, size},
		} {
			r, err := s.Open(t.Context(), in, 0, int64(read.want))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(r, make([]byte, read.before)); err != nil {
				t.Fatal(err)
			}
			if err := change(); err != nil {
				t.Fatal(err)
			}
			_, err = io.ReadFull(r, make([]byte, read.after))
			if whole := read.after >= read.want-read.before || read.after >= 2<<20; whole && !errors.Is(err, storage.ErrChanged) {
				t.Errorf("%s: %+v: read %v", what, read, err)
			}
			if err != nil {
				if n, err := r.Read(make([]byte, 100)); n != 0 || !errors.Is(err, storage.ErrChanged) {
					t.Errorf("%s: %+v: the next read: %d bytes, %v", what, read, n, err)
				}
			}
			if cerr := r.Close(); err == nil && !errors.Is(cerr, storage.ErrChanged) {
				t.Errorf("%s: %+v: close: %v", what, read, cerr)
			}
			if _, err := s.Open(t.Context(), in, 0, 1000); !errors.Is(err, storage.ErrChanged) {
				t.Errorf("%s: open: %v", what, err)
			}
			write(t, name, make([]byte, size))
			if in, err = s.Stat(t.Context(), "f.csv"); err != nil {
				t.Fatal(err)
			}
		}
	}

	// Replaced: who has it open reads the old version to its end; who opens it now is told.
	write(t, name, bytes.Repeat([]byte("a"), 1000))
	in, err := s.Stat(t.Context(), "f.csv")
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), in, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	storagetest.Put(t, s, "f.csv", bytes.Repeat([]byte("b"), 1000))
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, bytes.Repeat([]byte("a"), 1000)) {
		t.Errorf("replaced: %d bytes, %v", len(got), err)
	}
	_, err = s.Open(t.Context(), in, 0, 1000)
	now, statErr := s.Stat(t.Context(), "f.csv")
	var e *storage.Error
	if !errors.Is(err, storage.ErrChanged) || !errors.As(err, &e) || e.Op != "open" || statErr != nil ||
		!strings.Contains(e.Detail, in.Version) || !strings.Contains(e.Detail, now.Version) {
		t.Errorf("replaced: open: %v; %v", err, statErr)
	}
}

// The folder may come and go while the store is in use.
func TestLocalFolderComesAndGoes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := open(t, storage.Config{Default: dir})
	if _, err := s.List(t.Context(), "", "", 10); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("list: %v", err)
	}
	if _, err := s.Stat(t.Context(), "x.csv"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("stat: %v", err)
	}
	write(t, filepath.Join(dir, "x.csv"), []byte("1"))
	if _, err := s.Stat(t.Context(), "x.csv"); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "x.csv"), []byte("1"))
	if _, err := s.Stat(t.Context(), "x.csv"); err != nil {
		t.Error(err)
	}
}

func TestManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("5,000 files")
	}
	dir := t.TempDir()
	for d := range 5 {
		if err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("dir%d", d)), 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range 1_000 {
			f, err := os.Create(filepath.Join(dir, fmt.Sprintf("dir%d/file%05d.csv", d, i)))
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
	s := open(t, storage.Config{Default: dir})
	n, pages, after := 0, 0, ""
	for {
		page, err := s.List(t.Context(), "", after, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Files {
			if want := fmt.Sprintf("dir%d/file%05d.csv", n/1_000, n%1_000); f.Path != want {
				t.Fatalf("got %s, want %s", f.Path, want)
			}
			n++
		}
		pages++
		if after = page.Next; after == "" {
			break
		}
	}
	if n != 5_000 || pages != 50 {
		t.Errorf("%d files on %d pages", n, pages)
	}
}

// A device or a pipe is not replaced by a file.
func TestLocalCreateKeepsWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := storage.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if w, err := l.Create(t.Context(), "pipe"); !errors.Is(err, storage.ErrBadPath) {
		if err == nil {
			err = w.Close()
		}
		t.Errorf("got %v, want ErrBadPath", err)
	}
	if fi, err := os.Stat(pipe); err != nil || fi.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe is %v now, error %v", fi, err)
	}
}
