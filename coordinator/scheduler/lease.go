package scheduler

import (
	"time"

	"colsum/csvsum"
	"colsum/rpc"
)

// worker is a worker that was heard of within the TTL.
type worker struct {
	info     rpc.Worker
	seen     time.Time
	leaving  bool
	leases   map[rpc.LeaseToken]*lease
	waits    int   // leases that wait for a silent storage: the worker runs others meanwhile
	suspects int   // leases of tasks that were suspect when leased
	counted  int64 // slots, as last added to Scheduler.slots
	speed    meter
}

func (k *worker) slots() int { return max(1, k.info.Slots) }

// lease is the right of a worker to run a task until a deadline.
type lease struct {
	token    rpc.LeaseToken
	work     *work
	task     *task
	worker   *worker
	since    time.Time
	deadline time.Time
	bytes    int64 // done, as the worker reported
	heard    bool  // the worker has named it in a heartbeat
	suspect  bool  // counted in worker.suspects
	copied   bool  // had a backup: no second one
	waits    bool  // counted in worker.waits
	released bool
}

// wait keeps count of the leases that wait for a silent storage.
func (l *lease) wait(waits bool) {
	if waits != l.waits {
		l.waits = waits
		if waits {
			l.worker.waits++
		} else {
			l.worker.waits--
		}
	}
}

func (l *lease) ref() rpc.TaskRef {
	return rpc.TaskRef{Work: l.work.ID, Task: l.task.index, Token: l.token}
}

// hear records that a worker gave a sign of life.
func (s *Scheduler) hear(now time.Time, who rpc.Worker) *worker {
	k := s.workers[who.ID]
	if k == nil {
		k = &worker{leases: make(map[rpc.LeaseToken]*lease)}
		s.workers[who.ID] = k
	}
	k.info, k.seen = who, now
	s.countSlots(k, !k.leaving)
	return k
}

// Touch records that a worker is there, for one that waits for tasks.
func (s *Scheduler) Touch(now time.Time, who rpc.Worker) { s.hear(now, who) }

// countSlots keeps the sum of slots.
func (s *Scheduler) countSlots(k *worker, in bool) {
	s.slots -= k.counted
	k.counted = 0
	if in {
		k.counted = int64(k.slots())
	}
	s.slots += k.counted
}

// grant leases a task that has no lease, or one.
func (s *Scheduler) grant(now time.Time, w *work, t *task, k *worker) *lease {
	token := s.nextToken
	s.nextToken++
	l := s.adopt(now, w, t, k, token)
	l.heard = false
	s.probes(now, w, token)
	return l
}

// adopt records a lease under a token that is given.
func (s *Scheduler) adopt(now time.Time, w *work, t *task, k *worker, token rpc.LeaseToken) *lease {
	l := &lease{
		token: token, work: w, task: t, worker: k,
		since: now, deadline: now.Add(s.cfg.TTL), heard: true, suspect: t.suspect(),
	}
	if t.leases[0] == nil {
		t.leases[0] = l
		w.leased++
	} else {
		t.leases[1] = l
	}
	t.ready, t.due = false, time.Time{}
	w.leases++
	if len(w.byAge) > 2*w.leases+16 {
		w.dropReleased()
	}
	w.byAge = append(w.byAge, l)
	k.leases[token] = l
	if l.suspect {
		k.suspects++
	}
	return l
}

// release ends a lease. It reports whether the task is without a lease now; the caller says where it goes.
func (s *Scheduler) release(l *lease) (bare bool) {
	if l.released {
		return false
	}
	l.released = true
	w, t := l.work, l.task
	delete(l.worker.leases, l.token)
	l.wait(false)
	if l.suspect {
		l.worker.suspects--
	}
	w.leases--
	if t.leases[0] == l {
		t.leases[0] = t.leases[1]
	}
	t.leases[1] = nil
	bare = t.leases[0] == nil
	if bare {
		w.leased--
	}
	s.probed(w, l.token)
	return bare
}

func (s *Scheduler) releaseAll(t *task) {
	for t.leases[0] != nil {
		s.release(t.leases[0])
	}
}

