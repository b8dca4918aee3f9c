package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"
)

// bench is a scheduler with a clock to turn.
type bench struct {
	*testing.T
	s   *Scheduler
	now time.Time
}

func newBench(t *testing.T) *bench {
	return &bench{T: t, s: New(Config{FirstToken: 100}), now: time.Unix(1e9, 0)}
}

func (b *bench) add(id string, tasks int64) {
	b.s.AddWork(b.now, WorkInfo{ID: rpc.WorkID(id), Tasks: tasks, Size: tasks * 10, Chunk: 10})
}

func who(id string, slots int) rpc.Worker {
	return rpc.Worker{ID: rpc.WorkerID(id), Host: "host-" + id, Slots: slots}
}

// lease asks for tasks and returns them as "work/task", "+" appended to backups.
func (b *bench) lease(k rpc.Worker, most int) ([]Grant, []string) {
	b.Helper()
	grants := b.s.Lease(b.now, k, most)
	names := []string{}
	for _, g := range grants {
		n := fmt.Sprintf("%s/%d", g.Work, g.Task)
		if g.Backup {
			n += "+"
		}
		names = append(names, n)
	}
	b.check()
	return grants, names
}

func (b *bench) want(k rpc.Worker, most int, want ...string) []Grant {
	b.Helper()
	grants, got := b.lease(k, most)
	if !slices.Equal(got, want) {
		b.Fatalf("lease for %s: got %v, want %v", k.ID, got, want)
	}
	return grants
}

func (b *bench) check() {
	b.Helper()
	if err := b.s.check(b.now); err != nil {
		b.Fatal(err)
	}
}

// pass lets time go by in steps of a heartbeat; beating workers go on with what they were leased.
func (b *bench) pass(d time.Duration, beating ...rpc.Worker) {
	b.Helper()
	for end := b.now.Add(d); b.now.Before(end); {
		b.now = b.now.Add(min(time.Second, end.Sub(b.now)))
		for _, k := range beating {
			if w := b.s.workers[k.ID]; w != nil {
				var running []rpc.Running
				for _, l := range w.leases {
					running = append(running, rpc.Running{TaskRef: l.ref()})
				}
				b.s.Heartbeat(b.now, k, running, false)
			}
		}
		b.s.Expire(b.now)
		b.check()
	}
}

func (b *bench) done(k rpc.Worker, grants ...Grant) {
	b.Helper()
	for _, g := range grants {
		b.s.Complete(b.now, k, g.TaskRef, fsm.CompletionResult{}, nil)
	}
	b.check()
}

func (b *bench) fail(k rpc.Worker, kind rpc.FailureKind, grants ...Grant) {
	b.Helper()
	for _, g := range grants {
		if !b.s.Fail(b.now, k, g.TaskRef, kind, "said so") {
			b.Fatalf("task %d: lease not held", g.Task)
		}
	}
	b.check()
}

func TestWorksShareSlots(t *testing.T) {
	b := newBench(t)
	b.add("a", 100)
	b.add("b", 100)
	b.add("c", 2)
	b.want(who("k", 8), 8, "a/0", "b/0", "c/0", "a/1", "b/1", "c/1", "a/2", "b/2")
	// A newcomer gets what the others have more of.
	b.add("d", 100)
	b.want(who("l", 4), 4, "d/0", "d/1", "d/2", "a/3")
}

func TestFetchingAheadLeavesTasksToIdleSlots(t *testing.T) {
	b := newBench(t)
	k, l := who("k", 2), who("l", 2)
	b.s.Touch(b.now, l)
	b.add("a", 8)
	b.want(k, 4, "a/0", "a/1", "a/2", "a/3") // enough for all: two are fetched ahead, until four are left
	b.want(k, 4, "a/4")
	b.want(k, 4)
	b.want(l, 4, "a/5", "a/6")
}

