package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"colsum/csvsum"
	"colsum/rpc"
)

// away is a work's storage that does not answer. While it is away one task at a time is leased, to probe; the first task
// that completes ends it.
type away struct {
	since   time.Time // zero: the storage answers, as far as is known
	delay   time.Duration
	probeAt time.Time
	probe   rpc.LeaseToken // the probe under way; 0 for none
}

// open reports whether a task may be leased.
func (a *away) open(now time.Time) bool {
	return a.since.IsZero() || (a.probe == 0 && !now.Before(a.probeAt))
}

// granted makes a lease given while the storage is away the probe.
func (a *away) granted(now time.Time, token rpc.LeaseToken) {
	if !a.since.IsZero() {
		a.probe = token
	}
}

func (a *away) probing(token rpc.LeaseToken) bool { return a.probe != 0 && a.probe == token }

func (a *away) released(token rpc.LeaseToken) {
	if a.probing(token) {
		a.probe = 0
	}
}

// failed records that the storage did not answer. Only a probe makes the delay grow: the other tasks that were under way
// when the storage went report the same outage.
func (a *away) failed(now time.Time, probe bool) {
	switch {
	case a.since.IsZero():
		a.since, a.delay = now, awayBase
	case probe:
		a.delay = min(2*a.delay, awayMax)
	default:
		return
	}
	a.probeAt = now.Add(a.delay)
}

// silent records that all who wait for the storage do so in vain.
func (a *away) silent(now, since time.Time) {
	if a.since.IsZero() {
		a.since, a.delay, a.probeAt = since, awayBase, now.Add(awayBase)
	}
}

func (a *away) clear() { *a = away{} }

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
			l.work.away.silent(now, now.Add(-r.Waiting))
			s.at(l.work.away.probeAt, l.work, noTask)
			s.refresh(now, l.work)
		}
	}
}

// speaks records that the storage of a work has sent something.
func (s *Scheduler) speaks(now time.Time, w *work) {
	w.spoke = now
	if !w.away.since.IsZero() {
		w.away.clear()
		s.refresh(now, w)
	}
}

// AwaySince returns since when the storage of a work has not answered.
func (s *Scheduler) AwaySince(id rpc.WorkID) (since time.Time, ok bool) {
	w := s.works[id]
	if w == nil || w.away.since.IsZero() {
		return time.Time{}, false
	}
	return w.away.since, true
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
