package scheduler

import (
	"container/heap"
	"time"

	"colsum/csvsum"
	"colsum/rpc"
)

// Scheduler is described in the package comment. It is not safe for concurrent use. Times passed to it must not go back.
type Scheduler struct {
	cfg       Config
	nextSeq   uint64
	nextToken rpc.LeaseToken
	works     map[rpc.WorkID]*work
	workers   map[rpc.WorkerID]*worker

	runnable runHeap            // works of which a task could be leased at once
	tails    map[*work]struct{} // works with leases and nothing left to lease
	blinds   map[*work]struct{} // works that some worker could not see
	timers   timerHeap
	stores   map[string]*store // by WorkInfo.Store; those with works that they do not answer
	backupAt time.Time         // when to look for backups next

	// Sums over works: tasks neither leased nor done, and leased tasks.
	pending, leased int64
	slots           int64 // sum over the workers that take tasks

	now        time.Time // of the last call
	lastExpire time.Time
	doomed     []Doom
}

// Grant is a task leased to a worker.
type Grant struct {
	rpc.TaskRef
	// State is the start state to run the task with, csvsum.Unknown to guess.
	State csvsum.State
	// Backup: another worker is at the task already.
	Backup bool
}

// New returns a scheduler without works. cfg must be valid.
func New(cfg Config) *Scheduler {
	cfg = cfg.withDefaults()
	return &Scheduler{
		cfg:       cfg,
		nextToken: cfg.FirstToken,
		works:     make(map[rpc.WorkID]*work),
		workers:   make(map[rpc.WorkerID]*worker),
		tails:     make(map[*work]struct{}),
		blinds:    make(map[*work]struct{}),
		stores:    make(map[string]*store),
	}
}

// AddWork makes a running work known. A work that is known already is left as it is.
func (s *Scheduler) AddWork(now time.Time, info WorkInfo) {
	if s.works[info.ID] != nil {
		return
	}
	s.advance(now)
	s.nextSeq++
	w := newWork(info, s.nextSeq)
	if info.Inherited {
		w.notBefore = now.Add(s.cfg.Grace)
		s.at(w.notBefore, w, noTask)
	}
	s.works[info.ID] = w
	s.refresh(now, w)
}

// RemoveWork forgets a work (it ended). Its leases are gone: workers are told to stop at their next heartbeat.
func (s *Scheduler) RemoveWork(id rpc.WorkID) {
	w := s.works[id]
	if w == nil {
		return
	}
	for _, t := range w.open {
		s.releaseAll(t)
	}
	w.removed = true
	s.leaveStore(w)
	delete(s.works, id)
	delete(s.tails, w)
	delete(s.blinds, w)
	if w.runIndex >= 0 {
		heap.Remove(&s.runnable, w.runIndex)
	}
	s.pending -= w.pending
	s.leased -= int64(w.counted)
}

// Has reports whether a work is known.
func (s *Scheduler) Has(id rpc.WorkID) bool { return s.works[id] != nil }

// Finished returns the works of which every task is done. The replicated state has ended them; should one be found here
// twice in a row, the caller missed an answer and adds it anew from the state.
func (s *Scheduler) Finished() []rpc.WorkID {
	var ids []rpc.WorkID
	for id, w := range s.works {
		if w.Frontier == w.Tasks {
			ids = append(ids, id)
		}
	}
	return ids
}

// SetWindow changes WorkInfo.Window.
func (s *Scheduler) SetWindow(now time.Time, id rpc.WorkID, window int64) {
	if w := s.works[id]; w != nil {
		w.Window = window
		s.refresh(now, w)
	}
}

// Lease gives a worker up to max tasks. It takes them from the works with the fewest leases, the oldest first among
// equals. A worker is given more tasks than it has slots (to fetch ahead) only while there are tasks enough for the slots
// of all. A worker with an idle slot and nothing else to do may be given a backup copy of a task that takes long.
func (s *Scheduler) Lease(now time.Time, who rpc.Worker, max int) []Grant {
	s.advance(now)
	k := s.hear(now, who)
	if k.leaving {
		return nil
	}
	var grants []Grant
	var aside []*work
	for len(grants) < max && len(s.runnable) > 0 {
		if len(k.leases)-k.waits >= k.slots() && s.pending < s.slots {
			break
		}
		w := s.runnable[0]
		var t *task
		if s.sees(now, w, k) {
			t = w.take(now, k)
		}
		if t == nil {
			heap.Pop(&s.runnable)
			aside = append(aside, w)
			continue
		}
		l := s.grant(now, w, t, k)
		grants = append(grants, Grant{TaskRef: l.ref(), State: t.state})
		s.refresh(now, w)
	}
	for _, w := range aside {
		s.refresh(now, w)
	}
	for len(grants) < max && len(k.leases) < k.slots() {
		l := s.backup(now, k)
		if l == nil {
			break
		}
		grants = append(grants, Grant{TaskRef: l.ref(), State: l.task.state, Backup: true})
		s.refresh(now, l.work)
	}
	return grants
}

// Leasable reports whether some task could be leased now, were there a worker for it. Cheap.
func (s *Scheduler) Leasable(now time.Time) bool {
	s.advance(now)
	return len(s.runnable) > 0 || (len(s.tails) > 0 && !now.Before(s.backupAt))
}

// NextEvent returns when Expire has something to do and, with idle (workers are waiting for tasks), when Leasable may turn
// true without any other call; zero: never. The loop calls Expire, then Leasable, at that time at the latest.
func (s *Scheduler) NextEvent(idle bool) time.Time {
	var next time.Time
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if len(s.timers) > 0 && idle {
		earlier(s.timers[0].at)
	}
	if len(s.tails) > 0 && idle {
		earlier(s.backupAt)
	}
	if len(s.workers) > 0 {
		earlier(s.lastExpire.Add(s.cfg.TTL / 10))
	}
	return next
}

// Timing is what workers are told: the life of a lease and the period of heartbeats.
func (s *Scheduler) Timing() (ttl, heartbeat time.Duration) { return s.cfg.TTL, s.cfg.Heartbeat }

// refresh brings the indices over works up to date after w changed.
func (s *Scheduler) refresh(now time.Time, w *work) {
	if w.removed {
		return
	}
	run := !w.doomed && !now.Before(w.notBefore) && w.answers(now) && (w.hasReady() || w.reach())
	switch {
	case run && w.runIndex < 0:
		heap.Push(&s.runnable, w)
	case run:
		heap.Fix(&s.runnable, w.runIndex)
	case w.runIndex >= 0:
		heap.Remove(&s.runnable, w.runIndex)
	}

	n := w.unleased()
	s.pending += n - w.pending
	s.leased += int64(w.leased - w.counted)
	w.pending, w.counted = n, w.leased

	if n == 0 && w.leased > 0 && !w.doomed {
		s.addTail(now, w)
	} else {
		delete(s.tails, w)
	}
}

// runHeap orders works by fair share.
type runHeap []*work

func (h runHeap) Len() int { return len(h) }
func (h runHeap) Less(i, j int) bool {
	if h[i].leases != h[j].leases {
		return h[i].leases < h[j].leases
	}
	return h[i].seq < h[j].seq
}
func (h runHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].runIndex, h[j].runIndex = i, j
}
func (h *runHeap) Push(x any) {
	w := x.(*work)
	w.runIndex = len(*h)
	*h = append(*h, w)
}
func (h *runHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	w.runIndex = -1
	return w
}
