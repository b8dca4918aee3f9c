package coordinator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"colsum/coordinator/problem"
	"colsum/coordinator/raftnode"
	"colsum/coordinator/scheduler"
	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"
	"colsum/storage"
)

func TestWorkFromSubmitToDone(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.work(3, nil)
	files := map[string]string{
		"table.csv":  table(300, 40, 1),
		"empty.csv":  "",
		"header.csv": ",a,b\n",
		"crlf.csv":   strings.ReplaceAll(table(50, 20, 2), "\n", "\r\n"),
		"one.csv":    "1",
	}
	for name, text := range files {
		s.write(name, text)
		for _, chunk := range []int64{0, 1024, 65536} {
			opt := csvsum.Options{ChunkBytes: chunk}
			s.want(s.submit(name, opt), name, opt)
		}
	}
	s.until("the leader forgets the works", func() bool {
		r := s.reign.Load()
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.works) == 0 && r.sched.Stats() == scheduler.Stats{Workers: 1, Slots: 3, FreeSlots: 3}
	})
}

func TestManyWorksAtOnce(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.work(2, nil)
	s.work(2, nil)
	ids := make([]string, 60)
	var group sync.WaitGroup
	for i := range ids {
		name := fmt.Sprintf("f%d.csv", i)
		s.write(name, table(20, 12, uint64(i)))
		group.Go(func() {
			id, err := s.Submit(s.ctx, SubmitRequest{Path: name, Options: csvsum.Options{ChunkBytes: 512}})
			if err != nil {
				t.Error(err)
			}
			ids[i] = id
		})
	}
	group.Wait()
	for i, id := range ids {
		s.want(id, fmt.Sprintf("f%d.csv", i), csvsum.Options{})
	}
}

func TestSubmitRefusals(t *testing.T) {
	s := newStack(t, Config{MinChunk: 100, MaxActive: 1}).start()
	s.write("a.csv", "1,2\n")
	s.must(os.Mkdir(filepath.Join(s.data, "folder"), 0o700))
	for _, c := range []struct {
		req    SubmitRequest
		code   problem.Code
		detail string
	}{
		{SubmitRequest{}, problem.BadRequest, "filepath: required"},
		{SubmitRequest{Path: strings.Repeat("a", 5000)}, problem.BadRequest, "filepath: must be at most 4096 bytes, got 5000"},
		{SubmitRequest{Path: "absent.csv"}, problem.FileNotFound, "absent.csv"},
		{SubmitRequest{Path: "folder"}, problem.BadRequest, "is a directory"},
		{SubmitRequest{Path: "../a.csv"}, problem.BadRequest, "path not allowed"},
		{SubmitRequest{Path: "a.csv", Options: csvsum.Options{Delimiter: "ab"}}, problem.BadRequest, "delimiter"},
		{SubmitRequest{Path: "a.csv", Options: csvsum.Options{ChunkBytes: 99}}, problem.BadRequest, "chunk_bytes: must be at least 100, got 99"},
		{SubmitRequest{Path: "a.csv", Key: strings.Repeat("k", 256)}, problem.BadRequest, "Idempotency-Key: must be at most 255 bytes, got 256"},
	} {
		_, err := s.Submit(s.ctx, c.req)
		p := problem.From(err)
		if p == nil || p.Code != c.code || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("submit %.40q: got %v, want %s: %s", c.req.Path, err, c.code, c.detail)
		}
	}
	key := SubmitRequest{Path: "a.csv", Key: "k"}
	first, err := s.Submit(s.ctx, key)
	s.must(err)
	if again, err := s.Submit(s.ctx, key); err != nil || again != first {
		t.Errorf("same key: got %v %v, want %v", again, err, first)
	}
	key.Options.ChunkBytes = 1000
	if _, err := s.Submit(s.ctx, key); problem.From(err).Code != problem.KeyConflict {
		t.Errorf("same key, other request: %v", err)
	}
	if _, err := s.Submit(s.ctx, SubmitRequest{Path: "a.csv"}); problem.From(err).Code != problem.TooManyWorks {
		t.Errorf("second active work of one allowed: %v", err)
	}
	for _, id := range []string{"", "nonsense", strings.Repeat("x", 100)} {
		if err := s.Cancel(s.ctx, id); problem.From(err).Code != problem.UnknownWork {
			t.Errorf("cancel %q: %v", id, err)
		}
	}
	if _, err := s.Clean(s.ctx, -1); problem.From(err).Code != problem.BadRequest {
		t.Errorf("clean with negative age: %v", err)
	}
	s.stop()
	if _, err := s.Submit(s.ctx, SubmitRequest{Path: "a.csv"}); problem.From(err).Code != problem.NoLeader {
		t.Errorf("submit without leader: %v", err)
	}
}

