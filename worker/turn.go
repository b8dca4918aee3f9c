package worker

import (
	"io"
	"sync"
	"time"
)

const (
	// spare is how many tasks for each slot may wait for a silent storage beside those at work: what was leased (a task for
	// the slot and one fetched ahead) before the leader stopped leasing tasks of that work, and its probe. They cost little
	// but memory.
	spare = 3
	// lendAfter is how long a task waits for the storage before another one takes its turn. By then the leader knows, see
	// scheduler.silentAfter, so the other one is not of the same kind.
	lendAfter = 5 * time.Second
)

// turn is one task's place among the Config.Slots tasks at work. While the task waits for a storage that is silent it lends
// the place, so that works on a healthy storage are not held up; then it waits until a place is free again.
type turn struct {
	w     *Worker
	it    *item
	timer *time.Timer // lends

	mu      sync.Mutex
	waiting bool
	lent    bool
}

func newTurn(w *Worker, it *item) *turn {
	t := &turn{w: w, it: it}
	t.timer = time.AfterFunc(time.Hour, t.lend)
	t.timer.Stop()
	return t
}

// wait begins a wait for the storage, goOn ends it.
func (t *turn) wait() {
	t.it.since.Store(time.Now().UnixNano())
	t.mu.Lock()
	t.waiting = true
	t.mu.Unlock()
	t.timer.Reset(lendAfter)
}

func (t *turn) goOn() {
	t.timer.Stop()
	t.it.since.Store(0)
	t.mu.Lock()
	lent := t.lent
	t.waiting, t.lent = false, false
	t.mu.Unlock()
	if lent {
		t.w.turns <- struct{}{}
		t.w.board.lend(-1)
	}
}

func (t *turn) lend() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting && !t.lent {
		t.lent = true
		<-t.w.turns // its own token, so this never blocks
		t.w.board.lend(1)
	}
}

// open opens a file, which may take as long as reading it.
func (t *turn) open(open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	t.wait()
	defer t.goOn()
	return open()
}
