package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"colsum/rpc"
	"colsum/storage"
)

func TestSumsAFile(t *testing.T) {
	noLeaks(t)
	const rows = 1200
	data, want := numbers(rows)
	store, info := file(t, data)
	for _, chunk := range []int64{1000, 4099, 1 << 20} {
		t.Run(fmt.Sprintf("chunk=%d", chunk), func(t *testing.T) {
			c := newCluster(t, 1)
			c.schedule(info.Path, info.Version, data, chunk)
			w, stop := c.run(Config{Slots: 2}, store)
			c.until("the work to be done", c.finished)
			stop()
			c.checkSums(rows, want)
			if s := w.Status(); s.TasksDone < c.tasks || s.Running+s.Queued+s.Unsent != 0 || !s.Leaving {
				t.Errorf("status: got %+v, want %d tasks done and nothing left", s, c.tasks)
			}
		})
	}
}

func TestSumsThroughLostRepliesDuplicateLeasesAndChangesOfLeader(t *testing.T) {
	noLeaks(t)
	const rows = 1200
	data, want := numbers(rows)
	store, info := file(t, data)
	c := newCluster(t, 3)
	c.twice = true
	var calls, lost atomic.Int32
	c.onComplete = func(int, *rpc.CompleteRequest) error {
		if n := int(calls.Add(1)); n%5 == 0 {
			c.elect((n / 5) % 3)
		}
		return nil
	}
	c.afterTaken = func(int) error {
		if calls.Load()%4 == 0 {
			lost.Add(1)
			return errLost
		}
		return nil
	}
	c.schedule(info.Path, info.Version, data, 5000)
	_, stop1 := c.run(Config{Slots: 2, BatchBytes: 1}, store) // one result a call: many calls to go wrong
	_, stop2 := c.run(Config{Slots: 1, Prefetch: -1, BatchBytes: 1}, store)
	c.until("the work to be done", c.finished)
	stop1()
	stop2()
	c.checkSums(rows, want)
	if lost.Load() == 0 || calls.Load() < 15 {
		t.Errorf("got %d lost replies and %d calls: the faults did not happen", lost.Load(), calls.Load())
	}
	if got := c.outcome(); len(got.failures) != 0 {
		t.Errorf("failures: got %+v, want none", got.failures)
	}
}

// scripted is a store whose readers do what a test says, over data in memory.
type scripted struct {
	data []byte
	// open decides what happens to a task: an error of Open, one of Read, or one of Close. It may block and may panic.
	open func(ctx context.Context, off int64) (openErr, readErr, closeErr error)
}

func (s *scripted) Open(ctx context.Context, _ storage.Info, off, _ int64) (io.ReadCloser, error) {
	openErr, readErr, closeErr := s.open(ctx, off)
	if openErr != nil {
		return nil, openErr
	}
	return &scriptedReader{strings.NewReader(string(s.data[off:])), readErr, closeErr}, nil
}

type scriptedReader struct {
	io.Reader
	readErr, closeErr error
}

func (r *scriptedReader) Read(p []byte) (int, error) {
	if r.readErr != nil {
		return 0, r.readErr
	}
	return r.Reader.Read(p)
}

func (r *scriptedReader) Close() error { return r.closeErr }

func onS3(err error) error {
	return &storage.Error{Op: "read", Path: "s3://bucket/data.csv", Err: err}
}

func onDisk(err error) error {
	return &storage.Error{Op: "read", Path: "/data/data.csv", Err: err}
}

