package scheduler

import (
	"slices"
	"time"
)

// backup leases to k a copy of the task that has most outlived what its work's tasks take; nil where there is none.
func (s *Scheduler) backup(now time.Time, k *worker) *lease {
	if len(s.tails) == 0 || now.Before(s.backupAt) {
		return nil
	}
	var best *lease
	var bestOver time.Duration
	next := now.Add(time.Hour)
	for w := range s.tails {
		w.dropReleased()
		if _, blind := w.blind[k.info.ID]; blind || w.silent != nil {
			continue
		}
		limit := w.backupAfter()
		for _, l := range w.byAge {
			if l.copied || l.suspect || l.task.leases[1] != nil {
				continue
			}
			over := now.Sub(l.since) - limit
			if over < 0 {
				next = earliest(next, l.since.Add(limit))
				break // the others are younger
			}
			next = now // somebody could take this one
			if l.worker == k {
				continue
			}
			if best == nil || over > bestOver || (over == bestOver && w.seq < best.work.seq) {
				best, bestOver = l, over
			}
			break
		}
	}
	if best == nil {
		s.backupAt = now.Add(backupScan)
		if next.After(s.backupAt) {
			s.backupAt = next
		}
		return nil
	}
	best.copied = true
	l := s.grant(now, best.work, best.task, k)
	l.copied = true
	return l
}

// addTail notes that w has nothing left to lease, and when its tasks may deserve backups at the earliest.
func (s *Scheduler) addTail(now time.Time, w *work) {
	if _, ok := s.tails[w]; ok {
		return
	}
	at := now.Add(backupScan)
	if len(s.tails) == 0 || at.Before(s.backupAt) {
		s.backupAt = at
	}
	s.tails[w] = struct{}{}
}

// backupAfter is how long a task runs before a copy of it is worth its cost.
func (w *work) backupAfter() time.Duration {
	m, ok := w.durations.median()
	if !ok {
		return backupAlone
	}
	return max(backupFactor*m, backupMin)
}

// dropReleased removes the leases that are gone from byAge.
func (w *work) dropReleased() {
	w.byAge = slices.DeleteFunc(w.byAge, func(l *lease) bool { return l.released })
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// samples keeps the durations of the last tasks of a work.
type samples struct {
	ring [63]time.Duration
	n    int // ever added
}

func (s *samples) add(d time.Duration) {
	s.ring[s.n%len(s.ring)] = d
	s.n++
}

// median returns the median; ok is false with fewer than backupSamples.
func (s *samples) median() (m time.Duration, ok bool) {
	n := min(s.n, len(s.ring))
	if n < backupSamples {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(s.ring[:n]))
	return sorted[n/2], true
}
