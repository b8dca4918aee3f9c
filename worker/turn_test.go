package worker

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// A task that waits for a silent storage lends its slot: the others are done meanwhile, and the leader hears of the wait.
func TestSilentStorageHoldsUpNobodyElse(t *testing.T) {
	noLeaks(t)
	const rows = 300
	data, want := numbers(rows)
	release := make(chan struct{})
	var first atomic.Bool
	s := &scripted{data, func(ctx context.Context, _ int64) (_, _, _ error) {
		if first.CompareAndSwap(false, true) {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err(), nil, nil
			}
		}
		return nil, nil, nil
	}}
	c := newCluster(t, 1)
	c.schedule("data.csv", "v1", data, int64(len(data)/4))
	w, stop := c.run(Config{Slots: 1, Prefetch: -1, Heartbeat: 100 * time.Millisecond}, s)
	c.until("all tasks but the silent one to be done", func() bool { return int64(c.accepted) == c.tasks-1 })
	c.until("the leader to hear of the wait", func() bool {
		running := c.lastBeat().Running
		return len(running) == 1 && running[0].Waiting >= lendAfter
	})
	close(release)
	c.until("the work to be done", c.finished)
	stop()
	c.checkSums(rows, want)
	if len(w.turns) != 0 || w.board.lent != 0 {
		t.Errorf("%d turns taken, %d lent, after all", len(w.turns), w.board.lent)
	}
}
