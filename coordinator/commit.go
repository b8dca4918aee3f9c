package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"colsum/coordinator/raftnode"
	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"
)

// One log entry takes at most so many partials, of so many bytes together (a rough measure); a single one may be larger.
const (
	batchPartials = 512
	batchBytes    = 2 << 20
)

// offer is a Complete call that waits for its commit.
type offer struct {
	worker rpc.Worker
	done   []rpc.Completion
	answer chan error // capacity 1
}

// Complete implements rpc.Service. It returns once all partials are judged by the replicated state.
func (c *Coordinator) Complete(ctx context.Context, req *rpc.CompleteRequest) (*rpc.CompleteReply, error) {
	r := c.reign.Load()
	if r == nil {
		return &rpc.CompleteReply{NotLeader: c.notLeader()}, nil
	}
	o := &offer{worker: req.Worker, done: req.Done, answer: make(chan error, 1)}
	select {
	case r.offers <- o:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-r.done:
		return &rpc.CompleteReply{NotLeader: c.notLeader()}, nil
	}
	select {
	case err := <-o.answer:
		if errors.Is(err, raftnode.ErrNotLeader) || (err != nil && r.ended()) {
			return &rpc.CompleteReply{NotLeader: c.notLeader()}, nil
		}
		if err != nil {
			return nil, err
		}
		return &rpc.CompleteReply{}, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-r.done:
		return &rpc.CompleteReply{NotLeader: c.notLeader()}, nil
	}
}

// commit proposes completions: one log entry at a time, each with what gathered while the last was under way. So a lone
// completion waits for nothing, and under load the batches grow by themselves. That there is one at a time also gives the
// scheduler the answers in the order of the log; it would take a task for done that a later partial dropped otherwise.
func (r *reign) commit(ctx context.Context) {
	for {
		var batch []*offer
		var partials, bytes int
		select {
		case o := <-r.offers:
			batch = append(batch, o)
			partials, bytes = len(o.done), o.size()
		case <-r.done:
			return
		}
	gather:
		for partials < batchPartials && bytes < batchBytes {
			select {
			case o := <-r.offers:
				batch = append(batch, o)
				partials += len(o.done)
				bytes += o.size()
			default:
				break gather
			}
		}
		r.propose(ctx, batch)
	}
}

// size is about how many bytes an offer takes in the log.
func (o *offer) size() (n int) {
	for _, d := range o.done {
		n += 128
		if d.Partial != nil {
			n += 48*len(d.Partial.Columns) + 128*len(d.Partial.Bad)
		}
	}
	return n
}

// propose commits a batch and answers its offers. A batch that does not fit into a log entry is halved until it does.
func (r *reign) propose(ctx context.Context, batch []*offer) {
	cmd := &fsm.Complete{Time: time.Now().UTC()}
	for _, o := range batch {
		for _, d := range o.done {
			cmd.Done = append(cmd.Done, fsm.Completion{Work: string(d.Work), Task: d.Task, Version: d.Version, Partial: d.Partial})
		}
	}
	if len(cmd.Done) == 0 {
		r.answer(batch, nil)
		return
	}
	resp, err := r.c.node.Propose(ctx, cmd)
	refused := errors.Is(err, raftnode.ErrTooLarge) || errors.Is(err, raftnode.ErrInvalid)
	switch {
	case err == nil && len(resp.Done) != len(cmd.Done):
		panic(fmt.Sprintf("coordinator: %d completions, %d answers", len(cmd.Done), len(resp.Done)))
	case err == nil:
		r.settle(batch, resp.Done)
	case refused && len(batch) > 1:
		r.propose(ctx, batch[:len(batch)/2])
		r.propose(ctx, batch[len(batch)/2:])
		return
	case refused && len(cmd.Done) > 1:
		r.proposeEach(ctx, batch[0])
		return
	case refused:
		// This partial can never be committed. The worker need not send it again; the task runs anew, and fails its work
		// should that come out the same.
		d := batch[0].done[0]
		r.log.Error("result cannot be committed", "work", d.Work, "task", d.Task, "worker", batch[0].worker.ID, "error", err)
		r.mu.Lock()
		r.sched.Fail(time.Now(), batch[0].worker, d.TaskRef, rpc.Broke, clip("handed in a result that cannot be committed: "+err.Error()))
		r.mu.Unlock()
		r.nudge()
		err = nil
	}
	r.answer(batch, err)
}

// proposeEach commits the completions of an offer each by itself.
func (r *reign) proposeEach(ctx context.Context, o *offer) {
	var errs []error
	for _, d := range o.done {
		one := &offer{worker: o.worker, done: []rpc.Completion{d}, answer: make(chan error, 1)}
		r.propose(ctx, []*offer{one})
		errs = append(errs, <-one.answer)
	}
	o.answer <- errors.Join(errs...)
}

func (r *reign) answer(batch []*offer, err error) {
	for _, o := range batch {
		o.answer <- err
	}
}

// settle tells the scheduler what became of the partials.
func (r *reign) settle(batch []*offer, results []fsm.CompletionResult) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	i := 0
	for _, o := range batch {
		for _, d := range o.done {
			res := results[i]
			i++
			r.sched.Complete(now, o.worker, d.TaskRef, res, r.reruns(d.TaskRef, res))
			switch {
			case res.Outcome == fsm.UnknownWork || res.Outcome == fsm.Ended || res.Status.Ended():
				if e := r.works[string(d.Work)]; e != nil {
					r.log.Info("work ended", "work", d.Work, "status", res.Status)
				}
				r.forget(string(d.Work))
			case res.Outcome != fsm.OK:
				r.log.Error("result refused", "work", d.Work, "task", d.Task, "worker", o.worker.ID, "outcome", res.Outcome)
			default:
				r.widen(now, d)
			}
		}
	}
	r.dispatch(now)
	r.nudge()
}

// reruns are the states of the tasks that have to run again after a completion; nil where there are none.
func (r *reign) reruns(ref rpc.TaskRef, res fsm.CompletionResult) map[int64]csvsum.State {
	tasks := res.Dropped
	if res.Verdict == csvsum.WrongState {
		tasks = append(slices.Clip(tasks), ref.Task)
	}
	if len(tasks) == 0 {
		return nil
	}
	states := make(map[int64]csvsum.State, len(tasks))
	for _, i := range tasks {
		states[i] = r.c.State().StartState(string(ref.Work), i)
	}
	return states
}

// widen adapts the run-ahead window to the widest partial seen. Call with mu held.
func (r *reign) widen(now time.Time, d rpc.Completion) {
	if e := r.works[string(d.Work)]; e != nil && len(d.Partial.Columns) > e.columns {
		e.columns = len(d.Partial.Columns)
		r.sched.SetWindow(now, d.Work, runAhead(e.columns))
	}
}

// clip makes a text that came from elsewhere fit for the log: valid UTF-8 of at most 4 KiB.
func clip(s string) string {
	const limit = 4 << 10
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.ToValidUTF8(s, "")
}
