package coordinator

import (
	"context"
	"sync/atomic"
	"testing"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/storage"
)

func TestAFileThatIsThereIsPlannedWithinSubmit(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(200, 12, 1))
	id := s.submit("a.csv", csvsum.Options{ChunkBytes: 1000})
	a, ok := s.State().Active(id)
	if !ok || a.Status != fsm.Running || a.Chunk != 1000 || a.Tasks < 2 {
		t.Fatalf("after submit: %+v, want it running in chunks of 1000", a)
	}
	s.work(2, nil)
	s.want(id, "a.csv", csvsum.Options{})
}

// The answer to a repeated Submit is the first work, whose plan the second one does not touch.
func TestARepeatedSubmitPlansNothing(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(200, 12, 1))
	req := SubmitRequest{Path: "a.csv", Key: "k", Options: csvsum.Options{ChunkBytes: 1000}}
	first, err := s.Submit(s.ctx, req)
	s.must(err)
	a, _ := s.State().Active(first)
	again, err := s.Submit(s.ctx, req)
	s.must(err)
	b, _ := s.State().Active(first)
	if again != first || a == nil || b == nil || !a.Planned.Equal(b.Planned) {
		t.Errorf("first %s planned %+v, again %s %+v", first, a, again, b)
	}
	if c := s.State().Counts(); c.Running != 1 || c.Queued != 0 {
		t.Errorf("counts %+v, want one running work", c)
	}
	s.work(2, nil)
	s.want(first, "a.csv", csvsum.Options{})
}

// A head that does not come in time leaves the work to the planner, and for a while submits do not ask for theirs.
func TestASlowHeadDoesNotHoldUpSubmit(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(200, 12, 1))
	gate, opened := make(chan struct{}), atomic.Int64{}
	s.files.onOpen(func(ctx context.Context, _ storage.Info, _ int64) error {
		opened.Add(1)
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	first := s.submit("a.csv", csvsum.Options{})
	if w, _ := s.State().Summary(first); w.Status != fsm.Queued {
		t.Fatalf("status %s, want queued", w.Status)
	}
	s.until("the planner asks for the head", func() bool { return opened.Load() >= 2 })
	second := s.submit("a.csv", csvsum.Options{})
	s.until("the planner asks for the second head", func() bool { return opened.Load() >= 3 })
	r := s.reign.Load()
	r.mu.Lock()
	if r.tardy[laneOf("a.csv")].IsZero() {
		t.Error("the lane did not become tardy")
	}
	r.mu.Unlock()
	close(gate)
	s.work(2, nil)
	s.want(first, "a.csv", csvsum.Options{})
	s.want(second, "a.csv", csvsum.Options{})
}

// What Submit cannot plan fails as if the planner alone had seen it.
func TestAFileThatCannotBePlannedIsAccepted(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv.gz", "\x1f\x8b\x08\x00rest")
	doc := s.ends(s.submit("a.csv.gz", csvsum.Options{}))
	if doc.Status != string(fsm.Failed) || doc.Error == nil || doc.Error.Code != "compressed" {
		t.Errorf("status %s, error %+v, want compressed", doc.Status, doc.Error)
	}
}
