package worker

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"colsum/csvsum"
	"colsum/rpc"
)

// board knows every task that this worker has leased and is not rid of yet. It starts nothing and waits for nothing: the
// loops ask it what to do and tell it what came of it. Safe for concurrent use.
//
// An item is queued, then run, then finished; it leaves when its result or failure was accepted, or when the leader has
// no more use for it.
type board struct {
	slots, prefetch int
	maxUnsent       int64
	// room has a token whenever something left the board, work one for each slot that should look for a task, sends and fails
	// one whenever their sender should look. All are buffered; a token too many does no harm.
	room, work, sends, fails chan struct{}

	mu      sync.Mutex // guards the rest and the items
	items   map[taskKey]*item
	queue   []*item // to be run, first come first served
	running map[*item]struct{}
	done    []*item // finished with a result that is not accepted yet, oldest first
	failed  []*item // finished with a failure that is not accepted yet
	lent    int     // of running, those that wait for a silent storage and lent their turn to others
	unsent  int64   // about the bytes of done
	leaving bool

	tasksDone, bytesDone int64 // accepted results, since the start
}

type taskKey struct {
	work rpc.WorkID
	task int64
}

// item is a leased task. All but read and since is guarded by board.mu.
type item struct {
	task    rpc.Assignment
	read    atomic.Int64 // bytes read so far
	since   atomic.Int64 // when it began to wait for the storage, in Unix ns; 0 when it does not
	cancel  context.CancelCauseFunc
	dropped bool // nobody wants its result
	partial *csvsum.Partial
	cost    int64
	failure *rpc.Failure // once it failed
}

func (it *item) key() taskKey { return taskKey{it.task.Work, it.task.Task} }

// sameRun reports whether running t would yield, or yielded, what it yields. A failure is no result: the leader may know
// of it already and want another attempt.
func (it *item) sameRun(t rpc.Assignment) bool {
	u := it.task
	return it.failure == nil && u.State == t.State && u.Version == t.Version && u.Start == t.Start && u.End == t.End
}

func newBoard(slots, prefetch int, maxUnsent int64) *board {
	return &board{
		slots: slots, prefetch: prefetch, maxUnsent: maxUnsent,
		room: make(chan struct{}, 1), work: make(chan struct{}, slots), sends: make(chan struct{}, 1), fails: make(chan struct{}, 1),
		items: make(map[taskKey]*item), running: make(map[*item]struct{}),
	}
}

// want returns how many tasks to ask the leader for; 0 for none at present.
func (b *board) want() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.leaving || b.unsent >= b.maxUnsent {
		return 0
	}
	busy := len(b.running) - b.lent
	n := b.slots + b.prefetch - busy - len(b.queue)
	// With every slot busy and half the store still there, asking can wait: fewer and larger leases.
	if busy >= b.slots && n < (b.prefetch+1)/2 {
		return 0
	}
	return max(n, 0)
}

// add takes in leased tasks.
func (b *board) add(tasks []rpc.Assignment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range tasks {
		it := &item{task: t}
		if old := b.items[it.key()]; old != nil {
			if old.sameRun(t) {
				// Leased again: the leader lost track of the first lease. The work is the same, so only the token is new.
				old.task.Token = t.Token
				continue
			}
			b.drop(old)
		}
		b.items[it.key()] = it
		if b.leaving {
			b.fail(it, returned(t.TaskRef))
			continue
		}
		b.queue = append(b.queue, it)
		poke(b.work)
	}
}

// take returns the next task to run, or nil if there is none, or no room for its result. cancel ends its context with
// errDropped or errGraceOver as the cause. The caller calls finish afterwards.
func (b *board) take(cancel context.CancelCauseFunc) *item {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 || b.unsent >= b.maxUnsent {
		return nil
	}
	it := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	it.cancel = cancel
	b.running[it] = struct{}{}
	poke(b.room)
	return it
}

// lend counts tasks that lent their turn (n = 1) and took it back (-1).
func (b *board) lend(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lent += n
	poke(b.room)
}

// finish takes the outcome of a task that take returned: a partial, or a failure.
func (b *board) finish(it *item, p *csvsum.Partial, f rpc.Failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.running, it)
	it.cancel = nil
	switch {
	case it.dropped:
	case p != nil:
		it.partial, it.cost = p, cost(p)
		b.unsent += it.cost
		b.done = append(b.done, it)
		poke(b.sends)
	default:
		f.TaskRef = it.task.TaskRef
		b.fail(it, f)
	}
	poke(b.room)
}

