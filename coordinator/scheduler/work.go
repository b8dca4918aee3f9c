package scheduler

import (
	"container/heap"
	"time"

	"colsum/csvsum"
	"colsum/rpc"
)

// WorkInfo is what the scheduler needs to know of a running work; see fsm.Active, where it comes from.
type WorkInfo struct {
	ID    rpc.WorkID
	Store string // names the storage of the file: works with the same one are away together
	Tasks int64  // at least 1
	Size  int64  // of the file in bytes
	Chunk int64  // bytes of each task but the last
	// Frontier and Done say which tasks are done: those below Frontier, and those listed.
	Frontier int64
	Done     []int64
	// Reruns are tasks that have to run again, with the state to run them with. They go first.
	Reruns map[int64]csvsum.State
	// Window is how far beyond the frontier tasks are leased: it bounds the partials that wait in the replicated state.
	// 0 means no bound.
	Window int64
	// Inherited marks a work that an earlier leader may have leased tasks of: it waits for Config.Grace.
	Inherited bool
}

// work is a running work.
type work struct {
	WorkInfo // Frontier moves; Done and Reruns are dropped after AddWork
	seq      uint64
	removed  bool
	// doomed: it is going to fail. Nothing of it is leased any more.
	doomed    bool
	notBefore time.Time // grace

	// Tasks [0, Frontier) and those in done are done. Tasks in open are ready, delayed or leased. Any other task at or
	// beyond cursor has not been reached; below cursor there is none.
	done   map[int64]struct{}
	cursor int64
	open   map[int64]*task
	ready  readyHeap

	leased int      // tasks with a lease
	leases int      // leases, backups included: the measure of fair share
	byAge  []*lease // oldest first, with released ones among them; the candidates for backups

	silent *store                     // among those it does not answer; nil: it answers, as far as is known
	away   time.Time                  // since when it does not
	spoke  time.Time                  // when the storage last sent a byte, as far as heartbeats tell
	blind  map[rpc.WorkerID]blindness // workers that could not see the file
	unseen time.Time                  // since when every live worker is in blind; zero: at least one is not

	durations samples
	speed     meter

	runIndex int   // in Scheduler.runnable, -1 outside
	pending  int64 // as last added to Scheduler.pending
	counted  int   // leased, as last added to Scheduler.leased
}

// task is a task that was reached and is not done. It is leased when leases[0] is set, else ready or delayed.
type task struct {
	index   int64
	state   csvsum.State
	rerun   bool
	leases  [2]*lease // leases[1] is the backup; never set without leases[0]
	strikes []strike
	ready   bool
	due     time.Time    // when delayed
	avoid   rpc.WorkerID // not given to this worker before avoidTo
	avoidTo time.Time
}

// strike is one attempt that ended with a dead or broken worker.
type strike struct {
	worker rpc.WorkerID
	host   string
	why    string
}

// suspect reports whether one more strike fails the work. A worker holds at most one suspect at a time.
func (t *task) suspect() bool { return len(t.strikes) >= strikeLimit-1 }

func newWork(info WorkInfo, seq uint64) *work {
	w := &work{
		WorkInfo: info,
		seq:      seq,
		cursor:   info.Frontier,
		done:     make(map[int64]struct{}, len(info.Done)),
		open:     make(map[int64]*task),
		runIndex: -1,
	}
	for _, i := range info.Done {
		if i >= w.Frontier {
			w.done[i] = struct{}{}
		}
	}
	for i, state := range info.Reruns {
		w.rerun(i, state)
	}
	w.Done, w.Reruns = nil, nil
	w.advance()
	return w
}

// length is the length of task i in bytes.
func (w *work) length(i int64) int64 { return max(0, min(w.Chunk, w.Size-i*w.Chunk)) }

func (w *work) isDone(i int64) bool {
	_, ok := w.done[i]
	return ok || i < w.Frontier
}

func (w *work) unleased() int64 {
	return w.Tasks - w.Frontier - int64(len(w.done)) - int64(w.leased)
}

// entry returns the task i, which is not done, as one that was reached.
func (w *work) entry(i int64) *task {
	t := w.open[i]
	if t == nil {
		t = &task{index: i, state: csvsum.Unknown}
		w.open[i] = t
	}
	return t
}

// markDone records that task i is done. Its leases must be gone. The caller calls advance once it has put back what was
// dropped in the same breath: below the frontier nothing can be put back.
func (w *work) markDone(i int64) {
	delete(w.open, i)
	if i >= w.Frontier {
		w.done[i] = struct{}{}
	}
}

// rerun makes task i ready again, to be run with a state. What is below the frontier is in the sum and final.
func (w *work) rerun(i int64, state csvsum.State) {
	if i < w.Frontier || i >= w.Tasks {
		return
	}
	delete(w.done, i)
	t := w.entry(i)
	t.rerun, t.state = true, state
	if t.leases[0] == nil {
		w.makeReady(t)
	}
}

func (w *work) makeReady(t *task) {
	t.due = time.Time{}
	if t.ready {
		heap.Init(&w.ready) // its order may have changed
		return
	}
	t.ready = true
	heap.Push(&w.ready, t)
}

// hasReady reports whether a task is ready.
func (w *work) hasReady() bool {
	for len(w.ready) > 0 {
		if t := w.ready[0]; w.open[t.index] == t && t.ready {
			return true
		}
		heap.Pop(&w.ready) // done since
	}
	return false
}

// advance moves the frontier over tasks that are done.
func (w *work) advance() {
	for {
		if _, ok := w.done[w.Frontier]; !ok {
			return
		}
		delete(w.done, w.Frontier)
		w.Frontier++
	}
}

// reach moves the cursor to the next task that was not reached and reports whether it may be leased now.
func (w *work) reach() bool {
	w.cursor = max(w.cursor, w.Frontier)
	for w.cursor < w.Tasks && (w.isDone(w.cursor) || w.open[w.cursor] != nil) {
		w.cursor++
	}
	return w.cursor < w.Tasks && (w.Window == 0 || w.cursor < w.Frontier+w.Window)
}

// take removes the best task for a worker from the ready ones or the cursor; nil where there is none for it.
func (w *work) take(now time.Time, k *worker) *task {
	var found *task
	var aside []*task
	for len(w.ready) > 0 && found == nil {
		t := heap.Pop(&w.ready).(*task)
		if w.open[t.index] != t || !t.ready {
			continue // done since
		}
		if (t.suspect() && k.suspects > 0) || (t.avoid == k.info.ID && now.Before(t.avoidTo)) {
			aside = append(aside, t)
			continue
		}
		t.ready = false
		found = t
	}
	for _, t := range aside {
		heap.Push(&w.ready, t)
	}
	if found == nil && w.reach() {
		found = w.entry(w.cursor)
		w.cursor++
	}
	return found
}

// readyHeap orders tasks by what the frontier needs most: reruns first, then by index.
type readyHeap []*task

func (h readyHeap) Len() int { return len(h) }
func (h readyHeap) Less(i, j int) bool {
	if h[i].rerun != h[j].rerun {
		return h[i].rerun
	}
	return h[i].index < h[j].index
}
func (h readyHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *readyHeap) Push(x any)   { *h = append(*h, x.(*task)) }
func (h *readyHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return t
}