func TestRerunsGoFirstWithTheirState(t *testing.T) {
	b := newBench(t)
	k := who("k", 10)
	b.s.AddWork(b.now, WorkInfo{
		ID: "a", Tasks: 10, Size: 100, Chunk: 10, Frontier: 2, Done: []int64{4, 5},
		Reruns: map[int64]csvsum.State{3: csvsum.Quoted, 7: csvsum.Unquoted},
	})
	g := b.want(k, 4, "a/3", "a/7", "a/2", "a/6")
	if g[0].State != csvsum.Quoted || g[1].State != csvsum.Unquoted || g[2].State != csvsum.Unknown {
		t.Errorf("states %d %d %d", g[0].State, g[1].State, g[2].State)
	}
	// Task 2 ends in a state that task 4 did not assume, and task 3 knew better by then.
	b.s.Complete(b.now, k, g[2].TaskRef, fsm.CompletionResult{Dropped: []int64{4}}, map[int64]csvsum.State{4: csvsum.Quoted})
	b.s.Complete(b.now, k, g[3].TaskRef, fsm.CompletionResult{Verdict: csvsum.WrongState}, map[int64]csvsum.State{6: csvsum.Comment})
	g = b.want(k, 3, "a/4", "a/6", "a/8")
	if g[0].State != csvsum.Quoted || g[1].State != csvsum.Comment {
		t.Errorf("states %d %d", g[0].State, g[1].State)
	}
}

// The partial of the first task shows that those which wait right behind it rest on a wrong state: they are next, and not
// taken for folded.
func TestDroppedBehindTheFrontierRunAgain(t *testing.T) {
	b := newBench(t)
	k := who("k", 3)
	b.add("a", 3)
	g := b.want(k, 3, "a/0", "a/1", "a/2")
	b.done(k, g[1], g[2])
	b.s.Complete(b.now, k, g[0].TaskRef, fsm.CompletionResult{Dropped: []int64{1}}, map[int64]csvsum.State{1: csvsum.Quoted})
	if ids := b.s.Finished(); len(ids) > 0 {
		t.Errorf("works %v count as finished, a task of theirs was dropped", ids)
	}
	if g = b.want(k, 3, "a/1"); g[0].State != csvsum.Quoted {
		t.Errorf("state %d", g[0].State)
	}
	b.done(k, g...)
	if ids := b.s.Finished(); len(ids) != 1 {
		t.Errorf("works %v count as finished, want a", ids)
	}
}

func TestWindowBoundsRunAhead(t *testing.T) {
	b := newBench(t)
	k := who("k", 10)
	b.s.AddWork(b.now, WorkInfo{ID: "a", Tasks: 10, Size: 100, Chunk: 10, Window: 3})
	g := b.want(k, 9, "a/0", "a/1", "a/2")
	b.done(k, g[1], g[2])
	b.want(k, 9) // task 0 holds the frontier
	b.done(k, g[0])
	b.want(k, 9, "a/3", "a/4", "a/5")
	b.s.SetWindow(b.now, "a", 5)
	b.want(k, 9, "a/6", "a/7")
}

func TestDeadWorkersTasksGoElsewhere(t *testing.T) {
	b := newBench(t)
	k, l := who("k", 2), who("l", 2)
	b.add("a", 3)
	b.want(k, 2, "a/0", "a/1")
	b.want(l, 1, "a/2")
	b.pass(4900*time.Millisecond, l)
	b.want(l, 1) // k may live
	b.pass(200*time.Millisecond, l)
	if st := b.s.Stats(); st.Workers != 1 || st.Pending != 2 || st.Slots != 2 {
		t.Fatalf("after the TTL: %+v", st)
	}
	b.want(l, 1, "a/0")
}