func TestFailuresSayWhoseFaultItIs(t *testing.T) {
	noLeaks(t)
	data, _ := numbers(10)
	for _, tc := range []struct {
		name string
		err  error
		kind rpc.FailureKind
		code string
	}{
		{"away", onS3(storage.ErrUnavailable), rpc.StorageAway, "storage_unavailable"},
		{"away in time", onS3(errors.Join(storage.ErrUnavailable, context.DeadlineExceeded)), rpc.StorageAway, "storage_unavailable"},
		{"absent in s3", onS3(storage.ErrNotFound), rpc.Gone, "file_not_found"},
		{"forbidden in s3", onS3(storage.ErrForbidden), rpc.Gone, "forbidden"},
		{"absent here", onDisk(storage.ErrNotFound), rpc.NotHere, "file_not_found"},
		{"forbidden here", onDisk(storage.ErrForbidden), rpc.NotHere, "forbidden"},
		{"absent somewhere", fmt.Errorf("open: %w", storage.ErrNotFound), rpc.NotHere, "file_not_found"},
		{"changed", onS3(storage.ErrChanged), rpc.Changed, "file_changed"},
		{"changed on disk", onDisk(storage.ErrChanged), rpc.Changed, "file_changed"},
		{"another version on disk from the start", &storage.Error{Op: "open", Path: "data.csv", Err: storage.ErrChanged}, rpc.NotHere, "file_changed"},
		{"store not set up", onS3(storage.ErrBadPath), rpc.NotHere, "path_not_allowed"},
		{"folder", onDisk(storage.ErrIsDir), rpc.NotHere, "is_directory"},
		{"refused", onS3(storage.ErrRefused), rpc.NotHere, "storage_refused"},
		{"cut short", io.ErrUnexpectedEOF, rpc.Broke, "internal"},
		{"anything else", errors.New("a defect"), rpc.Broke, "internal"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for where, s := range map[string]*scripted{
				"open":  {data, func(context.Context, int64) (_, _, _ error) { return tc.err, nil, nil }},
				"read":  {data, func(context.Context, int64) (_, _, _ error) { return nil, tc.err, nil }},
				"close": {data, func(context.Context, int64) (_, _, _ error) { return nil, nil, tc.err }},
			} {
				c := newCluster(t, 1)
				c.schedule("data.csv", "v1", data, int64(len(data)))
				_, stop := c.run(Config{Slots: 1}, s)
				c.until("the failure", func() bool { return len(c.failures) > 0 })
				stop()
				got := c.outcome()
				f := got.failures[0]
				if len(got.failures) != 1 || f.Kind != tc.kind || f.Code != tc.code || !strings.Contains(f.Message, tc.err.Error()) {
					t.Errorf("%s: got %+v, want kind %d, code %s", where, got.failures, tc.kind, tc.code)
				}
				if got.accepted != 0 {
					t.Errorf("%s: got %d results besides", where, got.accepted)
				}
			}
		})
	}
}

func TestPanicCostsItsTaskOnly(t *testing.T) {
	noLeaks(t)
	const rows = 400
	data, want := numbers(rows)
	c := newCluster(t, 1)
	c.schedule("data.csv", "v1", data, 20000)
	var broken atomic.Bool
	_, stop := c.run(Config{Slots: 1}, &scripted{data, func(_ context.Context, off int64) (_, _, _ error) {
		if off > 30000 && broken.CompareAndSwap(false, true) {
			panic("a defect of the store")
		}
		return nil, nil, nil
	}})
	c.until("the failure", func() bool { return len(c.failures) > 0 })
	f := c.outcome().failures[0]
	if f.Kind != rpc.Broke || f.Code != "worker_panic" || !strings.Contains(f.Message, "a defect of the store") {
		t.Errorf("got %+v, want a failure that tells of the panic", f)
	}
	c.again(f)
	c.until("the work to be done", c.finished)
	stop()
	c.checkSums(rows, want)
}

// gate is a store that holds every task until it is released or its context ends.
func gate(data []byte) (s *scripted, entered chan int64, release func()) {
	entered = make(chan int64, 1000)
	open := make(chan struct{})
	release = sync.OnceFunc(func() { close(open) })
	s = &scripted{data, func(ctx context.Context, off int64) (_, _, _ error) {
		entered <- off
		select {
		case <-open:
			return nil, nil, nil
		case <-ctx.Done():
			return ctx.Err(), nil, nil
		}
	}}
	return s, entered, release
}

func recv[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain: %s", what)
		panic("unreachable")
	}
}