func TestFilesThatCannotBeSummed(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.work(2, nil)
	for _, c := range []struct {
		name, text, code string
		opt              csvsum.Options
	}{
		{"utf16.csv", "\xff\xfe1\x00,\x002\x00", "unsupported_encoding", csvsum.Options{}},
		{"gz.csv", "\x1f\x8b\x08\x00\x00\x00\x00\x00", "compressed", csvsum.Options{}},
		{"open.csv", "1,\"2\n3,4\n", "unterminated_quote", csvsum.Options{}},
		{"column.csv", "a,b\n1,2\n", "unknown_column", csvsum.Options{Columns: csvsum.Columns{List: []csvsum.ColumnRef{{Name: "c"}}}}},
		{"invalid.csv", "1,x\n1,2\n", "invalid_cell", csvsum.Options{Header: "no", Invalid: "fail", Columns: csvsum.Columns{First: 2, Every: 1}}},
	} {
		s.write(c.name, c.text)
		doc := s.ends(s.submit(c.name, c.opt))
		if doc.Status != string(fsm.Failed) || doc.Error == nil || doc.Error.Code != c.code {
			t.Errorf("%s: status %s, error %+v, want %s", c.name, doc.Status, doc.Error, c.code)
		}
	}
}

// A storage that does not answer holds up the works that need it and no others.
func TestStorageAwayAtPlanning(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.work(2, nil)
	s.write("a.csv", table(20, 12, 1))
	var away atomic.Bool
	away.Store(true)
	s.files.onStat(func(path string) error {
		if strings.HasPrefix(path, "s3://") {
			if away.Load() {
				return &storage.Error{Op: "stat", Path: path, Err: storage.ErrUnavailable}
			}
			return &storage.Error{Op: "stat", Path: path, Err: storage.ErrNotFound}
		}
		return nil
	})
	var ids []string
	for i := range 3 * laneParallel {
		ids = append(ids, s.submit(fmt.Sprintf("s3://bucket/%d.csv", i), csvsum.Options{}))
	}
	s.want(s.submit("a.csv", csvsum.Options{}), "a.csv", csvsum.Options{})
	s.until("the outage shows", func() bool {
		doc, ok := s.Document(ids[0])
		return ok && doc.Progress.StorageUnreachableSince != nil && doc.Status == string(fsm.Queued)
	})
	away.Store(false)
	for _, id := range ids {
		if doc := s.ends(id); doc.Error == nil || doc.Error.Code != "file_not_found" {
			t.Errorf("work %s: %s %+v", id, doc.Status, doc.Error)
		}
	}
}