func TestLateExpireForgivesWorkers(t *testing.T) {
	b := newBench(t)
	k := who("k", 2)
	b.add("a", 2)
	b.want(k, 2, "a/0", "a/1")
	b.pass(time.Second, k)
	b.now = b.now.Add(time.Minute) // this process stood still
	b.s.Expire(b.now)
	if st := b.s.Stats(); st.Leased != 2 {
		t.Fatalf("leases were taken away: %+v", st)
	}
	b.pass(6 * time.Second) // now it is the worker
	if st := b.s.Stats(); st.Leased != 0 || st.Workers != 0 {
		t.Fatalf("leases live on: %+v", st)
	}
}

func TestUnnamedLeaseRunsOut(t *testing.T) {
	b := newBench(t)
	k := who("k", 1)
	b.add("a", 1)
	for range 5 { // a reply that never arrives is nobody's fault, however often
		b.want(k, 1, "a/0")
		for range 6 {
			b.now = b.now.Add(time.Second)
			b.s.Heartbeat(b.now, k, nil, false)
			b.s.Expire(b.now)
		}
	}
	if d := b.s.TakeDoomed(); d != nil {
		t.Errorf("doomed: %+v", d)
	}
}

func TestNewLeaderAdopts(t *testing.T) {
	b := newBench(t)
	k, l := who("k", 2), who("l", 4)
	b.s.AddWork(b.now, WorkInfo{ID: "a", Tasks: 5, Size: 50, Chunk: 10, Frontier: 1, Inherited: true})
	b.add("fresh", 1)
	b.want(l, 5, "fresh/0") // the others wait for who runs them
	running := []rpc.Running{
		{TaskRef: rpc.TaskRef{Work: "a", Task: 0, Token: 1}}, // done
		{TaskRef: rpc.TaskRef{Work: "a", Task: 2, Token: 2}},
		{TaskRef: rpc.TaskRef{Work: "gone", Task: 2, Token: 3}},
		{TaskRef: rpc.TaskRef{Work: "a", Task: 5, Token: 4}}, // no such task
	}
	stop := b.s.Heartbeat(b.now, k, running, false)
	if len(stop) != 3 || stop[0].Token != 1 || stop[1].Token != 3 || stop[2].Token != 4 {
		t.Errorf("stop %+v", stop)
	}
	// Another claims the same task: the first keeps it.
	if stop = b.s.Heartbeat(b.now, l, running[1:2], false); len(stop) != 1 {
		t.Errorf("stop %+v", stop)
	}
	b.pass(1900*time.Millisecond, k, l)
	b.want(k, 1)
	b.pass(100*time.Millisecond, k, l)
	b.want(l, 5, "a/1", "a/3", "a/4")
	b.s.Complete(b.now, k, running[1].TaskRef, fsm.CompletionResult{}, nil)
	b.check()
	if st := b.s.Stats(); st.Pending != 0 || st.Leased != 4 {
		t.Errorf("%+v", st)
	}
}

func TestCompletionUnderAStaleTokenCounts(t *testing.T) {
	b := newBench(t)
	k, l := who("k", 1), who("l", 1)
	b.add("a", 2)
	old := b.want(k, 1, "a/0")
	b.pass(6*time.Second, l)
	now := b.want(l, 1, "a/0")
	b.done(k, old...)
	if stop := b.s.Heartbeat(b.now, l, []rpc.Running{{TaskRef: now[0].TaskRef}}, false); len(stop) != 1 {
		t.Errorf("the second runner was not stopped")
	}
	if b.s.Fail(b.now, l, now[0].TaskRef, rpc.Returned, "") {
		t.Errorf("a lease of a done task is held")
	}
	b.want(l, 1, "a/1")
}

func TestLeavingWorkerGetsNothing(t *testing.T) {
	b := newBench(t)
	k := who("k", 1)
	b.add("a", 2)
	b.s.Heartbeat(b.now, k, nil, true)
	b.want(k, 1)
	if st := b.s.Stats(); st.Slots != 0 || st.Workers != 1 {
		t.Errorf("%+v", st)
	}
}

