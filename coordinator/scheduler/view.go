package scheduler

import (
	"cmp"
	"math"
	"slices"
	"time"

	"colsum/rpc"
)

// Stats is a summary of the scheduler's state.
type Stats struct {
	Works   int
	Workers int
	// Slots of the workers that take tasks, and how many of them have no lease.
	Slots, FreeSlots int64
	// Tasks of the works: leased, and neither leased nor done.
	Leased, Pending int64
}

// Stats costs a walk over the workers.
func (s *Scheduler) Stats() Stats {
	st := Stats{Works: len(s.works), Workers: len(s.workers), Leased: s.leased, Pending: s.pending}
	for _, k := range s.workers {
		if !k.leaving {
			st.Slots += int64(k.slots())
			st.FreeSlots += int64(max(0, k.slots()-len(k.leases)))
		}
	}
	return st
}

// WorkerState is a live worker.
type WorkerState struct {
	rpc.Worker
	Leaving        bool
	Seen           time.Time
	BytesPerSecond float64
	Running        []RunningState // by work and task
}

// RunningState is a lease of a worker.
type RunningState struct {
	rpc.TaskRef
	Since  time.Time
	Bytes  int64 // done, as last reported
	Length int64 // of the task
	Backup bool  // two workers are at the task
}

// Workers returns the live workers by id.
func (s *Scheduler) Workers(now time.Time) []WorkerState {
	list := make([]WorkerState, 0, len(s.workers))
	for _, k := range s.workers {
		v := WorkerState{Worker: k.info, Leaving: k.leaving, Seen: k.seen, BytesPerSecond: k.speed.rate(now)}
		for _, l := range k.leases {
			v.Running = append(v.Running, RunningState{
				TaskRef: l.ref(), Since: l.since, Bytes: l.bytes,
				Length: l.work.length(l.task.index), Backup: l.task.leases[1] != nil,
			})
		}
		slices.SortFunc(v.Running, func(a, b RunningState) int {
			return cmp.Or(cmp.Compare(a.Work, b.Work), cmp.Compare(a.Task, b.Task))
		})
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b WorkerState) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Speed returns how many bytes a second of a work were done lately; 0 for an unknown work.
func (s *Scheduler) Speed(now time.Time, id rpc.WorkID) float64 {
	if w := s.works[id]; w != nil {
		return w.speed.rate(now)
	}
	return 0
}

// meterTau is the time constant of meter: what was done so long ago counts 1/e.
const meterTau = 5 * time.Second

// meter is an exponentially decaying rate. The zero value is ready.
type meter struct {
	at    time.Time
	value float64 // per second, at at
}

func (m *meter) add(now time.Time, n int64) {
	m.value = m.rate(now) + float64(n)/meterTau.Seconds()
	m.at = now
}

func (m *meter) rate(now time.Time) float64 {
	if m.value == 0 {
		return 0
	}
	return m.value * math.Exp(-max(0, now.Sub(m.at).Seconds())/meterTau.Seconds())
}
