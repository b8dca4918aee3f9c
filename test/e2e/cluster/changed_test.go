package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"colsum/csvsum"
	"colsum/storage/storagetest"
)

// An object is replaced in mid-work, by one of the same size: the work fails and names both versions.
func TestObjectReplacedInMidWork(t *testing.T) {
	w := openWay(t)
	w.put(t, "a.csv", 10_000, 1)
	pinned := w.version(t, "a.csv")
	c := startCluster(t, 1, 2, w.flags()...)
	g := w.hold(10)
	id := c.submit("s3://test/a.csv", 64<<10)
	<-g.held
	c.until("partly summed", id, func(d *csvsum.Document) bool { return d.Progress.TasksDone > 0 })
	name := filepath.Join(w.server.Dir, "a.csv")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	storagetest.Put(t, w.direct, "a.csv", []byte(strings.ReplaceAll(string(text), "1", "2")))
	found := w.version(t, "a.csv")
	g.open()
	message := c.failed(id, "file_changed")
	if found == pinned || !strings.Contains(message, pinned) || !strings.Contains(message, found) {
		t.Errorf("message %q does not name both %s and %s", message, pinned, found)
	}
	// Asked again it is summed as it is now.
	c.done(c.submit("s3://test/a.csv", 64<<10), sum(t, name).Digest)
}

// An object is deleted in mid-work.
func TestObjectDeletedInMidWork(t *testing.T) {
	w := openWay(t)
	w.put(t, "a.csv", 10_000, 1)
	c := startCluster(t, 1, 2, w.flags()...)
	g := w.hold(10)
	id := c.submit("s3://test/a.csv", 64<<10)
	<-g.held
	c.until("partly summed", id, func(d *csvsum.Document) bool { return d.Progress.TasksDone > 0 })
	if err := os.Remove(filepath.Join(w.server.Dir, "a.csv")); err != nil {
		t.Fatal(err)
	}
	g.open()
	if message := c.failed(id, "file_not_found"); !strings.Contains(message, "s3://test/a.csv") {
		t.Errorf("message %q does not name the object", message)
	}
}

// A local file is changed in every way, in mid-work. The workers are stopped meanwhile, so that it is in mid-work.
func TestLocalFileChangedInMidWork(t *testing.T) {
	c := startCluster(t, 1, 0)
	name := filepath.Join(c.data, "a.csv")
	workers := []*process{c.worker("w0", c.data), c.worker("w1", c.data)}
	for i, tt := range []struct {
		name   string
		change func() error
		code   string
	}{
		{"replaced by one of the same size", func() error {
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if err := os.WriteFile(name+".new", []byte(strings.ReplaceAll(string(text), "1", "2")), 0o600); err != nil {
				return err
			}
			return os.Rename(name+".new", name)
		}, "file_changed"},
		{"replaced by a copy", func() error {
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if err := os.WriteFile(name+".new", text, 0o600); err != nil {
				return err
			}
			return os.Rename(name+".new", name)
		}, "file_changed"},
		{"truncated", func() error { return os.Truncate(name, 10<<20) }, "file_changed"},
		{"grown", func() error {
			f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("1,2,3,4,5,6,7,8,9,10\n")
			f.Close()
			return err
		}, "file_changed"},
		{"overwritten in place", func() error {
			f, err := os.OpenFile(name, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte("9"), 15<<20)
			f.Close()
			return err
		}, "file_changed"},
		{"touched", func() error { return os.Chtimes(name, time.Time{}, time.Now()) }, "file_changed"},
		{"deleted", func() error { return os.Remove(name) }, "file_not_found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			generate(t, name, 80_000, i) // 34 MB in 8,000 tasks: more than get done before the workers stop
			id := c.submit("a.csv", 4<<10)
			c.until("partly summed", id, func(d *csvsum.Document) bool { return d.Progress.TasksDone > 0 })
			for _, p := range workers {
				c.signal(p, syscall.SIGSTOP)
			}
			d, text := c.result(id)
			if err := tt.change(); err != nil {
				t.Fatal(err)
			}
			for _, p := range workers {
				c.signal(p, syscall.SIGCONT)
			}
			if d.Status != "running" {
				t.Fatalf("not in mid-work: %s", text)
			}
			message := c.failed(id, tt.code)
			if !strings.Contains(message, "a.csv") || tt.code == "file_changed" && !strings.Contains(message, d.File.Version) {
				t.Errorf("message %q does not name the file and version %s", message, d.File.Version)
			}
		})
	}
}

// One worker does not have the folder's file, another has a copy of it, a third has the file itself: the work is done by
// the third, and the others are found out.
func TestFileOfOneHost(t *testing.T) {
	c := startCluster(t, 1, 0)
	name := filepath.Join(c.data, "a.csv")
	generate(t, name, 10_000, 1)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "a.csv"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	id := c.submit("a.csv", 64<<10)
	for i, p := range []*process{c.worker("without", t.TempDir()), c.worker("copy", elsewhere)} {
		word := []string{"file_not_found", "file_changed"}[i]
		c.eventually("tried: "+word, func() (bool, string) {
			return strings.Contains(string(p.logged()), word), fmt.Sprintf("%d bytes of log", len(p.logged()))
		})
	}
	if d, text := c.result(id); d.Status != "running" || d.Progress.TasksDone != 0 {
		t.Fatalf("before a worker with the file is there: %s", text)
	}
	c.worker("with", c.data)
	c.done(id, sum(t, name).Digest)
}
