package coordinator

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"
)

func (s *stack) waiting() int {
	r := s.reign.Load()
	if r == nil {
		return 0 // leadership was lost for a moment
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiters)
}

type leased struct {
	*rpc.LeaseReply
	err error
}

// poll calls Lease on a goroutine and returns once the call waits.
func (s *stack) poll(ctx context.Context, k rpc.Worker, most int) <-chan leased {
	s.Helper()
	before := s.waiting()
	replies := make(chan leased, 1)
	go func() {
		reply, err := s.Lease(ctx, &rpc.LeaseRequest{Worker: k, Max: most, Wait: patience})
		replies <- leased{reply, err}
	}()
	s.until("the call waits", func() bool { return s.waiting() == before+1 })
	return replies
}

func TestLeaseWaitsForWorks(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(100, 12, 1))
	k, l := rpc.Worker{ID: "k", Slots: 2}, rpc.Worker{ID: "l", Slots: 2}

	ctx, cancel := context.WithCancel(t.Context())
	gone := s.poll(ctx, k, 2)
	cancel()
	if got := <-gone; !errors.Is(got.err, context.Canceled) {
		t.Errorf("a call whose caller has gone: %+v", got)
	}
	if n := s.waiting(); n != 0 {
		t.Errorf("%d calls wait, want none", n)
	}

	first, second := s.poll(t.Context(), k, 2), s.poll(t.Context(), l, 2)
	id := s.submit("a.csv", csvsum.Options{ChunkBytes: 1024})
	a, b := <-first, <-second
	if len(a.Tasks) != 2 || len(b.Tasks) != 2 || a.Tasks[0].Task != 0 || b.Tasks[0].Task != 2 {
		t.Fatalf("leased %+v and %+v", a, b)
	}
	if a.TTL != 5*time.Second || a.Heartbeat != time.Second || a.Tasks[1].Start != 1024 || a.Tasks[1].End != 2048 ||
		a.Tasks[1].Path != "a.csv" || a.Tasks[1].Version == "" || a.Tasks[1].Spec.Size == 0 {
		t.Errorf("reply %+v", a)
	}
	// No more tasks for these slots than asked for; none at all for a call that does not wait on a work that is not there.
	if reply, err := s.Lease(t.Context(), &rpc.LeaseRequest{Worker: k, Max: 1}); err != nil || len(reply.Tasks) != 1 {
		t.Errorf("fetching ahead: %+v, %v", reply, err)
	}
	s.must(s.Cancel(t.Context(), id))
	if reply, err := s.Lease(t.Context(), &rpc.LeaseRequest{Worker: k, Max: 1}); err != nil || len(reply.Tasks) != 0 {
		t.Errorf("after the cancel: %+v, %v", reply, err)
	}
	reply, err := s.Heartbeat(t.Context(), &rpc.HeartbeatRequest{Worker: k, Running: []rpc.Running{{TaskRef: a.Tasks[0].TaskRef}}})
	if err != nil || len(reply.Stop) != 1 {
		t.Errorf("heartbeat after the cancel: %+v, %v", reply, err)
	}
	if _, err := s.Lease(t.Context(), &rpc.LeaseRequest{Max: 1}); err == nil {
		t.Errorf("a worker without an id was leased tasks")
	}

	held := s.poll(t.Context(), k, 1)
	s.stop()
	if got := <-held; got.err != nil || got.NotLeader == nil {
		t.Errorf("a call that waited when the leadership ended: %+v", got)
	}
	if got, err := s.Complete(context.Background(), &rpc.CompleteRequest{Worker: k}); err != nil || got.NotLeader == nil {
		t.Errorf("complete without leadership: %+v, %v", got, err)
	}
	if got, err := s.Coordinator.Fail(context.Background(), &rpc.FailRequest{Worker: k}); err != nil || got.NotLeader == nil {
		t.Errorf("fail without leadership: %+v, %v", got, err)
	}
}

// One reply has room for only so many long column lists; the tasks that it has not are not lost.
func TestLeaseReplyIsBounded(t *testing.T) {
	s := newStack(t, Config{}).start()
	var list []csvsum.ColumnRef
	for i := range 60_000 {
		list = append(list, csvsum.ColumnRef{Number: i + 1})
	}
	s.write("a.csv", strings.Repeat("1,2\n", 20))
	s.submit("a.csv", csvsum.Options{ChunkBytes: 1, Columns: csvsum.Columns{List: list}})
	k := rpc.Worker{ID: "k", Slots: 256}
	seen := map[int64]bool{}
	for len(seen) < int(runAhead(len(list))) { // further on the scheduler does not go
		reply, err := s.Lease(t.Context(), &rpc.LeaseRequest{Worker: k, Max: 256, Wait: patience})
		s.must(err)
		if n := len(reply.Tasks); n == 0 || n > 10 {
			t.Fatalf("%d tasks in one reply, after %d", n, len(seen))
		}
		for _, task := range reply.Tasks {
			if seen[task.Task] {
				t.Fatalf("task %d leased twice", task.Task)
			}
			seen[task.Task] = true
		}
	}
}

// Results that cannot be of the work are refused, and so is the worker's word that a file changed once the lease is gone.
func TestBadResultsAndStaleFailures(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", "1,2\n3,4\n")
	id := s.submit("a.csv", csvsum.Options{})
	k := rpc.Worker{ID: "k", Slots: 1}
	reply, err := s.Lease(t.Context(), &rpc.LeaseRequest{Worker: k, Max: 1, Wait: patience})
	s.must(err)
	ref := reply.Tasks[0].TaskRef
	stale := ref
	stale.Token++
	_, err = s.Coordinator.Fail(t.Context(), &rpc.FailRequest{Worker: k, Failures: []rpc.Failure{{TaskRef: stale, Kind: rpc.Changed}}})
	s.must(err)
	bad := rpc.Completion{TaskRef: ref, Version: reply.Tasks[0].Version, Partial: &csvsum.Partial{Start: 0, End: 3}}
	unknown := bad
	unknown.Work = "nobody's"
	_, err = s.Complete(t.Context(), &rpc.CompleteRequest{Worker: k, Done: []rpc.Completion{unknown, {TaskRef: ref}, bad}})
	s.must(err)
	if doc, _ := s.Document(id); doc.Status != string(fsm.Running) || doc.Progress.TasksDone != 0 {
		t.Fatalf("after bad results: %+v", doc)
	}
	s.work(1, nil)
	s.want(id, "a.csv", csvsum.Options{})
}