// gate lets the first opens of tasks pass and holds the others until it is opened.
func (s *stack) gate(pass int64) (held *atomic.Int64, open func()) {
	held = new(atomic.Int64)
	opened := make(chan struct{})
	var n atomic.Int64
	s.files.onOpen(func(ctx context.Context, in storage.Info, off int64) error {
		if n.Add(1) <= pass+1 { // the planner opens the file, too
			return nil
		}
		held.Add(1)
		select {
		case <-opened:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	open = sync.OnceFunc(func() { close(opened) })
	s.Cleanup(open)
	return held, open
}

func TestStorageAwayInMidWork(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(100, 12, 1))
	var n atomic.Int64
	var away atomic.Bool
	away.Store(true)
	s.files.onOpen(func(_ context.Context, in storage.Info, off int64) error {
		if n.Add(1) > 6 && away.Load() {
			return &storage.Error{Op: "read", Path: in.Path, Off: off, Err: storage.ErrUnavailable}
		}
		return nil
	})
	s.work(2, nil)
	opt := csvsum.Options{ChunkBytes: 1024}
	id := s.submit("a.csv", opt)
	s.until("the outage shows", func() bool {
		doc, _ := s.Document(id)
		return doc.Progress.StorageUnreachableSince != nil && doc.Status == string(fsm.Running)
	})
	away.Store(false)
	s.want(id, "a.csv", opt)
	if doc, _ := s.Document(id); doc.Progress.StorageUnreachableSince != nil {
		t.Errorf("a done work's storage is unreachable since %v", doc.Progress.StorageUnreachableSince)
	}
}

func TestFileChangesInMidWork(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(100, 12, 1))
	held, open := s.gate(5)
	s.work(2, nil)
	id := s.submit("a.csv", csvsum.Options{ChunkBytes: 1024})
	s.until("tasks are held", func() bool { return held.Load() > 0 })
	s.write("a.csv", table(100, 12, 2))
	open()
	if doc := s.ends(id); doc.Status != string(fsm.Failed) || doc.Error.Code != "file_changed" {
		t.Errorf("status %s, error %+v", doc.Status, doc.Error)
	}
	s.want(s.submit("a.csv", csvsum.Options{}), "a.csv", csvsum.Options{})
}

// A file that goes away for workers and leader ends its work at once; one that only workers do not see is waited for.
func TestFileGoesInMidWork(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(100, 12, 1))
	s.write("b.csv", table(100, 12, 1))
	var blind atomic.Bool
	blind.Store(true)
	elsewhere := &faulty{Store: s.files}
	elsewhere.onOpen(func(_ context.Context, in storage.Info, _ int64) error {
		if in.Path == "b.csv" && blind.Load() {
			return &storage.Error{Op: "open", Path: in.Path, Err: storage.ErrNotFound}
		}
		return nil
	})
	held, open := s.gate(7)
	s.work(2, elsewhere)
	a := s.submit("a.csv", csvsum.Options{ChunkBytes: 1024})
	s.until("tasks are held", func() bool { return held.Load() > 0 })
	s.must(os.Remove(filepath.Join(s.data, "a.csv")))
	open()
	if doc := s.ends(a); doc.Status != string(fsm.Failed) || doc.Error.Code != "file_not_found" {
		t.Errorf("status %s, error %+v", doc.Status, doc.Error)
	}
	b := s.submit("b.csv", csvsum.Options{ChunkBytes: 1024})
	s.until("the worker has looked for the file", func() bool {
		r := s.reign.Load()
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.sched.Unseen(rpc.WorkID(b))
	})
	blind.Store(false)
	s.work(1, elsewhere) // one that sees it
	s.want(b, "b.csv", csvsum.Options{})
}

// What the leader did not learn of its own proposals it finds in the state.
func TestStateIsReconciled(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(10, 12, 1))
	propose := func(cmd fsm.Command) {
		t.Helper()
		if _, err := s.node.Propose(s.ctx, cmd); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	propose(&fsm.Submit{ID: "unheard", Time: now, Path: "a.csv"})
	s.until("the work is planned", func() bool { return s.TaskCounts().Pending == 1 })
	propose(&fsm.Cancel{ID: "unheard", Time: now})
	s.until("the work is forgotten", func() bool {
		r := s.reign.Load()
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.works) == 0 && !r.sched.Has("unheard")
	})
}

func TestCancelInMidWork(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(100, 12, 1))
	s.write("b.csv", table(10, 12, 1))
	held, open := s.gate(5)
	s.work(2, nil)
	id := s.submit("a.csv", csvsum.Options{ChunkBytes: 1024})
	s.until("tasks are done and held", func() bool { return held.Load() > 0 && s.TaskCounts().Done > 0 })
	if n := s.TaskCounts(); n.Leased == 0 || n.Done == 0 || n.Pending == 0 {
		t.Errorf("counts in mid-work: %+v", n)
	}
	if w := s.Workers(); len(w) != 1 || w[0].Slots != 2 || len(w[0].Running) == 0 || w[0].Running[0].Length != 1024 {
		t.Errorf("workers in mid-work: %+v", w)
	}
	s.must(s.Cancel(s.ctx, id))
	s.must(s.Cancel(s.ctx, id))
	if doc := s.ends(id); doc.Status != string(fsm.Cancelled) {
		t.Errorf("status %s", doc.Status)
	}
	if n := s.TaskCounts(); n != (TaskCounts{}) {
		t.Errorf("counts after the cancel: %+v", n)
	}
	// The slots come free without the gate: their tasks are stopped.
	s.files.onOpen(nil)
	s.want(s.submit("b.csv", csvsum.Options{}), "b.csv", csvsum.Options{})
	open()
	if removed, err := s.Clean(s.ctx, 0); err != nil || removed != 2 {
		t.Errorf("clean: removed %d, %v", removed, err)
	}
}

