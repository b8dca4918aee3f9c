package coordinator

import (
	"context"
	"errors"
	"slices"
	"time"

	"colsum/csvsum"
	"colsum/rpc"
)

const (
	// maxLeases bounds the tasks of one Lease reply, and with them its length.
	maxLeases = 256
	// maxWait bounds how long a Lease call is held.
	maxWait = 30 * time.Second
)

// notLeader tells a worker where to go.
func (c *Coordinator) notLeader() *rpc.NotLeader {
	if leader, self, ok := c.Leader(); ok && !self {
		return &rpc.NotLeader{Leader: leader.RPC}
	}
	return &rpc.NotLeader{}
}

// Lease implements rpc.Service.
func (c *Coordinator) Lease(ctx context.Context, req *rpc.LeaseRequest) (*rpc.LeaseReply, error) {
	r := c.reign.Load()
	if r == nil {
		return &rpc.LeaseReply{NotLeader: c.notLeader()}, nil
	}
	if req.Worker.ID == "" {
		return nil, errors.New("lease: worker id: required")
	}
	ttl, heartbeat := r.sched.Timing()
	reply := &rpc.LeaseReply{TTL: ttl, Heartbeat: heartbeat}
	w := &waiter{worker: req.Worker, max: min(max(req.Max, 1), maxLeases), tasks: make(chan []rpc.Assignment, 1)}
	r.mu.Lock()
	reply.Tasks = r.lease(time.Now(), w.worker, w.max)
	if len(reply.Tasks) > 0 || req.Wait <= 0 {
		r.mu.Unlock()
		return reply, nil
	}
	r.waiters = append(r.waiters, w)
	r.mu.Unlock()
	r.nudge() // delays count now that somebody waits for their end

	timer := time.NewTimer(min(req.Wait, maxWait))
	defer timer.Stop()
	select {
	case reply.Tasks = <-w.tasks:
		return reply, nil
	case <-timer.C:
	case <-ctx.Done():
	case <-r.done:
	}
	reply.Tasks = r.leave(w)
	switch {
	case r.ended(): // a lease of a reign that has ended is worth nothing
		return &rpc.LeaseReply{NotLeader: c.notLeader()}, nil
	case ctx.Err() != nil: // nobody listens
		r.giveBack(w.worker, reply.Tasks)
		return nil, context.Cause(ctx)
	}
	return reply, nil
}

// leave takes a waiter off the list; it returns the tasks that it was given at the last moment.
func (r *reign) leave(w *waiter) []rpc.Assignment {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiters = slices.DeleteFunc(r.waiters, func(o *waiter) bool { return o == w })
	select {
	case tasks := <-w.tasks:
		return tasks
	default:
		return nil
	}
}

// giveBack returns tasks that never reached their worker.
func (r *reign) giveBack(who rpc.Worker, tasks []rpc.Assignment) {
	if len(tasks) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, t := range tasks {
		r.sched.Fail(now, who, t.TaskRef, rpc.Returned, "")
	}
	r.dispatch(now)
}

// Heartbeat implements rpc.Service.
func (c *Coordinator) Heartbeat(_ context.Context, req *rpc.HeartbeatRequest) (*rpc.HeartbeatReply, error) {
	r := c.reign.Load()
	if r == nil {
		return &rpc.HeartbeatReply{NotLeader: c.notLeader()}, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return &rpc.HeartbeatReply{Stop: r.sched.Heartbeat(time.Now(), req.Worker, req.Running, req.Leaving)}, nil
}

// Fail implements rpc.Service.
func (c *Coordinator) Fail(_ context.Context, req *rpc.FailRequest) (*rpc.FailReply, error) {
	r := c.reign.Load()
	if r == nil {
		return &rpc.FailReply{NotLeader: c.notLeader()}, nil
	}
	now := time.Now()
	r.mu.Lock()
	for _, f := range req.Failures {
		held := r.sched.Fail(now, req.Worker, f.TaskRef, f.Kind, clip(f.Message))
		if held && (f.Kind == rpc.Changed || f.Kind == rpc.Gone) {
			r.sched.Doom(now, f.Work, reason(f))
		}
		if held && f.Kind == rpc.NotHere && r.sched.Unseen(f.Work) {
			r.missing = append(r.missing, f.Work)
		}
	}
	r.dispatch(now)
	r.mu.Unlock()
	r.nudge() // for the doomed and the missing
	for _, f := range req.Failures {
		c.log.Info("task not done", "work", f.Work, "task", f.Task, "worker", req.Worker.ID, "kind", f.Kind, "reason", f.Message)
	}
	return &rpc.FailReply{}, nil
}

// reason is why a work fails whose file changed or went away.
func reason(f rpc.Failure) csvsum.DocError {
	switch {
	case f.Kind == rpc.Changed:
		return csvsum.DocError{Code: "file_changed", Message: f.Message}
	case f.Code == "forbidden":
		return csvsum.DocError{Code: f.Code, Message: f.Message}
	}
	return csvsum.DocError{Code: "file_not_found", Message: f.Message}
}
