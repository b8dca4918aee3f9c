package coordinator

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"colsum/coordinator/scheduler"
	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"

	"golang.org/x/sync/errgroup"
)

// reconcileEvery is how often a reign compares what it knows of with the state. It finds a difference only after a
// proposal whose outcome was not learnt.
const reconcileEvery = 2 * time.Second

// reign is one leadership of this node: the leader's memory and the duties that live on it.
type reign struct {
	c    *Coordinator
	log  *slog.Logger
	done <-chan struct{} // closed when the leadership ends
	// group runs the duties, and what they start on the way. Only duties may add to it.
	group *errgroup.Group

	offers  chan *offer   // to the committer
	wake    chan struct{} // to the clock, capacity 1: something changed that may shorten its wait
	planned chan struct{} // to the planner, capacity 1: likewise
	heads   chan struct{} // holds a token for each head that Submit reads

	mu      sync.Mutex
	sched   *scheduler.Scheduler // mu
	works   map[string]*entry    // mu; every queued or running work
	lanes   map[string]*lane     // mu; the planner's queues
	tardy   map[string]time.Time // mu; by lane: until when Submit does not plan
	waiters []*waiter            // mu; Lease calls that wait, oldest first
	missing []rpc.WorkID         // mu; works whose file no worker sees, for the clock to have looked at
}

// entry is an active work.
type entry struct {
	id   string
	path string
	// running: planned, and known to the scheduler. What follows is set then.
	running bool
	version string
	spec    csvsum.Spec
	chunk   int64
	columns int // most columns seen in a partial: what a partial costs in memory
	// finished: seen with all tasks done at the last reconciliation.
	finished bool
}

// lead carries out the leader's duties until ctx ends. It only ends by ctx: a duty that meets an error logs it and tries
// again.
func (c *Coordinator) lead(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	r := &reign{
		c: c, log: c.log, done: ctx.Done(), group: group,
		offers:  make(chan *offer),
		wake:    make(chan struct{}, 1),
		planned: make(chan struct{}, 1),
		heads:   make(chan struct{}, planNowParallel),
		sched: scheduler.New(scheduler.Config{
			Heartbeat: c.cfg.Heartbeat, TTL: c.cfg.LeaseTTL,
			FirstToken: rpc.LeaseToken(rand.Uint64()>>1 | 1),
		}),
		works: make(map[string]*entry),
		lanes: make(map[string]*lane),
		tardy: make(map[string]time.Time),
	}
	// From here on Submit tells the reign of each new work, so that none can be missed between the state as the
	// following lines read it and what comes after.
	c.reign.Store(r)
	defer c.reign.Store(nil)
	r.reconcile(true)
	r.mu.Lock()
	works := len(r.works)
	r.mu.Unlock()
	r.log.Info("leading", "works", works)
	defer r.log.Info("no longer leading")

	for _, duty := range []func(context.Context){r.keepTime, r.commit, r.plan, r.keepReconciled, r.retain, r.announce} {
		group.Go(func() error {
			duty(ctx)
			return nil
		})
	}
	return group.Wait()
}

// ended reports whether the leadership is over.
func (r *reign) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// keepReconciled calls reconcile now and then.
func (r *reign) keepReconciled(context.Context) {
	for r.pause(reconcileEvery) {
		r.reconcile(false)
	}
}

// reconcile makes the reign know of exactly the active works of the state. At the beginning (first) every running work
// counts as inherited.
func (r *reign) reconcile(first bool) {
	state := r.c.State()
	r.mu.Lock()
	r.resync()
	known := len(r.works)
	r.mu.Unlock()
	counts := state.Counts()
	if !first && counts.Queued+counts.Running == known {
		return // a work more and another less at the same moment is found the next time
	}
	active := make(map[string]bool)
	for _, id := range state.ActiveIDs() {
		active[id] = true
		r.adopt(id, first)
	}
	r.mu.Lock()
	var gone []string
	for id := range r.works {
		if !active[id] {
			gone = append(gone, id)
		}
	}
	r.mu.Unlock()
	for _, id := range gone {
		if _, ok := state.Active(id); !ok { // it may be newer than the list
			r.drop(id)
		}
	}
}

// resync gives a work of which the scheduler believes every task done twice in a row back to it as the state has it.
// Call with mu held.
func (r *reign) resync() {
	finished := make(map[string]bool)
	for _, id := range r.sched.Finished() {
		finished[string(id)] = true
	}
	for id, e := range r.works {
		if finished[id] && e.finished {
			r.log.Warn("work stands still, reading it anew", "work", id)
			r.sched.RemoveWork(rpc.WorkID(id))
			delete(r.works, id)
			finished[id] = false
		}
		e.finished = finished[id]
	}
}

// adopt makes a work of the state known if it is not.
func (r *reign) adopt(id string, inherited bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.works[id] != nil {
		return
	}
	// The state is read under mu: a completion applied after this is handed to the scheduler after it, too.
	a, ok := r.c.State().Active(id)
	switch {
	case !ok:
	case a.Status == fsm.Queued:
		r.queue(time.Now(), id, a.Path)
	default:
		r.run(a, inherited)
	}
}

// run hands a running work to the scheduler. Call with mu held.
func (r *reign) run(a *fsm.Active, inherited bool) {
	now := time.Now()
	e := r.works[a.ID]
	if e == nil {
		e = &entry{id: a.ID, path: a.Path}
		r.works[a.ID] = e
	}
	e.running, e.version, e.spec, e.chunk = true, a.Version, a.Spec, a.Chunk
	e.columns = len(a.Spec.Selection.Numbers)
	r.sched.AddWork(now, scheduler.WorkInfo{
		ID: rpc.WorkID(a.ID), Store: laneOf(a.Path), Tasks: a.Tasks, Size: a.Spec.Size, Chunk: a.Chunk,
		Frontier: a.Frontier, Done: a.Done, Reruns: a.Reruns,
		Window: runAhead(e.columns), Inherited: inherited,
	})
	r.dispatch(now)
}

// drop forgets a work that has ended.
func (r *reign) drop(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(id)
	r.dispatch(time.Now())
}

// forget is drop with mu held.
func (r *reign) forget(id string) {
	delete(r.works, id)
	r.sched.RemoveWork(rpc.WorkID(id))
}

// fail proposes that a work ends as failed, until that is certain.
func (r *reign) fail(ctx context.Context, id string, reason csvsum.DocError) {
	reason.Message = clip(reason.Message)
	for {
		_, err := r.c.node.Propose(ctx, &fsm.Fail{ID: id, Time: time.Now().UTC(), Error: reason})
		if err == nil {
			r.log.Info("work failed", "work", id, "code", reason.Code, "reason", reason.Message)
			r.drop(id)
			return
		}
		if r.ended() {
			return // the next leader will find out by itself
		}
		r.log.Error("work cannot be ended", "work", id, "code", reason.Code, "error", err)
		if !r.pause(time.Second) {
			return
		}
	}
}

// pause waits; false when the reign ended first.
func (r *reign) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.done:
		return false
	}
}

// runAhead is how many tasks may be done beyond the fold frontier: their partials wait in every node's memory, so wider
// ones get fewer. 32 MiB at about 128 bytes a column, decoded; 64 MiB for the widest, so that a few slots may be at them.
// columns is 0 when not known yet.
func runAhead(columns int) int64 {
	const budget, perColumn, least, most = 32 << 20, 128, 8, 16384
	if columns == 0 {
		return 1024
	}
	return min(max(budget/perColumn/int64(columns), least), most)
}
