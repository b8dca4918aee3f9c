package scheduler

import (
	"fmt"
	"strings"
	"time"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"
)

// Doom is a work that must fail for a reason only the scheduler knows. It leases nothing more of it; the caller ends it.
type Doom struct {
	Work  rpc.WorkID
	Error csvsum.DocError
}

// TakeDoomed returns the works found doomed since the last call, each once: the caller has to see that it ends.
func (s *Scheduler) TakeDoomed() []Doom {
	d := s.doomed
	s.doomed = nil
	return d
}

// Doom stops all leasing of a work that is about to fail.
func (s *Scheduler) Doom(now time.Time, id rpc.WorkID, err csvsum.DocError) {
	w := s.works[id]
	if w == nil || w.doomed {
		return
	}
	w.doomed = true
	s.doomed = append(s.doomed, Doom{Work: id, Error: err})
	s.refresh(now, w)
}

// Complete records what the replicated state did with a task's partial, whoever sent it and under whatever token.
// states gives the start states of the tasks that have to run again (fsm.StartState, read after the result).
func (s *Scheduler) Complete(now time.Time, who rpc.Worker, ref rpc.TaskRef, res fsm.CompletionResult, states map[int64]csvsum.State) {
	s.advance(now)
	k := s.hear(now, who)
	w := s.works[ref.Work]
	if w == nil {
		return
	}
	switch res.Outcome {
	case fsm.UnknownWork, fsm.Ended:
		s.RemoveWork(ref.Work)
		return
	case fsm.OK:
	default:
		// The state refused the partial as one that cannot be of this work: the worker is broken.
		s.broke(now, k, ref, fmt.Sprintf("handed in a result that was refused (outcome %d)", res.Outcome))
		return
	}
	if res.Status.Ended() {
		s.RemoveWork(ref.Work)
		return
	}
	if l := s.find(k, ref); l != nil {
		s.progress(now, l, w.length(ref.Task))
		w.durations.add(now.Sub(l.since))
	}
	s.answered(now, w)
	delete(w.blind, who.ID)
	if res.Verdict == csvsum.WrongState {
		if l := s.find(k, ref); l != nil {
			s.release(l)
		}
		w.rerun(ref.Task, knownState(states, ref.Task))
	} else {
		if t := w.open[ref.Task]; t != nil {
			s.releaseAll(t)
		}
		w.markDone(ref.Task)
	}
	for _, i := range res.Dropped {
		w.rerun(i, knownState(states, i))
	}
	w.advance()
	s.refresh(now, w)
}

// Fail records that a worker gives a task back undone. A reference that is not a lease of the worker changes nothing: the
// task is another's, or will be leased anew. Changed and Gone are the caller's to act on (Fail returns true for a lease that
// is held): see Doom.
func (s *Scheduler) Fail(now time.Time, who rpc.Worker, ref rpc.TaskRef, kind rpc.FailureKind, message string) (held bool) {
	s.advance(now)
	k := s.hear(now, who)
	l := s.find(k, ref)
	if l == nil {
		return false
	}
	if kind == rpc.Broke {
		s.broke(now, k, ref, message)
		return true
	}
	w, t := l.work, l.task
	probe := w.silent != nil && w.silent.probe == l.token
	bare := s.release(l)
	switch kind {
	case rpc.StorageAway:
		s.unanswered(now, w, probe)
	case rpc.NotHere:
		s.cannotSee(now, w, who.ID, message)
		s.at(now.Add(blindRetry), w, noTask)
	}
	if bare {
		w.makeReady(t)
	}
	s.refresh(now, w)
	s.checkBlind(now)
	return true
}

// broke counts a worker's own failure against the task.
func (s *Scheduler) broke(now time.Time, k *worker, ref rpc.TaskRef, why string) {
	l := s.find(k, ref)
	if l == nil {
		return
	}
	bare := s.release(l)
	s.strike(now, l.work, l.task, k, why)
	if bare {
		s.requeue(now, l.work, l.task, k)
	}
	s.refresh(now, l.work)
}

// strike counts an attempt against a task and dooms the work at the limit.
func (s *Scheduler) strike(now time.Time, w *work, t *task, k *worker, why string) {
	t.strikes = append(t.strikes, strike{k.info.ID, k.info.Host, why})
	if len(t.strikes) < strikeLimit {
		return
	}
	start := t.index * w.Chunk
	var whys []string
	for _, st := range t.strikes {
		whys = append(whys, fmt.Sprintf("worker %s on %s %s", st.worker, st.host, st.why))
	}
	s.Doom(now, w.ID, csvsum.DocError{
		Code: "task_poisoned",
		Message: fmt.Sprintf("bytes %d to %d of the file were given up after %d attempts: %s",
			start, start+w.length(t.index), len(t.strikes), strings.Join(whys, "; ")),
		Byte: &start,
	})
}
