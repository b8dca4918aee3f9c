package scheduler

import (
	"fmt"
	"slices"
	"time"
)

// check walks everything the scheduler holds and returns the first broken invariant.
func (s *Scheduler) check(now time.Time) error {
	var pending, leased, slots int64
	leases := 0
	for id, w := range s.works {
		if err := s.checkWork(now, w); err != nil {
			return fmt.Errorf("work %s: %w", id, err)
		}
		pending += w.unleased()
		leased += int64(w.leased)
		leases += w.leases
	}
	if s.pending != pending || s.leased != leased {
		return fmt.Errorf("sums: pending %d leased %d, want %d %d", s.pending, s.leased, pending, leased)
	}
	for id, k := range s.workers {
		if !k.leaving {
			slots += int64(k.slots())
		}
		suspects := 0
		for token, l := range k.leases {
			leases--
			if l.worker != k || l.token != token || l.released || l.work.removed {
				return fmt.Errorf("worker %s: lease %d is not one of it: %+v", id, token, l)
			}
			if l.task.leases[0] != l && l.task.leases[1] != l {
				return fmt.Errorf("worker %s: lease %d is not one of its task", id, token)
			}
			if l.suspect {
				suspects++
			}
		}
		if k.suspects != suspects {
			return fmt.Errorf("worker %s: counts %d suspects, has %d", id, k.suspects, suspects)
		}
	}
	if leases != 0 {
		return fmt.Errorf("works and workers differ by %d leases", leases)
	}
	if s.slots != slots {
		return fmt.Errorf("slots %d, want %d", s.slots, slots)
	}
	for name, st := range s.stores {
		held := st.probe == 0
		for w := range st.works {
			if w.removed || w.silent != st || w.Store != name {
				return fmt.Errorf("store %q: work %s is not of it", name, w.ID)
			}
			for _, t := range w.open {
				held = held || (t.leases[0] != nil && t.leases[0].token == st.probe)
			}
		}
		if len(st.works) == 0 || !held {
			return fmt.Errorf("store %q: %d works, probe %d is a lease: %v", name, len(st.works), st.probe, held)
		}
	}
	for w := range s.tails {
		if w.removed {
			return fmt.Errorf("work %s is removed and in tails", w.ID)
		}
	}
	for i, w := range s.runnable {
		if w.removed || w.runIndex != i {
			return fmt.Errorf("runnable[%d] is work %s with index %d, removed %v", i, w.ID, w.runIndex, w.removed)
		}
	}
	return nil
}

func (s *Scheduler) checkWork(now time.Time, w *work) error {
	leased, leases := 0, 0
	for i := range w.Tasks {
		t, done := w.open[i], w.isDone(i)
		switch {
		case done && t != nil:
			return fmt.Errorf("task %d is done and open", i)
		case t == nil && !done && i < w.cursor:
			return fmt.Errorf("task %d is lost: below the cursor %d, not done, not open", i, w.cursor)
		case t == nil:
			continue
		case t.index != i:
			return fmt.Errorf("task %d has index %d", i, t.index)
		}
		places := 0
		if t.leases[0] != nil {
			places++
			leased++
			leases++
		}
		if t.leases[1] != nil {
			leases++
			if t.leases[0] == nil || t.leases[0].worker == t.leases[1].worker {
				return fmt.Errorf("task %d has a backup without another worker's lease", i)
			}
		}
		if t.ready {
			places++
			if !slices.Contains(w.ready, t) {
				return fmt.Errorf("task %d is ready and not in the heap", i)
			}
		}
		if !t.due.IsZero() {
			places++
			if !slices.ContainsFunc(s.timers, func(e timer) bool { return e.work == w && e.task == i && !e.at.After(t.due) }) {
				return fmt.Errorf("task %d is delayed without a timer", i)
			}
		}
		if places != 1 {
			return fmt.Errorf("task %d is in %d places (leased %v, ready %v, delayed %v)", i, places, t.leases[0] != nil, t.ready, !t.due.IsZero())
		}
	}
	if w.leased != leased || w.leases != leases {
		return fmt.Errorf("leased %d leases %d, want %d %d", w.leased, w.leases, leased, leases)
	}
	run := !w.doomed && !now.Before(w.notBefore) && w.answers(now) && (w.hasReady() || w.reach())
	if run != (w.runIndex >= 0) {
		return fmt.Errorf("runnable %v, in the heap %v", run, w.runIndex >= 0)
	}
	if _, tail := s.tails[w]; tail != (w.unleased() == 0 && w.leased > 0 && !w.doomed) {
		return fmt.Errorf("in tails %v, unleased %d leased %d", tail, w.unleased(), w.leased)
	}
	if st := w.silent; st != nil {
		if _, in := st.works[w]; !in || s.stores[w.Store] != st || w.away.IsZero() {
			return fmt.Errorf("away since %v, but not of its store %q", w.away, w.Store)
		}
	}
	return nil
}
