package coordinator

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"
	"colsum/storage"
)

// On another host the same path may hold another file, or a copy, which nobody can tell apart from another version. A
// worker there reads none of it and the tasks go elsewhere; when nobody has the pinned version any more, the work fails.
func TestAnotherHostsCopy(t *testing.T) {
	s := newStack(t, Config{Heartbeat: 100 * time.Millisecond, LeaseTTL: time.Second}).start()
	text := table(200, 12, 1)
	s.write("a.csv", text)
	host := t.TempDir()
	s.must(os.WriteFile(filepath.Join(host, "a.csv"), []byte(strings.ReplaceAll(text, "1", "2")), 0o600))
	copies, err := storage.New(storage.Config{Default: host, Logger: slog.New(slog.DiscardHandler)})
	s.must(err)

	opt := csvsum.Options{ChunkBytes: 1024}
	s.work(2, copies)
	id := s.submit("a.csv", opt)
	unseen := func() bool {
		r := s.reign.Load()
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.sched.Unseen(rpc.WorkID(id))
	}
	s.until("the worker with the copy has looked", unseen)
	stop := s.work(1, nil)
	s.want(id, "a.csv", opt)
	stop()

	id = s.submit("a.csv", opt)
	s.until("the worker with the copy has looked again", unseen)
	pin, err := s.files.Stat(s.ctx, "a.csv")
	s.must(err)
	s.must(os.Rename(filepath.Join(host, "a.csv"), filepath.Join(s.data, "a.csv")))
	now, err := s.files.Stat(s.ctx, "a.csv")
	s.must(err)
	s.work(1, nil) // looks as well: nobody is left
	doc := s.ends(id)
	if doc.Status != string(fsm.Failed) || doc.Error.Code != "file_changed" || doc.Digest != "" ||
		!strings.Contains(doc.Error.Message, pin.Version) || !strings.Contains(doc.Error.Message, now.Version) {
		t.Errorf("got %s, %+v; want file_changed with %s and %s", doc.Status, doc.Error, pin.Version, now.Version)
	}
}