func TestRestartInMidWork(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(200, 30, 1))
	s.write("b.csv", table(20, 12, 1))
	held, open := s.gate(20)
	s.work(2, nil)
	opt := csvsum.Options{ChunkBytes: 1024}
	a := s.submit("a.csv", opt)
	s.until("tasks are done and held", func() bool { return held.Load() > 0 && s.TaskCounts().Done > 0 })
	b := s.submit("b.csv", opt)
	before, _ := s.Document(a)
	s.stop()
	s.start()
	after, ok := s.Document(a)
	if !ok || after.Progress.TasksDone < before.Progress.TasksDone || before.Progress.TasksDone == 0 {
		t.Errorf("tasks done: %+v before the restart, %+v after", before.Progress, after.Progress)
	}
	s.until("leases are adopted", func() bool { return s.TaskCounts().Leased > 0 })
	open()
	s.want(a, "a.csv", opt)
	s.want(b, "b.csv", opt)
}

func TestPoisonedTask(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(100, 12, 1))
	s.write("b.csv", table(100, 12, 2))
	var planned atomic.Bool
	s.files.onOpen(func(_ context.Context, in storage.Info, off int64) error {
		if in.Path == "a.csv" && off > 2000 && off <= 3072 && planned.Load() {
			panic("a defect")
		}
		planned.Store(true)
		return nil
	})
	s.work(2, nil)
	opt := csvsum.Options{ChunkBytes: 1024}
	a, b := s.submit("a.csv", opt), s.submit("b.csv", opt)
	doc := s.ends(a)
	if doc.Status != string(fsm.Failed) || doc.Error.Code != "task_poisoned" || !strings.Contains(doc.Error.Message, "a defect") {
		t.Errorf("status %s, error %+v", doc.Status, doc.Error)
	}
	s.want(b, "b.csv", opt)
}

func TestResultsTooLargeForTheLog(t *testing.T) {
	s := newStack(t, Config{})
	s.raft = func(c *raftnode.Config) { c.MaxEntryBytes = 8 << 10 }
	s.start()
	s.write("narrow.csv", table(100, 40, 1))
	s.write("wide.csv", table(3, 2000, 1))
	opt := csvsum.Options{Columns: csvsum.Columns{Every: 1}, ChunkBytes: 1 << 10}
	var group sync.WaitGroup
	s.work(4, nil)
	group.Go(func() { s.want(s.submit("narrow.csv", opt), "narrow.csv", opt) }) // batches are split
	doc := s.ends(s.submit("wide.csv", csvsum.Options{Columns: csvsum.Columns{Every: 1}}))
	if doc.Status != string(fsm.Failed) || !strings.Contains(doc.Error.Message, raftnode.ErrTooLarge.Error()) {
		t.Errorf("status %s, error %+v", doc.Status, doc.Error)
	}
	group.Wait()
}

func TestEndedWorksAreForgotten(t *testing.T) {
	s := newStack(t, Config{KeepEnded: 3}).start()
	s.work(1, nil)
	s.write("a.csv", "1,2\n")
	var ids []string
	for range 8 {
		ids = append(ids, s.submit("a.csv", csvsum.Options{}))
		s.ends(ids[len(ids)-1])
	}
	s.reign.Load().purgeSurplus(s.ctx)
	for i, id := range ids {
		if _, ok := s.Document(id); ok != (i >= 5) {
			t.Errorf("work %d of 8 known: %v", i, ok)
		}
	}
}

func TestOldWorksAreForgotten(t *testing.T) {
	s := newStack(t, Config{KeepFor: time.Hour}).start()
	s.write("a.csv", "1,2\n")
	cancelled, open := s.submit("a.csv", csvsum.Options{}), s.submit("a.csv", csvsum.Options{})
	s.must(s.Cancel(s.ctx, cancelled))
	for _, tc := range []struct {
		after time.Duration
		known bool
	}{{59 * time.Minute, true}, {61 * time.Minute, false}} {
		s.reign.Load().purgeAged(s.ctx, time.Now().Add(tc.after))
		if _, ok := s.Document(cancelled); ok != tc.known {
			t.Errorf("%v after the work ended: known %v", tc.after, ok)
		}
		if _, ok := s.Document(open); !ok {
			t.Errorf("%v later: a work that has not ended is forgotten", tc.after)
		}
	}
}

func TestNodeAnnouncesItself(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.until("the node is announced", func() bool {
		n := s.State().Nodes()
		return len(n) == 1 && n[0].RPC == s.addr
	})
	if n, self, ok := s.Leader(); !ok || !self || n.RPC != s.addr {
		t.Errorf("leader %+v %v %v", n, self, ok)
	}
	s.must(s.ReadBarrier(s.ctx))
	s.stop()
	if err := s.ReadBarrier(s.ctx); !errors.As(err, new(*problem.Error)) {
		t.Errorf("read barrier of a stopped node: %v", err)
	}
}