// find returns the lease a worker's reference is about; nil when it is not held (any more), or by another.
func (s *Scheduler) find(k *worker, ref rpc.TaskRef) *lease {
	l := k.leases[ref.Token]
	if l == nil || l.work.ID != ref.Work || l.task.index != ref.Task {
		return nil
	}
	return l
}

// Heartbeat prolongs the leases of a worker and returns those of its tasks that are of no more use. A lease that is not
// known is adopted, provided its task is not done and nobody else is at it: it comes from an earlier leader, or ran out
// while the worker was thought dead.
func (s *Scheduler) Heartbeat(now time.Time, who rpc.Worker, running []rpc.Running, leaving bool) (stop []rpc.TaskRef) {
	s.advance(now)
	k := s.hear(now, who)
	k.leaving = leaving
	s.countSlots(k, !leaving)
	for _, r := range running {
		w := s.works[r.Work]
		if w == nil || w.doomed || r.Task < 0 || r.Task >= w.Tasks || w.isDone(r.Task) {
			stop = append(stop, r.TaskRef)
			continue
		}
		l := s.find(k, r.TaskRef)
		if l == nil {
			t := w.open[r.Task]
			if (t != nil && t.leases[0] != nil) || k.leases[r.Token] != nil {
				stop = append(stop, r.TaskRef)
				continue
			}
			l = s.adopt(now, w, w.entry(r.Task), k, r.Token)
			s.refresh(now, w)
		}
		l.heard, l.deadline = true, now.Add(s.cfg.TTL)
		s.progress(now, l, r.BytesDone)
	}
	s.heardOf(now, k, running)
	return stop
}

// progress counts the bytes of a task that were done since the last word of it.
func (s *Scheduler) progress(now time.Time, l *lease, bytes int64) {
	bytes = min(bytes, l.work.length(l.task.index))
	if n := bytes - l.bytes; n > 0 {
		l.bytes = bytes
		l.worker.speed.add(now, n)
		l.work.speed.add(now, n)
		s.speaks(now, l.work)
	}
}

// Expire ends the leases and forgets the workers that were not heard of for the TTL. It has to be called at least twice
// per TTL: after a longer pause it is this process that was away, not the workers, so all deadlines start anew.
func (s *Scheduler) Expire(now time.Time) {
	s.advance(now)
	late := !s.lastExpire.IsZero() && now.Sub(s.lastExpire) > s.cfg.TTL/2
	s.lastExpire = now
	for id, k := range s.workers {
		if late {
			k.seen = now
			for _, l := range k.leases {
				l.deadline = now.Add(s.cfg.TTL)
			}
			continue
		}
		dead := now.Sub(k.seen) >= s.cfg.TTL
		for _, l := range k.leases {
			if dead || !now.Before(l.deadline) {
				s.expire(now, l, dead)
			}
		}
		if dead {
			s.countSlots(k, false)
			delete(s.workers, id)
		}
	}
	s.checkBlind(now)
}

// expire ends a lease that ran out. A worker that has died, or has forgotten a task it was running, counts against the
// task; a lease that never reached its worker does not.
func (s *Scheduler) expire(now time.Time, l *lease, dead bool) {
	t, w := l.task, l.work
	bare := s.release(l)
	switch {
	case w.doomed:
	case dead:
		s.strike(now, w, t, l.worker, "died")
	case l.heard:
		s.strike(now, w, t, l.worker, "lost the task")
	}
	if bare {
		s.requeue(now, w, t, l.worker)
	}
	s.refresh(now, w)
}

// requeue puts a task without lease back, for another worker where there is one: at once, or after a delay when the next
// attempt is the last.
func (s *Scheduler) requeue(now time.Time, w *work, t *task, failed *worker) {
	if len(s.workers) > 1 {
		t.avoid, t.avoidTo = failed.info.ID, now.Add(avoidFor)
		s.at(t.avoidTo, w, noTask)
	}
	if t.suspect() {
		t.due = now.Add(retryDelay)
		s.at(t.due, w, t.index)
		return
	}
	w.makeReady(t)
}

// knownState is the state of a rerun, Unknown where the map has none.
func knownState(states map[int64]csvsum.State, i int64) csvsum.State {
	if st, ok := states[i]; ok {
		return st
	}
	return csvsum.Unknown
}
