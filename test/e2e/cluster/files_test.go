package cluster_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"colsum/storage/storagetest"
)

// list pages through list_files and returns all paths.
func (c *cluster) list(prefix string, limit int) (paths []string, slowest time.Duration) {
	c.t.Helper()
	after := ""
	for page := 0; ; page++ {
		var body struct {
			Files []struct {
				Path string
				Size int64
				Time int64
			}
			Next *string
		}
		q := url.Values{"limit": {fmt.Sprint(limit)}, "prefix": {prefix}, "after": {after}}
		begin := time.Now()
		if ok, text := c.call(page, "GET", "/api/list_files?"+q.Encode(), nil, &body); !ok {
			c.t.Fatal(text)
		}
		slowest = max(slowest, time.Since(begin))
		for _, f := range body.Files {
			paths = append(paths, f.Path)
		}
		if body.Next == nil {
			return paths, slowest
		}
		if len(body.Files) != limit {
			c.t.Fatalf("page %d has %d files and is not the last", page, len(body.Files))
		}
		after = *body.Next
	}
}

// list_files shows the default store, and with a prefix of another store that one; what it shows can be summed. Files in
// the making are not shown.
func TestListFiles(t *testing.T) {
	w := openWay(t)
	w.put(t, "dir/a.csv", 10, 1)
	w.put(t, "dir/b.csv", 10, 2)
	root := t.TempDir()
	c := startCluster(t, 1, 1, append(w.flags(), "--file-root="+root)...)
	for _, name := range []string{c.data + "/x/c.csv", c.data + "/d.csv", root + "/e.csv"} {
		generate(t, name, 10, 3)
	}
	// As generate writes a file, and a person a hidden one.
	for _, name := range []string{"/x/.c.csv.ABCDEFGH.tmp", "/.hidden.csv", "/.dir/f.csv"} {
		if err := os.MkdirAll(filepath.Dir(c.data+name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.data+name, []byte("1,2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		prefix string
		want   []string
	}{
		{"", []string{"d.csv", "x/c.csv"}},
		{"x/", []string{"x/c.csv"}},
		{"s3://test/", []string{"s3://test/dir/a.csv", "s3://test/dir/b.csv"}},
		{"s3://test/dir/b", []string{"s3://test/dir/b.csv"}},
		{"file://" + root + "/", []string{"file://" + root + "/e.csv"}},
		{"file://" + c.data + "/", []string{"file://" + c.data + "/d.csv", "file://" + c.data + "/x/c.csv"}},
	} {
		for _, limit := range []int{1, 1000} {
			got, _ := c.list(tt.prefix, limit)
			if !slices.Equal(got, tt.want) {
				t.Errorf("prefix %q, %d a page: got %q, want %q", tt.prefix, limit, got, tt.want)
			}
		}
		for _, path := range tt.want {
			if d := c.ends(c.submit(path, 1<<20)); d.Status != "done" {
				t.Errorf("%s: %s, %+v", path, d.Status, d.Error)
			}
		}
	}
	for prefix, word := range map[string]string{
		"s3://test": "s3://bucket/key", "s3://no-such-bucket/": "no-such-bucket", "file:///": "allowed folder", "ftp://x/": "ftp",
	} {
		ok, text := c.call(0, "GET", "/api/list_files?prefix="+url.QueryEscape(prefix), nil, nil)
		if ok || !strings.Contains(text, word) || strings.Contains(text, "internal") {
			t.Errorf("prefix %s: %v, %s", prefix, ok, text)
		}
	}

	// A bucket as the default store.
	s3 := startCluster(t, 1, 1, append(w.flags(), "--data=s3://test")...)
	if got, _ := s3.list("", 1000); !slices.Equal(got, []string{"dir/a.csv", "dir/b.csv"}) {
		t.Errorf("bucket as the default store: %q", got)
	}
	s3.done(s3.submit("dir/a.csv", 1<<10), sum(t, filepath.Join(w.server.Dir, "dir/a.csv")).Digest)
}

// 50,000 objects are listed in 50 pages over REST, in order, each once.
func TestListManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("50,000 objects")
	}
	w := openWay(t)
	for d := range 50 {
		dir := filepath.Join(w.server.Dir, fmt.Sprintf("dir%02d", d))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%03d.csv", i)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := startCluster(t, 3, 1, w.flags()...)
	begin := time.Now()
	paths, slowest := c.list("s3://"+storagetest.Bucket+"/", 1000)
	t.Logf("%d files in %v, the slowest page took %v", len(paths), time.Since(begin), slowest)
	if len(paths) != 50_000 {
		t.Fatalf("%d files", len(paths))
	}
	for n, path := range paths {
		if want := fmt.Sprintf("s3://test/dir%02d/file%03d.csv", n/1000, n%1000); path != want {
			t.Fatalf("got %s, want %s", path, want)
		}
	}
	if d := c.ends(c.submit(paths[49_999], 1<<20)); d.Status != "done" || d.Rows != 0 {
		t.Errorf("the last one, an empty file: %s, %d rows, %+v", d.Status, d.Rows, d.Error)
	}
}
