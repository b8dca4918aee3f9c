// Package storagetest holds what every storage.Store must do, as one test suite, and starts real S3 servers for tests.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"colsum/storage"
)

// Store is what the suite tests.
type Store interface {
	storage.Store
	Create(ctx context.Context, path string) (storage.Writer, error)
}

// Run runs the suite. open returns an empty store; it is called once per subtest. prefix stands in front of every path:
// "" for a default store, "s3://bucket/" or "file:///dir/" for a named one.
func Run(t *testing.T, prefix string, open func(t *testing.T) Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, string, Store)
	}{
		{"read", testRead}, {"empty", testEmpty}, {"absent", testAbsent}, {"paths", testPaths}, {"folder", testFolder},
		{"changed", testChanged}, {"list", testList}, {"list pages", testListPages}, {"create", testCreate},
		{"abort", testAbort}, {"big", testBig}, {"cancel", testCancel}, {"names", testNames},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, prefix, open(t)) })
	}
}

// Put writes a file and returns its Info.
func Put(t testing.TB, s Store, path string, data []byte) storage.Info {
	t.Helper()
	w, err := s.Create(t.Context(), path)
	if err != nil {
		t.Fatalf("create %s: %v", path, err)
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("close %s: %v", path, err)
	}
	in, err := s.Stat(t.Context(), path)
	if err != nil {
		t.Fatalf("stat %s: %v", path, err)
	}
	return in
}

// Bytes returns n bytes that no other seed gives.
func Bytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// Read reads from off to the end, or to the error.
func Read(t testing.TB, s storage.Store, in storage.Info, off, want int64) ([]byte, error) {
	t.Helper()
	r, err := s.Open(t.Context(), in, off, want)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func testRead(t *testing.T, prefix string, s Store) {
	data := Bytes(1, 1<<20+17)
	in := Put(t, s, prefix+"a/data.csv", data)
	if in.Path != prefix+"a/data.csv" || in.Size != int64(len(data)) || in.Version == "" || in.ModTime.IsZero() {
		t.Errorf("stat: %+v", in)
	}
	size := in.Size
	for _, off := range []int64{0, 1, 4095, 4096, 65536, size - 1, size} {
		for _, want := range []int64{0, 1, 65536, size, 1 << 40} {
			got, err := Read(t, s, in, off, want)
			if err != nil {
				t.Fatalf("off %d want %d: %v", off, want, err)
			}
			if !bytes.Equal(got, data[off:]) {
				t.Fatalf("off %d want %d: %d bytes, not the right ones", off, want, len(got))
			}
		}
	}
	for _, off := range []int64{-1, size + 1} {
		if _, err := Read(t, s, in, off, 1); !errors.Is(err, storage.ErrBadPath) {
			t.Errorf("off %d: %v", off, err)
		}
	}
	r, err := s.Open(t.Context(), in, 0, size)
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(r, data); err != nil {
		t.Error(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read at the end: %d, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	// Closed in mid-read.
	r, err = s.Open(t.Context(), in, 0, size)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		t.Error(err)
	}
	r.Close()
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("read after close: %d, %v", n, err)
	}
}

func testEmpty(t *testing.T, prefix string, s Store) {
	in := Put(t, s, prefix+"empty.csv", nil)
	if in.Size != 0 {
		t.Errorf("size %d", in.Size)
	}
	got, err := Read(t, s, in, 0, 100)
	if len(got) != 0 || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func testAbsent(t *testing.T, prefix string, s Store) {
	in := Put(t, s, prefix+"there.csv", []byte("1,2\n"))
	for _, path := range []string{"absent.csv", "no/such/folder.csv", "there.csv/below"} {
		_, err := s.Stat(t.Context(), prefix+path)
		if !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("stat %s: %v", path, err)
		}
		in.Path = prefix + path
		if _, err := Read(t, s, in, 0, 4); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("read %s: %v", path, err)
		}
	}
	var e *storage.Error
	if _, err := s.Stat(t.Context(), prefix+"absent.csv"); !errors.As(err, &e) || e.Op != "stat" || !strings.HasSuffix(e.Path, "absent.csv") {
		t.Errorf("not an Error that names the file: %v", err)
	}
}