// fail is called with mu held.
func (b *board) fail(it *item, f rpc.Failure) {
	it.failure = &f
	b.failed = append(b.failed, it)
	poke(b.fails)
}

// batch returns the oldest results, up to about maxBytes of them but at least one if there is any.
func (b *board) batch(maxBytes int64) (items []*item, done []rpc.Completion) {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := int64(0)
	for _, it := range b.done {
		size += it.cost
		if len(items) > 0 && size > maxBytes {
			break
		}
		items = append(items, it)
		done = append(done, it.completion())
	}
	return items, done
}

// completion is called with mu held.
func (it *item) completion() rpc.Completion {
	return rpc.Completion{TaskRef: it.task.TaskRef, Version: it.task.Version, Partial: it.partial}
}

// accepted removes results that the leader has.
func (b *board) accepted(items []*item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, it := range items {
		b.tasksDone++
		b.bytesDone += it.task.End - it.task.Start
	}
	b.unqueueDone(items)
	for _, it := range items {
		b.forget(it)
	}
}

// refused turns a result that the leader will never take into a failure.
func (b *board) refused(it *item, f rpc.Failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unqueueDone([]*item{it})
	it.partial = nil
	if !it.dropped {
		f.TaskRef = it.task.TaskRef
		b.fail(it, f)
	}
}

// unqueueDone is called with mu held.
func (b *board) unqueueDone(items []*item) {
	gone := make(map[*item]bool, len(items))
	for _, it := range items {
		gone[it] = true
	}
	b.done = slices.DeleteFunc(b.done, func(it *item) bool {
		if gone[it] {
			b.unsent -= it.cost
		}
		return gone[it]
	})
	poke(b.room)
	for range b.slots {
		poke(b.work)
	}
}

// failures returns what is to be reported, at most n.
func (b *board) failures(n int) (items []*item, f []rpc.Failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, it := range b.failed[:min(n, len(b.failed))] {
		items = append(items, it)
		f = append(f, *it.failure)
	}
	return items, f
}

// reported removes what failures returned last: the leader knows of it.
func (b *board) reported(items []*item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = append([]*item(nil), b.failed[len(items):]...)
	for _, it := range items {
		b.forget(it)
	}
	poke(b.room)
}

// forget is called with mu held.
func (b *board) forget(it *item) {
	if b.items[it.key()] == it {
		delete(b.items, it.key())
	}
}

// stop ends tasks the leader has no more use for. A reference whose token is out of date means an earlier lease.
func (b *board) stop(refs []rpc.TaskRef) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range refs {
		if it := b.items[taskKey{r.Work, r.Task}]; it != nil && it.task.Token == r.Token {
			b.drop(it)
		}
	}
}

// drop is called with mu held. What is on its way to the leader already is harmless.
func (b *board) drop(it *item) {
	it.dropped = true
	b.forget(it)
	if it.cancel != nil {
		it.cancel(errDropped)
	}
	if i := slices.Index(b.queue, it); i >= 0 {
		b.queue = slices.Delete(b.queue, i, i+1)
	}
	b.unqueueDone([]*item{it})
}

// leave hands back what is queued; from now on nothing is taken in.
func (b *board) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leaving = true
	for _, it := range b.queue {
		b.fail(it, returned(it.task.TaskRef))
	}
	b.queue = nil
}

// giveUp cancels what runs.
func (b *board) giveUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for it := range b.running {
		it.cancel(errGraceOver)
	}
}

// idle reports whether nothing runs, clear whether nothing is left to say either.
func (b *board) idle() (idle, clear bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	idle = len(b.running) == 0
	return idle, idle && len(b.done) == 0 && len(b.failed) == 0
}

// held lists every task at hand for a heartbeat.
func (b *board) held() []rpc.Running {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]rpc.Running, 0, len(b.items))
	for _, it := range b.items {
		r := rpc.Running{TaskRef: it.task.TaskRef, BytesDone: it.read.Load()}
		if since := it.since.Load(); since != 0 {
			r.Waiting = max(0, time.Since(time.Unix(0, since)))
		}
		list = append(list, r)
	}
	return list
}

// poke leaves a token unless there are enough.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// cost is about the memory a partial takes, and about its size on the wire.
func cost(p *csvsum.Partial) int64 {
	const base, column, cell = 256, 160, 128
	return base + int64(len(p.Columns))*column + int64(len(p.Bad))*cell
}
