package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"colsum/csvsum"
	"colsum/rpc"
)

// store is a storage that does not answer some works. One task at a time is leased of all those, to probe; the first byte for
// any of them ends it for all. Works on the same storage that are answered go on as ever: it may be single objects that are
// out of reach.
type store struct {
	works   map[*work]struct{} // not empty
	delay   time.Duration
	probeAt time.Time
	probe   rpc.LeaseToken // the probe under way; 0 for none
}

// silentStore makes a work one of those that the storage does not answer.
func (s *Scheduler) silentStore(now time.Time, w *work, since time.Time) {
	st := s.stores[w.Store]
	if st == nil {
		st = &store{works: make(map[*work]struct{}), delay: awayBase, probeAt: now.Add(awayBase)}
		s.stores[w.Store] = st
	}
	st.works[w] = struct{}{}
	w.silent, w.away = st, since
	s.at(st.probeAt, w, noTask)
}

// answers reports whether a task of a work may be leased: the storage answers, as far as is known, or it is time to probe it.
func (w *work) answers(now time.Time) bool {
	return w.silent == nil || (w.silent.probe == 0 && !now.Before(w.silent.probeAt))
}

// probes makes a lease given while the storage is away the probe.
func (s *Scheduler) probes(now time.Time, w *work, token rpc.LeaseToken) {
	if w.silent != nil {
		w.silent.probe = token
		s.refreshStore(now, w.silent)
	}
}

// probed ends a probe, if the lease was one.
func (s *Scheduler) probed(w *work, token rpc.LeaseToken) {
	if w.silent != nil && w.silent.probe == token {
		w.silent.probe = 0
		s.refreshStore(s.now, w.silent)
	}
}

// unanswered records that the storage did not answer a task. Only a probe makes the delay grow: the other tasks that were
// under way when the storage went report the same outage. After its probe a work is the last in the queue, lest others wait
// for ever behind an object that alone is out of reach.
func (s *Scheduler) unanswered(now time.Time, w *work, probe bool) {
	switch st := w.silent; {
	case st == nil:
		s.silentStore(now, w, now)
	case probe:
		st.delay = min(2*st.delay, awayMax)
		st.probeAt = now.Add(st.delay)
		s.nextSeq++
		w.seq = s.nextSeq
		for o := range st.works {
			s.at(st.probeAt, o, noTask)
		}
		s.refreshStore(now, st)
	}
}

// answered records that the storage answers again, if it was away.
func (s *Scheduler) answered(now time.Time, w *work) {
	st := w.silent
	if st == nil {
		return
	}
	delete(s.stores, w.Store)
	for o := range st.works {
		o.silent, o.away = nil, time.Time{}
		s.refresh(now, o)
	}
}

// leaveStore forgets a work that ends.
func (s *Scheduler) leaveStore(w *work) {
	if w.silent == nil {
		return
	}
	delete(w.silent.works, w)
	if len(w.silent.works) == 0 {
		delete(s.stores, w.Store)
	}
	w.silent = nil
}

func (s *Scheduler) refreshStore(now time.Time, st *store) {
	for w := range st.works {
		s.refresh(now, w)
	}
}

// heardOf goes through what a worker says of its leases, which must be up to date: it finds out early that a storage is
// silent, and that it speaks again. One byte for any task of a work is enough.
func (s *Scheduler) heardOf(now time.Time, k *worker, running []rpc.Running) {
	for _, r := range running {
		l := s.find(k, r.TaskRef)
		if l == nil {
			continue
		}
		l.wait(r.Waiting >= silentAfter)
		if l.waits && now.Sub(l.work.spoke) >= silentAfter {
			if l.work.silent == nil {
				s.silentStore(now, l.work, now.Add(-r.Waiting))
			}
			s.refresh(now, l.work)
		}
	}
}

// speaks records that the storage of a work has sent something.
func (s *Scheduler) speaks(now time.Time, w *work) {
	w.spoke = now
	s.answered(now, w)
}

// AwaySince returns since when the storage of a work has not answered.
func (s *Scheduler) AwaySince(id rpc.WorkID) (since time.Time, ok bool) {
	w := s.works[id]
	if w == nil || w.silent == nil {
		return time.Time{}, false
	}
	return w.away, true
}

// blindness is why a worker cannot see a file, and when it is tried again.
type blindness struct {
	retry time.Time
	why   string
}

// cannotSee records that a worker cannot see the work's file.
func (s *Scheduler) cannotSee(now time.Time, w *work, id rpc.WorkerID, why string) {
	s.blinds[w] = struct{}{}
	if w.blind == nil {
		w.blind = make(map[rpc.WorkerID]blindness)
	}
	w.blind[id] = blindness{now.Add(blindRetry), why}
}

// sees reports whether a worker may be given tasks of a work. One that could not see the file gets one task at times, in
// case it can now.
func (s *Scheduler) sees(now time.Time, w *work, k *worker) bool {
	b, blind := w.blind[k.info.ID]
	if !blind {
		return true
	}
	if now.Before(b.retry) {
		return false
	}
	s.cannotSee(now, w, k.info.ID, b.why)
	s.at(now.Add(blindRetry), w, noTask)
	return true
}

// checkBlind fails the works whose file none of the live workers has seen for BlindLimit. Without workers nothing fails:
// one that sees the file may come.
func (s *Scheduler) checkBlind(now time.Time) {
	for w := range s.blinds {
		for id := range w.blind {
			if s.workers[id] == nil {
				delete(w.blind, id)
			}
		}
		if len(w.blind) == 0 || w.doomed {
			w.unseen = time.Time{}
			delete(s.blinds, w)
			continue
		}
		if !s.allBlind(w) {
			w.unseen = time.Time{}
			continue
		}
		if w.unseen.IsZero() {
			w.unseen = now
			s.at(now.Add(s.cfg.BlindLimit), w, noTask)
		}
		if now.Sub(w.unseen) >= s.cfg.BlindLimit {
			s.Doom(now, w.ID, csvsum.DocError{
				Code: "file_not_found",
				Message: fmt.Sprintf("no worker has been able to see the file, in the version that was planned, for %v: %s",
					s.cfg.BlindLimit, strings.Join(s.blindHosts(w), "; ")),
			})
		}
	}
}

// Unseen reports whether none of the live workers could see the work's file when last asked. The caller may know more.
func (s *Scheduler) Unseen(id rpc.WorkID) bool {
	w := s.works[id]
	return w != nil && !w.doomed && !w.unseen.IsZero()
}

func (s *Scheduler) allBlind(w *work) bool {
	any := false
	for id, k := range s.workers {
		if k.leaving {
			continue
		}
		if _, blind := w.blind[id]; !blind {
			return false
		}
		any = true
	}
	return any
}

func (s *Scheduler) blindHosts(w *work) []string {
	var hosts []string
	for id, b := range w.blind {
		host := fmt.Sprintf("%s on %s", id, s.workers[id].info.Host)
		if b.why != "" {
			host += " says: " + b.why
		}
		hosts = append(hosts, host)
	}
	slices.Sort(hosts)
	return hosts
}
