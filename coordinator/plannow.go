package coordinator

import (
	"context"
	"errors"
	"time"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/storage"
)

const (
	// planNowRead is how long Submit waits for the head of a file. A local disk takes a millisecond; what takes longer is
	// better read while the client has its work id already.
	planNowRead = 50 * time.Millisecond
	// planNowParallel bounds the heads held in memory, as laneParallel does in a lane.
	planNowParallel = 16
	// tardyFor is how long no head is asked for in Submit after a lane did not answer in time: reads that are given up
	// would double the load of a storage that is slow. Short, since it may have been this machine that was busy.
	tardyFor = time.Second
)

// planNow returns the Plan to follow a Submit, if the file's head can be had at once. Whatever stands against it, be it the
// storage or the file itself, is for the planner to find anew and to deal with.
func (r *reign) planNow(ctx context.Context, s *fsm.Submit, info storage.Info) []fsm.Command {
	name := laneOf(s.Path)
	r.mu.Lock()
	tardy := time.Now().Before(r.tardy[name])
	r.mu.Unlock()
	if tardy {
		return nil
	}
	plan, err := within(ctx, planNowRead, func(ctx context.Context) (*csvsum.Plan, error) {
		select {
		case r.heads <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		defer func() { <-r.heads }() // not before the read has ended, even if nobody waits for it any more
		head, err := r.c.head(ctx, info, min(csvsum.HeadBytes, info.Size))
		if err != nil {
			return nil, err
		}
		return csvsum.Sniff(head, info.Size, s.Options)
	})
	if errors.Is(err, storage.ErrUnavailable) {
		r.mu.Lock()
		r.tardy[name] = time.Now().Add(tardyFor)
		r.mu.Unlock()
	}
	if err != nil {
		return nil
	}
	return []fsm.Command{r.planOf(s.ID, s.Options, info, plan)}
}