func testPaths(t *testing.T, prefix string, s Store) {
	for _, path := range []string{"../x", "a/../../x", "a/../x", "./x", "a/./x", "..", strings.Repeat("x", 2000)} {
		if _, err := s.Stat(t.Context(), prefix+path); !errors.Is(err, storage.ErrBadPath) {
			t.Errorf("stat %q: %v", path, err)
		}
		if _, err := s.Create(t.Context(), prefix+path); !errors.Is(err, storage.ErrBadPath) {
			t.Errorf("create %q: %v", path, err)
		}
	}
}

func testFolder(t *testing.T, prefix string, s Store) {
	Put(t, s, prefix+"dir/x.csv", []byte("1\n"))
	for _, path := range []string{"dir/", ""} {
		if _, err := s.Stat(t.Context(), prefix+path); !errors.Is(err, storage.ErrIsDir) {
			t.Errorf("stat %q: %v", path, err)
		}
	}
	// Without the slash a bucket knows no folder.
	if _, err := s.Stat(t.Context(), prefix+"dir"); !errors.Is(err, storage.ErrIsDir) && !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("stat dir: %v", err)
	}
}

func testChanged(t *testing.T, prefix string, s Store) {
	path := prefix + "f.csv"
	old := Put(t, s, path, Bytes(1, 1000))
	for i, n := range []int{1000, 500, 2000} {
		now := Put(t, s, path, Bytes(uint64(10+i), n))
		if now.Version == old.Version {
			t.Errorf("size %d: same version %s", n, now.Version)
		}
		if got, err := Read(t, s, old, 0, 1000); !errors.Is(err, storage.ErrChanged) {
			t.Errorf("size %d: read of the old version: %d bytes, %v", n, len(got), err)
		}
		if got, err := Read(t, s, now, 0, 1000); err != nil || !bytes.Equal(got, Bytes(uint64(10+i), n)) {
			t.Errorf("size %d: read of the new version: %v", n, err)
		}
	}
}

func testList(t *testing.T, prefix string, s Store) {
	page, err := s.List(t.Context(), prefix, "", 10)
	if err != nil || len(page.Files) != 0 || page.Next != "" {
		t.Errorf("empty store: %+v, %v", page, err)
	}
	// In this order: a folder's name sorts with its slash.
	names := []string{"B.csv", "a.csv", "a/1.csv", "a/b/2.csv", "a/b0", "a0.csv", "dir/x y+z&#?.csv", "dir2/x", "é.csv"}
	for i, n := range names {
		Put(t, s, prefix+n, make([]byte, i))
	}
	for _, test := range []struct {
		prefix, after string
		want          []string
	}{
		{"", "", names},
		{"a", "", names[1:6]},
		{"a/", "", names[2:5]},
		{"a/b", "", names[3:5]},
		{"a/b/", "", names[3:4]},
		{"dir", "", names[6:8]},
		{"zzz", "", nil},
		{"no/such/", "", nil},
		{"", "a/1.csv", names[3:]},
		{"", "a/1", names[2:]},
		{"", "a/b", names[3:]},
		{"a/", "a/b/2.csv", names[4:5]},
		{"a/", "b", nil},
		{"dir", "A", names[6:8]},
	} {
		after := test.after
		if after != "" {
			after = prefix + after
		}
		var want []string
		for _, n := range test.want {
			want = append(want, prefix+n)
		}
		for limit := 1; limit <= len(names)+1; limit++ {
			if got := listAll(t, s, prefix+test.prefix, after, limit); !slices.Equal(got, want) {
				t.Errorf("prefix %q after %q limit %d:\ngot  %q\nwant %q", test.prefix, test.after, limit, got, want)
			}
		}
	}
	page, err = s.List(t.Context(), prefix+"dir2/", "", 10)
	if err != nil || len(page.Files) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	in, err := s.Stat(t.Context(), page.Files[0].Path)
	if err != nil || in.Size != page.Files[0].Size || in.Version != page.Files[0].Version || page.Files[0].ModTime.Unix() != in.ModTime.Unix() {
		t.Errorf("list says %+v, stat %+v, %v", page.Files[0], in, err)
	}
}

