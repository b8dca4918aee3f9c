package worker

import (
	"context"
	"errors"

	"colsum/rpc"
)

// maxFailures is how many failures one call reports.
const maxFailures = 256

// sendResults hands in results, in batches of whatever gathered while the call before was under way: no result waits
// for company, and under load a call carries many.
func (w *Worker) sendResults(ctx context.Context) {
	for ctx.Err() == nil {
		items, done := w.board.batch(w.cfg.BatchBytes)
		if len(items) == 0 {
			select {
			case <-w.board.sends:
			case <-ctx.Done():
			}
			continue
		}
		err := w.complete(ctx, done)
		switch {
		case err == nil:
			w.board.accepted(items)
		case ctx.Err() != nil:
		case !refusal(err):
			w.log.Warn("hand in results", "err", err, "retry_in", pause)
			rest(ctx, pause)
		case len(items) == 1:
			w.refuse(items[0], err)
		default:
			w.sendSingly(ctx, items, done)
		}
	}
}

// sendSingly finds the results that made the coordinator refuse a whole batch.
func (w *Worker) sendSingly(ctx context.Context, items []*item, done []rpc.Completion) {
	for i := range items {
		switch err := w.complete(ctx, done[i:i+1]); {
		case err == nil:
			w.board.accepted(items[i : i+1])
		case refusal(err):
			w.refuse(items[i], err)
		default:
			return // the rest stays on the board
		}
	}
}

func (w *Worker) complete(ctx context.Context, done []rpc.Completion) error {
	r, err := w.leader.Complete(ctx, &rpc.CompleteRequest{Worker: w.self, Done: done})
	if err == nil && r.NotLeader != nil {
		err = errors.New("not the leader")
	}
	return err
}

// refuse gives up on a result: the task fails here and counts as one that broke its worker.
func (w *Worker) refuse(it *item, err error) {
	w.log.Error("result refused", "work", string(it.task.Work), "task", it.task.Task, "err", err)
	f := failureOf(err)
	f.Code = "result_refused"
	w.board.refused(it, f)
}

// refusal reports whether the same request would be turned down again.
func refusal(err error) bool {
	var refused *rpc.RefusedError
	return errors.As(err, &refused) || errors.Is(err, rpc.ErrTooLarge)
}

// sendFailures reports tasks that were not done. It has a goroutine of its own so that a slow commit of results does not
// keep the leader from giving a task to somebody else.
func (w *Worker) sendFailures(ctx context.Context) {
	for ctx.Err() == nil {
		items, failures := w.board.failures(maxFailures)
		if len(items) == 0 {
			select {
			case <-w.board.fails:
			case <-ctx.Done():
			}
			continue
		}
		r, err := w.leader.Fail(ctx, &rpc.FailRequest{Worker: w.self, Failures: failures})
		if err == nil && r.NotLeader != nil {
			err = errors.New("not the leader")
		}
		switch {
		case err == nil:
			w.board.reported(items)
		case ctx.Err() != nil:
		case refusal(err):
			// The leases end by themselves once the heartbeats leave them out.
			w.log.Error("failures refused", "tasks", len(items), "err", err)
			w.board.reported(items)
		default:
			w.log.Warn("report failures", "err", err, "retry_in", pause)
			rest(ctx, pause)
		}
	}
}