func TestPoisonedTaskFailsItsWork(t *testing.T) {
	b := newBench(t)
	k := who("k", 1)
	b.add("a", 3)
	b.done(k, b.want(k, 1, "a/0")...)
	b.fail(k, rpc.Broke, b.want(k, 1, "a/1")...)
	b.fail(k, rpc.Broke, b.want(k, 1, "a/1")...)
	other := b.want(k, 1, "a/2") // the last attempt waits a little
	b.pass(retryDelay, k)
	g := b.want(k, 1, "a/1")
	b.fail(k, rpc.Broke, g...)
	d := b.s.TakeDoomed()
	if len(d) != 1 || d[0].Work != "a" || d[0].Error.Code != "task_poisoned" || *d[0].Error.Byte != 10 {
		t.Fatalf("doomed %+v", d)
	}
	for _, part := range []string{"bytes 10 to 20", "worker k on host-k said so", "3 attempts"} {
		if !strings.Contains(d[0].Error.Message, part) {
			t.Errorf("message %q lacks %q", d[0].Error.Message, part)
		}
	}
	if stop := b.s.Heartbeat(b.now, k, []rpc.Running{{TaskRef: other[0].TaskRef}}, false); len(stop) != 1 {
		t.Errorf("a doomed work goes on")
	}
	b.want(k, 1)
	b.s.RemoveWork("a")
	b.check()
}

// Three workers die with two tasks each. Only what they always died with is to blame; the last attempts are made apart.
func TestBystandersAreNotPoisoned(t *testing.T) {
	b := newBench(t)
	b.add("a", 2)
	for i := range 2 {
		b.want(who(fmt.Sprint("k", i), 2), 2, "a/0", "a/1")
		b.pass(6 * time.Second)
	}
	b.pass(retryDelay)
	b.want(who("k2", 2), 2, "a/0")
	innocent := b.want(who("k3", 2), 2, "a/1")
	b.done(who("k3", 2), innocent...)
	b.pass(6 * time.Second)
	d := b.s.TakeDoomed()
	if len(d) != 1 || *d[0].Error.Byte != 0 || !strings.Contains(d[0].Error.Message, "k2") {
		t.Fatalf("doomed %+v", d)
	}
}

func TestBrokenTaskGoesToAnotherWorker(t *testing.T) {
	b := newBench(t)
	k, l := who("k", 1), who("l", 1)
	b.s.Touch(b.now, l)
	b.add("a", 1)
	b.fail(k, rpc.Broke, b.want(k, 1, "a/0")...)
	b.want(k, 1)
	b.want(l, 1, "a/0")
}

func TestStorageAwayIsProbed(t *testing.T) {
	b := newBench(t)
	k := who("k", 8)
	b.add("a", 8)
	g := b.want(k, 3, "a/0", "a/1", "a/2")
	began := b.now
	b.fail(k, rpc.StorageAway, g[0], g[1])
	if since, ok := b.s.AwaySince("a"); !ok || !since.Equal(began) {
		t.Fatalf("away since %v %v", since, ok)
	}
	b.add("b", 1)
	other := b.want(k, 8, "b/0") // not its storage
	for _, delay := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		b.pass(delay*time.Second-time.Millisecond, k)
		b.want(k, 8)
		b.pass(time.Millisecond, k)
		b.fail(k, rpc.StorageAway, b.want(k, 8, "a/0")...)
	}
	b.done(k, other...)
	b.pass(30*time.Second, k)
	probe := b.want(k, 8, "a/0")
	b.pass(time.Minute, k)
	b.want(k, 8) // one probe at a time
	b.done(k, probe...)
	if _, ok := b.s.AwaySince("a"); ok {
		t.Errorf("still away after a task was done")
	}
	b.want(k, 8, "a/1", "a/3", "a/4", "a/5", "a/6", "a/7")
	if d := b.s.TakeDoomed(); d != nil {
		t.Errorf("doomed: %+v", d)
	}
}