func TestEndInMidTaskFinishesWhatRuns(t *testing.T) {
	noLeaks(t)
	const rows = 400
	data, want := numbers(rows)
	s, entered, release := gate(data)
	c := newCluster(t, 1)
	c.schedule("data.csv", "v1", data, 20000)
	_, stop := c.run(Config{Slots: 2, Prefetch: 3, Grace: patience}, s)
	recv(t, entered, "a task in the first slot")
	recv(t, entered, "a task in the second slot")
	c.until("the prefetched leases", func() bool { return c.leased == 5 })
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	c.until("the queued tasks to come back", func() bool { return len(c.failures) == 3 })
	c.until("a heartbeat that says so", func() bool {
		last := c.lastBeat()
		return last.Leaving && len(last.Running) == 2
	})
	release()
	recv(t, stopped, "Run to return")
	got := c.outcome()
	for _, f := range got.failures {
		if f.Kind != rpc.Returned {
			t.Errorf("got %+v, want a task handed back", f)
		}
	}
	if got.accepted != 2 || got.leases != 0 {
		t.Errorf("got %d results and %d leases left, want 2 and 0", got.accepted, got.leases)
	}
	if last := got.last; !last.Leaving || len(last.Running) != 0 {
		t.Errorf("last heartbeat: got %+v, want leaving with nothing at hand", last)
	}
	// Another worker does the rest, and the sum is whole.
	c.again(got.failures...)
	_, stop = c.run(Config{Slots: 1}, s)
	c.until("the work to be done", c.finished)
	stop()
	c.checkSums(rows, want)
}

func TestEndOfGraceHandsLeasesBack(t *testing.T) {
	noLeaks(t)
	data, _ := numbers(400)
	s, entered, _ := gate(data)
	c := newCluster(t, 1)
	c.schedule("data.csv", "v1", data, 20000)
	_, stop := c.run(Config{Slots: 2, Prefetch: -1, Grace: -1}, s)
	recv(t, entered, "a task in the first slot")
	recv(t, entered, "a task in the second slot")
	stop()
	got := c.outcome()
	if len(got.failures) != 2 || got.leases != 0 || got.accepted != 0 {
		t.Fatalf("got failures %+v, %d leases left, %d results, want 2, 0, 0", got.failures, got.leases, got.accepted)
	}
	for _, f := range got.failures {
		if f.Kind != rpc.Returned || f.Code != "worker_leaving" {
			t.Errorf("got %+v, want a task handed back", f)
		}
	}
}