// listAll follows the pages.
func listAll(t *testing.T, s Store, prefix, after string, limit int) []string {
	t.Helper()
	var got []string
	for {
		page, err := s.List(t.Context(), prefix, after, limit)
		if err != nil {
			t.Fatalf("list %q after %q: %v", prefix, after, err)
		}
		if len(page.Files) > limit {
			t.Fatalf("%d files on a page of %d", len(page.Files), limit)
		}
		for _, f := range page.Files {
			got = append(got, f.Path)
		}
		if page.Next == "" {
			return got
		}
		if page.Next <= after {
			t.Fatalf("next %q does not follow %q", page.Next, after)
		}
		after = page.Next
	}
}

func testListPages(t *testing.T, prefix string, s Store) {
	var want []string
	for i := range 40 {
		path := fmt.Sprintf("%smany/%d/file%03d.csv", prefix, i%3, i)
		Put(t, s, path, nil)
		want = append(want, path)
	}
	slices.Sort(want)
	for _, limit := range []int{7, 39, 40, 41, 5000} {
		if got := listAll(t, s, prefix+"many/", "", limit); !slices.Equal(got, want) {
			t.Errorf("limit %d: %d files", limit, len(got))
		}
	}
}

func testCreate(t *testing.T, prefix string, s Store) {
	path := prefix + "new/file.csv"
	w, err := s.Create(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for range 3 {
		if _, err := w.Write([]byte("1,2\n")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Stat(t.Context(), path); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("half-written, but: %v", err)
	}
	if got := listAll(t, s, prefix, "", 10); len(got) != 0 {
		t.Errorf("half-written, but listed: %q", got)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Abort() // does nothing now
	in, err := s.Stat(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Read(t, s, in, 0, 100); string(got) != "1,2\n1,2\n1,2\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func testAbort(t *testing.T, prefix string, s Store) {
	path := prefix + "f.csv"
	old := Put(t, s, path, []byte("old"))
	w, err := s.Create(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 40<<20)); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if err := w.Close(); err == nil {
		t.Error("close after abort succeeded")
	}
	in, err := s.Stat(t.Context(), path)
	if err != nil || in != old {
		t.Errorf("got %+v, %v, want %+v", in, err, old)
	}
	if got := listAll(t, s, prefix, "", 10); !slices.Equal(got, []string{path}) {
		t.Errorf("left behind: %q", got)
	}
}

func testBig(t *testing.T, prefix string, s Store) {
	data := Bytes(3, 37<<20+5) // three parts, ten ranges
	in := Put(t, s, prefix+"big.csv", data)
	for _, r := range [][2]int64{{0, in.Size}, {9<<20 + 1, 8 << 20}, {in.Size - 5<<20, 1 << 20}} {
		got, err := Read(t, s, in, r[0], r[1])
		if err != nil || !bytes.Equal(got, data[r[0]:]) {
			t.Errorf("from %d want %d: %d bytes, %v", r[0], r[1], len(got), err)
		}
	}
	// More readers than the buffers are for, read in turn by one goroutine: they must not wait for each other.
	readers := make([]io.Reader, 20)
	for i := range readers {
		r, err := s.Open(t.Context(), in, int64(i), in.Size)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		readers[i] = r
	}
	buf := make([]byte, 200<<10)
	for block := range 3 {
		for i, r := range readers {
			if _, err := io.ReadFull(r, buf); err != nil || !bytes.Equal(buf, data[i+block*len(buf):][:len(buf)]) {
				t.Fatalf("reader %d block %d: %v", i, block, err)
			}
		}
	}
}

func testCancel(t *testing.T, prefix string, s Store) {
	in := Put(t, s, prefix+"f.csv", Bytes(4, 6<<20))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Open(ctx, in, 0, in.Size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
	if _, err := s.Stat(ctx, in.Path); !errors.Is(err, context.Canceled) {
		t.Errorf("stat: %v", err)
	}
	if _, err := s.List(ctx, prefix, "", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("list: %v", err)
	}
}

func testNames(t *testing.T, prefix string, s Store) {
	for _, name := range []string{"a b.csv", "a+b.csv", "a%20b.csv", "a%2Fb", "ü/ß.csv", "q?x=1#f", "a&b=c", "(1) 'x' \"y\" ~!$*,;:@"} {
		in := Put(t, s, prefix+name, []byte(name))
		got, err := Read(t, s, in, 0, 100)
		if err != nil || string(got) != name {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
}
