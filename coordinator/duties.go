package coordinator

import (
	"context"
	"time"

	"colsum/fsm"
)

const (
	// retainEvery is how often ended works are counted, ageEvery how often old ones are looked for (a log entry each).
	retainEvery = 5 * time.Second
	ageEvery    = 10 * time.Minute
)

// retain forgets ended works by number and by age (Config.KeepEnded, KeepFor).
func (r *reign) retain(ctx context.Context) {
	var aged time.Time
	for {
		r.purgeSurplus(ctx)
		if counts := r.c.State().Counts(); time.Since(aged) >= ageEvery && counts.Done+counts.Failed+counts.Cancelled > 0 {
			aged = time.Now()
			r.purgeAged(ctx, aged)
		}
		if !r.pause(retainEvery) {
			return
		}
	}
}

// purgeSurplus forgets the oldest of more than KeepEnded ended works.
func (r *reign) purgeSurplus(ctx context.Context) {
	counts := r.c.State().Counts()
	if over := counts.Done + counts.Failed + counts.Cancelled - r.c.cfg.KeepEnded; over > 0 {
		r.purge(ctx, time.Now(), over)
	}
}

// purgeAged forgets the works that ended KeepFor before now or earlier.
func (r *reign) purgeAged(ctx context.Context, now time.Time) {
	r.purge(ctx, now.Add(-r.c.cfg.KeepFor), 0)
}

func (r *reign) purge(ctx context.Context, before time.Time, limit int) {
	removed, err := r.c.forget(ctx, before, limit)
	if removed > 0 {
		r.log.Info("forgot ended works", "works", removed)
	}
	if err != nil && !r.ended() {
		r.log.Warn("ended works not forgotten", "error", err)
	}
}

// announce makes this node's addresses known where the state has others.
func (r *reign) announce(ctx context.Context) {
	for {
		for _, n := range r.c.State().Nodes() {
			if n == r.c.cfg.Self {
				return
			}
		}
		_, err := r.c.node.Propose(ctx, &fsm.Announce{Node: r.c.cfg.Self})
		if err == nil || r.ended() {
			return
		}
		r.log.Warn("addresses not announced", "error", err)
		if !r.pause(time.Second) {
			return
		}
	}
}