func TestStopEndsATask(t *testing.T) {
	noLeaks(t)
	data, _ := numbers(400)
	s, entered, _ := gate(data)
	c := newCluster(t, 1)
	c.schedule("data.csv", "v1", data, 20000)
	w, stop := c.run(Config{Slots: 1, Prefetch: 1}, s)
	recv(t, entered, "the task")
	c.until("a heartbeat with both tasks", func() bool {
		return len(c.lastBeat().Running) == 2
	})
	c.mu.Lock()
	c.pending = nil
	for _, r := range c.lastBeat().Running {
		c.stop = append(c.stop, r.TaskRef)
	}
	c.wake()
	c.mu.Unlock()
	c.until("a heartbeat without them", func() bool { return len(c.beats) > 0 && len(c.lastBeat().Running) == 0 })
	late := time.After(patience)
	for w.Status().Running > 0 {
		select {
		case <-late:
			t.Fatal("the stopped task still runs")
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	if got := c.outcome(); len(got.failures) != 0 || got.accepted != 0 {
		t.Errorf("got failures %+v and %d results, want neither", got.failures, got.accepted)
	}
}

func TestUnsentResultsAreBoundedAndReported(t *testing.T) {
	noLeaks(t)
	const rows = 2000
	data, want := numbers(rows)
	store, info := file(t, data)
	c := newCluster(t, 2)
	var hold atomic.Bool
	hold.Store(true)
	c.onComplete = func(int, *rpc.CompleteRequest) error {
		if hold.Load() {
			return errLost
		}
		return nil
	}
	c.schedule(info.Path, info.Version, data, 1000)
	// A partial of two columns costs 576: the bound is reached with the fourth.
	w, stop := c.run(Config{Slots: 1, Prefetch: 2, MaxUnsent: 4 * 576}, store)
	c.until("heartbeats to list results and leases", func() bool {
		return len(c.lastBeat().Running) >= 4
	})
	// A new leader hears of all of them.
	c.elect(1)
	var beats int
	c.until("heartbeats at the new leader", func() bool {
		beats = 0
		for i, at := range c.beatAt {
			if at == 1 && len(c.beats[i].Running) >= 4 {
				beats++
			}
		}
		return beats >= 3
	})
	if s := w.Status(); s.Unsent != 4 || s.Running != 0 || s.TasksDone != 0 {
		t.Errorf("status: got %+v, want 4 unsent results and an idle slot", s)
	}
	c.mu.Lock()
	leased := c.leased
	c.mu.Unlock()
	if leased > 4+2+1 {
		t.Errorf("leased: got %d tasks while none could be handed in, want at most 7", leased)
	}
	hold.Store(false)
	c.until("the work to be done", c.finished)
	stop()
	c.checkSums(rows, want)
}

func TestRefusedResultBecomesAFailure(t *testing.T) {
	noLeaks(t)
	data, _ := numbers(400)
	store, info := file(t, data)
	c := newCluster(t, 1)
	c.onComplete = func(_ int, r *rpc.CompleteRequest) error {
		for _, d := range r.Done {
			if d.Task == 2 {
				panic("a defect that one result brings out")
			}
		}
		return nil
	}
	c.schedule(info.Path, info.Version, data, 20000)
	_, stop := c.run(Config{Slots: 2}, store)
	c.until("all others and the failure", func() bool { return int64(c.accepted) == c.tasks-1 && len(c.failures) == 1 })
	stop()
	if f := c.outcome().failures[0]; f.Task != 2 || f.Kind != rpc.Broke || f.Code != "result_refused" || !strings.Contains(f.Message, "panicked") {
		t.Errorf("got %+v, want task 2 refused", f)
	}
}

func TestLeasesKeepSlotsFed(t *testing.T) {
	noLeaks(t)
	data, _ := numbers(400)
	s, entered, release := gate(data)
	c := newCluster(t, 1)
	c.schedule("data.csv", "v1", data, 5000)
	_, stop := c.run(Config{Slots: 3, Prefetch: 4}, s)
	for range 3 {
		recv(t, entered, "a task in each slot")
	}
	c.until("the leases", func() bool { return c.leased == 7 })
	c.until("the size of the first lease", func() bool { return c.asked[0] == 7 })
	release()
	c.until("the work to be done", c.finished)
	stop()
}

func TestWrongClusterEndsTheWorker(t *testing.T) {
	noLeaks(t)
	c := newCluster(t, 1)
	client, err := rpc.NewClient(rpc.ClientConfig{Coordinators: []string{c.nodes[0].addr}, ClusterID: "other", Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w, err := New(Config{Logger: silent}, client, &scripted{})
	if err != nil {
		t.Fatal(err)
	}
	var wrong *rpc.HandshakeError
	if err := w.Run(context.Background()); !errors.As(err, &wrong) || wrong.Reason != rpc.BadCluster {
		t.Errorf("got %v, want a HandshakeError about the cluster id", err)
	}
}

func TestEndsWithoutACluster(t *testing.T) {
	noLeaks(t)
	c := newCluster(t, 1)
	c.elect(-1) // an election that never ends
	_, stop := c.run(Config{}, &scripted{})
	stop()
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for want, cfg := range map[string]Config{
		"slots: must be":       {Slots: -1},
		"prefetch: must be":    {Prefetch: -2},
		"wait: must be":        {Wait: time.Hour},
		"heartbeat: must be":   {Heartbeat: time.Nanosecond},
		"grace: must be":       {Grace: -2},
		"batch_bytes: must be": {BatchBytes: 64 << 20},
		"max_unsent: must be":  {MaxUnsent: -1},
		"id length: must be":   {ID: rpc.WorkerID(strings.Repeat("x", 200))},
	} {
		if _, err := New(cfg, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	a, _ := New(Config{}, nil, nil)
	b, _ := New(Config{}, nil, nil)
	if a.ID() == b.ID() || a.ID() == "" {
		t.Errorf("ids: got %q twice", a.ID())
	}
}