func TestLostProbeIsRepeated(t *testing.T) {
	b := newBench(t)
	k, l := who("k", 1), who("l", 1)
	b.add("a", 2)
	b.fail(k, rpc.StorageAway, b.want(k, 1, "a/0")...)
	b.pass(time.Second, k, l)
	b.want(k, 1, "a/0")
	b.pass(6*time.Second, l) // k dies with the probe
	b.want(l, 1, "a/0")
}

func TestFileThatOnlySomeWorkersSee(t *testing.T) {
	b := newBench(t)
	k, l := who("k", 2), who("l", 2)
	b.add("a", 3)
	b.s.Touch(b.now, l)
	b.fail(k, rpc.NotHere, b.want(k, 1, "a/0")...)
	b.want(k, 1)
	g := b.want(l, 2, "a/0", "a/1")
	b.pass(5*time.Minute, k, l)
	if d := b.s.TakeDoomed(); d != nil {
		t.Fatalf("doomed while a worker sees the file: %+v", d)
	}
	b.fail(k, rpc.NotHere, b.want(k, 2, "a/2")...) // tried again, with one task
	b.done(l, g...)
	b.done(l, b.want(l, 2, "a/2")...)
}

func TestFileThatNobodySees(t *testing.T) {
	b := newBench(t)
	k, l := who("k", 2), who("l", 2)
	b.add("a", 3)
	b.s.Touch(b.now, l)
	b.fail(k, rpc.NotHere, b.want(k, 1, "a/0")...)
	b.fail(l, rpc.NotHere, b.want(l, 1, "a/0")...)
	b.pass(59*time.Second, k, l)
	if d := b.s.TakeDoomed(); d != nil {
		t.Fatalf("doomed early: %+v", d)
	}
	b.pass(2*time.Second, k, l)
	d := b.s.TakeDoomed()
	if len(d) != 1 || d[0].Error.Code != "file_not_found" || !strings.Contains(d[0].Error.Message, "k on host-k says: said so; l on host-l says: said so") {
		t.Fatalf("doomed %+v", d)
	}
}

func TestFileIsWaitedForWithoutWorkers(t *testing.T) {
	b := newBench(t)
	k := who("k", 2)
	b.add("a", 1)
	b.fail(k, rpc.NotHere, b.want(k, 1, "a/0")...)
	b.pass(10 * time.Minute) // k dies, too
	if d := b.s.TakeDoomed(); d != nil {
		t.Fatalf("doomed without a worker: %+v", d)
	}
	b.done(who("m", 1), b.want(who("m", 1), 1, "a/0")...)
}

func TestSlowTaskGetsOneBackup(t *testing.T) {
	b := newBench(t)
	k, l, m := who("k", 8), who("l", 2), who("m", 2)
	b.add("a", 5)
	g := b.want(k, 5, "a/0", "a/1", "a/2", "a/3", "a/4")
	b.pass(time.Second, k, l)
	b.done(k, g[0], g[1], g[2]) // median 1 s
	b.want(l, 2)
	b.pass(1900*time.Millisecond, k, l)
	b.want(l, 2)
	b.pass(200*time.Millisecond, k, l)
	c := b.want(l, 2, "a/3+", "a/4+")
	b.want(m, 2) // no third copy
	b.want(k, 8)
	if next := b.s.NextEvent(true); next.After(b.now.Add(time.Second)) {
		t.Errorf("next event %v from now", next.Sub(b.now))
	}
	b.done(l, c[0])
	if stop := b.s.Heartbeat(b.now, k, []rpc.Running{{TaskRef: g[3].TaskRef}, {TaskRef: g[4].TaskRef}}, false); len(stop) != 1 || stop[0] != g[3].TaskRef {
		t.Errorf("stop %v, want the slow copy of task 3", stop)
	}
	b.fail(l, rpc.Returned, c[1]) // the first copy goes on alone
	b.pass(time.Second, k, m)
	b.want(m, 2)
	b.pass(10*time.Second, m) // and dies
	b.want(m, 2, "a/4")
}

