package scheduler

import (
	"container/heap"
	"time"
)

// noTask is the task of a timer that concerns a work as a whole.
const noTask = -1

// timer is a time at which a work or a task of it may be leased again. It is only a reason to look: what it was set for
// may have passed by another way.
type timer struct {
	at   time.Time
	work *work
	task int64
}

func (s *Scheduler) at(at time.Time, w *work, task int64) {
	heap.Push(&s.timers, timer{at, w, task})
}

// advance carries out what is due.
func (s *Scheduler) advance(now time.Time) {
	s.now = now
	for len(s.timers) > 0 && !s.timers[0].at.After(now) {
		e := heap.Pop(&s.timers).(timer)
		if e.work.removed {
			continue
		}
		if e.task != noTask {
			t := e.work.open[e.task]
			if t != nil && t.leases[0] == nil && !t.due.IsZero() && !t.due.After(now) {
				e.work.makeReady(t)
			}
		}
		s.refresh(now, e.work)
	}
}

type timerHeap []timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)        { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = timer{}
	*h = old[:len(old)-1]
	return e
}
