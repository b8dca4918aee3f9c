package storage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestManyObjects lists 50,000 objects page by page: right, and no page much dearer than another (which the log shows).
func TestManyObjects(t *testing.T) {
	if testing.Short() {
		t.Skip("50,000 objects")
	}
	srv := servers[0].start(t, false)
	for d := range 50 {
		dir := filepath.Join(srv.Dir, fmt.Sprintf("dir%02d", d))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			f, err := os.Create(filepath.Join(dir, fmt.Sprintf("file%03d.csv", i)))
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
	s := open(t, srv.Config())
	n, pages, after := 0, 0, ""
	var first, last, worst time.Duration
	for {
		begin := time.Now()
		page, err := s.List(t.Context(), "", after, 500)
		if err != nil {
			t.Fatal(err)
		}
		last = time.Since(begin)
		worst = max(worst, last)
		if pages == 0 {
			first = last
		}
		for _, f := range page.Files {
			if want := fmt.Sprintf("dir%02d/file%03d.csv", n/1000, n%1000); f.Path != want {
				t.Fatalf("got %s, want %s", f.Path, want)
			}
			n++
		}
		pages++
		if after = page.Next; after == "" {
			break
		}
	}
	if n != 50_000 || pages != 100 {
		t.Errorf("%d objects on %d pages", n, pages)
	}
	t.Logf("%d requests; first page %v, last %v, worst %v", s.Stats().Requests.Load(), first, last, worst)
}
