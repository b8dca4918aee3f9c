package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"colsum/coordinator/raftnode"
	"colsum/csvsum"
	"colsum/fsm"
	"colsum/storage"
)

const (
	// planStat bounds the wait for a file's size and version; planRead the wait for each MiB of its head (a link of
	// 17 KiB/s is just enough). The storage has longer patience, but nobody would learn that it does not answer.
	planStat = 10 * time.Second
	planRead = 60 * time.Second
	// planTries is how often a file may change under the planner before it is held to change for ever.
	planTries = 5
	// defaultSlots is taken for the number of slots while no worker is known.
	defaultSlots = 4
)

// queue hands a work that is not known to the planner. Call with mu held.
func (r *reign) queue(now time.Time, id, path string) {
	r.works[id] = &entry{id: id, path: path}
	name := laneOf(path)
	l := r.lanes[name]
	if l == nil {
		l = &lane{}
		r.lanes[name] = l
	}
	l.queue = append(l.queue, id)
	r.nudgePlanner()
}

func (r *reign) nudgePlanner() {
	select {
	case r.planned <- struct{}{}:
	default:
	}
}

// away reports whether the storage of a path is known not to answer.
func (r *reign) away(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lanes[laneOf(path)]
	return l != nil && !l.since.IsZero()
}

// plan takes works from the lanes and plans each on a goroutine of its own.
func (r *reign) plan(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.done:
			return
		case <-timer.C:
		case <-r.planned:
		}
		wait := time.Hour
		now := time.Now()
		r.mu.Lock()
		for name, l := range r.lanes {
			for id, ok := l.next(now); ok; id, ok = l.next(now) {
				if e := r.works[id]; e == nil || e.running {
					l.busy-- // cancelled, or planned by a proposal whose outcome was not learnt
					continue
				}
				r.group.Go(func() error {
					r.planOne(ctx, l, id)
					return nil
				})
			}
			if !l.since.IsZero() && l.busy == 0 {
				wait = min(wait, max(l.probeAt.Sub(now), leastWait))
			}
			if len(l.queue) == 0 && l.busy == 0 {
				l.since = time.Time{} // nobody is left to ask whether it answers
			}
			if l.idle() {
				delete(r.lanes, name)
			}
		}
		r.mu.Unlock()
		timer.Reset(wait)
	}
}

// planOne plans one work. However it ends, the work is running, ended, or back in its lane.
func (r *reign) planOne(ctx context.Context, l *lane, id string) {
	defer r.nudgePlanner()
	began := time.Now()
	a, ok := r.c.State().Active(id)
	if !ok || a.Status != fsm.Queued {
		r.settled(l, id)
		return
	}
	cmd, err := r.look(ctx, a)
	switch {
	case r.ended():
		return
	case errors.Is(err, storage.ErrUnavailable):
		r.log.Warn("storage does not answer, planning waits", "work", id, "error", err)
		r.mu.Lock()
		l.failed(time.Now(), began, id)
		r.mu.Unlock()
		return
	case err != nil:
		r.mu.Lock()
		l.answered()
		r.mu.Unlock()
		r.fail(ctx, id, planError(err))
		return
	}
	for {
		_, err = r.c.node.Propose(ctx, cmd)
		if err == nil || r.ended() {
			break
		}
		if errors.Is(err, raftnode.ErrInvalid) || errors.Is(err, raftnode.ErrTooLarge) {
			r.mu.Lock()
			l.answered()
			r.mu.Unlock()
			r.fail(ctx, id, csvsum.DocError{Code: "bad_plan", Message: err.Error()})
			return
		}
		r.log.Error("plan not committed", "work", id, "error", err)
		r.pause(time.Second)
	}
	r.settled(l, id)
}

// settled ends the planning of a work that is queued no more: whatever the state says of it counts.
func (r *reign) settled(l *lane, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.answered()
	a, ok := r.c.State().Active(id)
	if !ok {
		r.forget(id)
		return
	}
	if e := r.works[id]; e != nil && !e.running && a.Status == fsm.Running {
		r.run(a, false)
	}
}