func TestNoBackupWhileTasksAreLeft(t *testing.T) {
	b := newBench(t)
	k, l := who("k", 1), who("l", 1)
	b.s.AddWork(b.now, WorkInfo{ID: "a", Tasks: 3, Size: 30, Chunk: 10, Window: 2})
	b.want(k, 1, "a/0")
	b.done(l, b.want(l, 1, "a/1")...)
	b.pass(5*time.Minute, k, l)
	b.want(l, 1) // task 2 is beyond the window, so the work is not at its end
}

// A work of a million tasks costs no more than its tasks in flight.
func TestHugeWorkIsCheap(t *testing.T) {
	b := newBench(t)
	k := who("k", 64)
	const tasks = 1_000_000
	b.s.AddWork(b.now, WorkInfo{ID: "a", Tasks: tasks, Size: tasks, Chunk: 1, Window: 1000})
	w := b.s.works["a"]
	done := 0
	for done < tasks {
		grants := b.s.Lease(b.now, k, 64)
		for i := range grants { // in reverse, so that they wait for the frontier
			b.s.Complete(b.now, k, grants[len(grants)-1-i].TaskRef, fsm.CompletionResult{}, nil)
		}
		done += len(grants)
		if n := len(w.open) + len(w.done) + len(w.byAge) + len(w.ready); n > 500 {
			t.Fatalf("%d things held after %d tasks", n, done)
		}
	}
	if f := b.s.Finished(); len(f) != 1 || w.Frontier != tasks {
		t.Fatalf("finished %v, frontier %d", f, w.Frontier)
	}
}

func TestNextEvent(t *testing.T) {
	b := newBench(t)
	if next := b.s.NextEvent(true); !next.IsZero() {
		t.Errorf("nothing to do, and the next event is %v", next)
	}
	b.s.AddWork(b.now, WorkInfo{ID: "a", Tasks: 1, Size: 1, Chunk: 1, Inherited: true})
	if next := b.s.NextEvent(true); !next.Equal(b.now.Add(2 * time.Second)) {
		t.Errorf("next event %v from now, want the end of the grace", next.Sub(b.now))
	}
	if next := b.s.NextEvent(false); !next.IsZero() {
		t.Errorf("nobody waits, and the next event is %v", next)
	}
	if b.s.Leasable(b.now) || !b.s.Leasable(b.now.Add(2*time.Second)) {
		t.Errorf("leasable before the grace, or not after")
	}
}

func TestConfigNamesFieldAndBound(t *testing.T) {
	for want, cfg := range map[string]Config{
		"Heartbeat: must be at least 1ms":            {Heartbeat: 1},
		"TTL: must be at least two heartbeats (2s)":  {TTL: time.Second},
		"Grace: must not be negative, got -1ns":      {Grace: -1},
		"BlindLimit: must not be negative, got -1ns": {BlindLimit: -1},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestSpeeds(t *testing.T) {
	b := newBench(t)
	k := who("k", 1)
	b.s.AddWork(b.now, WorkInfo{ID: "a", Tasks: 1000, Size: 1e9, Chunk: 1e6})
	for range 300 { // a task of 1 MB each 100 ms
		g := b.s.Lease(b.now, k, 1)
		b.now = b.now.Add(100 * time.Millisecond)
		b.s.Heartbeat(b.now, k, []rpc.Running{{TaskRef: g[0].TaskRef, BytesDone: 5e5}}, false)
		b.done(k, g...)
	}
	for _, got := range []float64{b.s.Speed(b.now, "a"), b.s.Workers(b.now)[0].BytesPerSecond} {
		if got < 9e6 || got > 11e6 {
			t.Errorf("%.0f bytes/s, want about 10,000,000", got)
		}
	}
	if got := b.s.Speed(b.now.Add(time.Minute), "a"); got > 1e4 {
		t.Errorf("%.0f bytes/s after a minute of nothing", got)
	}
}
