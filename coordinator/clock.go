package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"colsum/rpc"
	"colsum/storage"
)

// leastWait keeps the clock from spinning where the next event lies in the past but nothing comes of it.
const leastWait = 10 * time.Millisecond

// maxReply is about how many bytes of tasks one Lease reply takes: each carries its work's column list, which may be long.
const maxReply = 4 << 20

// waiter is a Lease call that waits for tasks.
type waiter struct {
	worker rpc.Worker
	max    int
	tasks  chan []rpc.Assignment // capacity 1; written once, under mu, by whoever takes the waiter off the list
}

// keepTime is the loop around the scheduler: it lets leases expire, wakes who waits when a delay is over, and ends the
// works that are doomed.
func (r *reign) keepTime(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var expired time.Time
	for {
		select {
		case <-r.done:
			return
		case <-timer.C:
		case <-r.wake:
		}
		now := time.Now()
		r.mu.Lock()
		if ttl, _ := r.sched.Timing(); now.Sub(expired) >= ttl/10 {
			for _, w := range r.waiters {
				r.sched.Touch(now, w.worker) // it is connected
			}
			r.sched.Expire(now)
			expired = now
		}
		r.dispatch(now)
		doomed := r.sched.TakeDoomed()
		missing := r.missing
		r.missing = nil
		next := r.sched.NextEvent(len(r.waiters) > 0)
		r.mu.Unlock()

		for _, d := range doomed {
			r.group.Go(func() error {
				r.fail(ctx, string(d.Work), d.Error)
				return nil
			})
		}
		for _, id := range missing {
			r.group.Go(func() error {
				r.lookFor(ctx, id)
				return nil
			})
		}
		wait := time.Hour
		if !next.IsZero() {
			wait = max(next.Sub(now), leastWait)
		}
		timer.Reset(wait)
	}
}

// lookFor ends a work of which no worker sees the pinned version of the file and neither does this node. If this node does
// see it, workers have some time left to see it too: see scheduler.Config.BlindLimit.
func (r *reign) lookFor(ctx context.Context, id rpc.WorkID) {
	a, ok := r.c.State().Active(string(id))
	if !ok {
		return
	}
	info, err := within(ctx, planStat, func(ctx context.Context) (storage.Info, error) { return r.c.files.Stat(ctx, a.Path) })
	if err == nil && (info.Version != a.Version || info.Size != a.Spec.Size) {
		err = fmt.Errorf("%s: %w: found version %s of %d bytes, not version %s of %d bytes, and no worker has that one either",
			a.Path, storage.ErrChanged, info.Version, info.Size, a.Version, a.Spec.Size)
	}
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrForbidden) || errors.Is(err, storage.ErrChanged) {
		r.mu.Lock()
		r.sched.Doom(time.Now(), id, planError(err))
		r.mu.Unlock()
		r.nudge()
	}
}

// nudge makes keepTime look again.
func (r *reign) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// dispatch gives tasks to the Lease calls that wait, in the order they came. Call with mu held.
func (r *reign) dispatch(now time.Time) {
	if len(r.waiters) == 0 || !r.sched.Leasable(now) {
		return
	}
	left := r.waiters[:0]
	for i, w := range r.waiters {
		if !r.sched.Leasable(now) {
			left = append(left, r.waiters[i:]...)
			break
		}
		if tasks := r.lease(now, w.worker, w.max); len(tasks) > 0 {
			w.tasks <- tasks
		} else {
			left = append(left, w)
		}
	}
	clear(r.waiters[len(left):])
	r.waiters = left
}

// lease asks the scheduler for tasks. Call with mu held.
func (r *reign) lease(now time.Time, who rpc.Worker, most int) []rpc.Assignment {
	grants := r.sched.Lease(now, who, most)
	tasks := make([]rpc.Assignment, 0, len(grants))
	bytes := 0
	for _, g := range grants {
		if bytes > maxReply {
			r.sched.Fail(now, who, g.TaskRef, rpc.Returned, "")
			continue
		}
		e := r.works[string(g.Work)] // the scheduler knows no work that is not here
		start, end := e.spec.TaskRange(g.Task, e.chunk)
		tasks = append(tasks, rpc.Assignment{
			TaskRef: g.TaskRef, Path: e.path, Version: e.version, Spec: e.spec,
			Start: start, End: end, State: g.State,
		})
		bytes += 256 + len(e.path) + len(e.version) + 8*len(e.spec.Selection.Numbers)
	}
	return tasks
}
