package worker

import (
	"context"
	"errors"
	"time"

	"colsum/rpc"
)

// heartbeats tells the leader, period by period, what is at hand: queued, running, and done but not yet accepted. A new
// leader adopts the leases from them; what a heartbeat leaves out is leased to others after a while.
func (w *Worker) heartbeats(ctx context.Context) {
	silent := false
	for {
		t := time.NewTimer(time.Duration(w.period.Load()))
		select {
		case <-t.C:
		case <-w.beat:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
		err := w.heartbeat(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !silent:
			w.log.Warn("heartbeat", "err", err)
		case err == nil && silent:
			w.log.Info("heartbeats are answered again")
		}
		silent = err != nil
	}
}

func (w *Worker) heartbeat(ctx context.Context) error {
	// The list gets old: rather than be repeated for long, it is made anew.
	ctx, cancel := context.WithTimeout(ctx, max(2*time.Duration(w.period.Load()), 2*time.Second))
	defer cancel()
	held, leaving := w.board.held(), w.board.isLeaving()
	r, err := w.leader.Heartbeat(ctx, &rpc.HeartbeatRequest{Worker: w.self, Running: held, Leaving: leaving})
	if err != nil {
		return err
	}
	if r.NotLeader != nil {
		return errors.New("not the leader")
	}
	w.board.stop(r.Stop)
	return nil
}

// setPeriod takes over the leader's wish; a period that became shorter holds at once.
func (w *Worker) setPeriod(d time.Duration) {
	d = min(max(d, minHeartbeat), maxHeartbeat)
	if old := time.Duration(w.period.Swap(int64(d))); d < old {
		poke(w.beat)
	}
}