// look reads what a plan needs of a file.
func (r *reign) look(ctx context.Context, a *fsm.Active) (*fsm.Plan, error) {
	for try := 1; ; try++ {
		info, plan, err := r.sniff(ctx, a)
		if errors.Is(err, storage.ErrChanged) && try < planTries {
			r.pause(time.Second)
			continue
		}
		if err != nil {
			return nil, err
		}
		return r.planOf(a.ID, a.Options, info, plan), nil
	}
}

// planOf is the command that follows from a file's head.
func (r *reign) planOf(id string, opt csvsum.Options, info storage.Info, plan *csvsum.Plan) *fsm.Plan {
	chunk := opt.ChunkBytes
	if chunk == 0 {
		chunk = csvsum.AutoChunk(info.Size, r.slots())
	}
	return &fsm.Plan{ID: id, Time: time.Now().UTC(), Plan: *plan, Version: info.Version, Chunk: chunk}
}

// slots is for how many slots a work is split.
func (r *reign) slots() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.sched.Stats()
	switch {
	case st.FreeSlots > 0:
		return int(st.FreeSlots)
	case st.Slots > 0:
		return int(st.Slots)
	}
	return defaultSlots
}

// sniff reads the head of a file, more and more of it while the first record does not end.
func (r *reign) sniff(ctx context.Context, a *fsm.Active) (storage.Info, *csvsum.Plan, error) {
	info, err := within(ctx, planStat, func(ctx context.Context) (storage.Info, error) {
		return r.c.files.Stat(ctx, a.Path)
	})
	if err != nil {
		return info, nil, err
	}
	for want := int64(csvsum.HeadBytes); ; want = min(2*want, csvsum.HeadBytes+csvsum.RecordLimit) {
		n := min(want, info.Size)
		head, err := within(ctx, planRead*time.Duration(1+n/csvsum.HeadBytes), func(ctx context.Context) ([]byte, error) {
			return r.c.head(ctx, info, n)
		})
		if err != nil {
			return info, nil, err
		}
		plan, err := csvsum.Sniff(head, info.Size, a.Options)
		if errors.Is(err, csvsum.ErrShortHead) && want < csvsum.HeadBytes+csvsum.RecordLimit {
			continue
		}
		return info, plan, err
	}
}

// head reads the first n bytes of a file.
func (c *Coordinator) head(ctx context.Context, info storage.Info, n int64) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	body, err := c.files.Open(ctx, info, 0, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	head := make([]byte, n)
	if _, err := io.ReadFull(body, head); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("read %s: %w: it ends early", info.Path, storage.ErrChanged)
		}
		return nil, err
	}
	return head, nil
}

// within asks the storage and waits for the answer no longer than patience, then it returns ErrUnavailable. The file system
// of a disk or server that hangs cannot be interrupted: such a call stays behind, by itself, until the system gives it up,
// lest it keep a leadership from ending.
func within[T any](ctx context.Context, patience time.Duration, ask func(ctx context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	actx, cancel := context.WithTimeout(ctx, patience)
	answers := make(chan answer, 1)
	go func() {
		defer cancel()
		v, err := ask(actx)
		answers <- answer{v, err}
	}()
	var a answer
	select {
	case a = <-answers:
	case <-actx.Done():
		select {
		case a = <-answers: // it ended well, and cancel came with it
		default:
			a.err = actx.Err()
		}
	}
	if errors.Is(a.err, context.DeadlineExceeded) && ctx.Err() == nil && !errors.Is(a.err, storage.ErrUnavailable) {
		a.err = fmt.Errorf("%w: no answer within %v: %w", storage.ErrUnavailable, patience, a.err)
	}
	return a.value, a.err
}

// planError is why a work fails whose file cannot be planned.
func planError(err error) csvsum.DocError {
	d := csvsum.Why(err)
	if code := storage.Code(err); code != "" {
		d.Code = code
	}
	return *d
}
