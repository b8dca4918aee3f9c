package fsm

import (
	"colsum/csvsum"
)

// apply does one command to the memory and notes what has to be written. The answer depends on the state and the command
// alone. The caller holds the lock.
func (s *state) apply(cmd Command, index uint64, ch *changes) Response {
	a := applier{s, index, ch}
	switch c := cmd.(type) {
	case *Submit:
		return a.submit(c)
	case *Plan:
		return Response{Outcome: a.plan(c)}
	case *Complete:
		r := Response{Done: make([]CompletionResult, len(c.Done))}
		for i := range c.Done {
			r.Done[i] = a.complete(&c.Done[i], c.Time.UnixNano())
		}
		return r
	case *Fail:
		e := c.Error
		return Response{Outcome: a.stop(c.ID, c.Time.UnixNano(), Failed, &e)}
	case *Cancel:
		return Response{Outcome: a.stop(c.ID, c.Time.UnixNano(), Cancelled, nil)}
	case *Forget:
		return Response{Removed: a.forget(c)}
	case *Announce:
		s.nodes[c.Node.ID] = c.Node
		ch.nodes[c.Node.ID] = c.Node
		return Response{}
	}
	panic("fsm: apply of a command that Decode does not know")
}

type applier struct {
	s     *state
	index uint64
	ch    *changes
}

func (a *applier) submit(c *Submit) Response {
	if c.Key != "" {
		if w := a.s.keys[c.Key]; w != nil {
			return answer(w, c.Hash)
		}
	}
	if w := a.s.works[c.ID]; w != nil {
		return answer(w, c.Hash)
	}
	if c.MaxActive > 0 && len(a.s.active.list) >= c.MaxActive {
		return Response{Outcome: QueueFull}
	}
	opt := c.Options
	t := c.Time.UnixNano()
	w := &work{seq: a.s.next, changed: a.index, head: head{
		ID:      c.ID,
		Path:    c.Path,
		Status:  Queued,
		Ctime:   t,
		Mtime:   t,
		Planned: noTime,
		Key:     c.Key,
		Hash:    c.Hash,
		Options: &opt,
	}}
	if len(w.head.Hash) == 0 {
		w.head.Hash = nil
	}
	a.s.next++
	a.s.add(w)
	a.ch.of(w).head = true
	return Response{ID: c.ID}
}

// answer is that to a submit whose key or id is w's.
func answer(w *work, hash []byte) Response {
	if !sameHash(w.head.Hash, hash) {
		return Response{Outcome: Conflict, ID: w.head.ID}
	}
	return Response{ID: w.head.ID}
}

func (a *applier) plan(c *Plan) Outcome {
	w := a.s.works[c.ID]
	switch {
	case w == nil:
		return UnknownWork
	case w.head.Status.Ended():
		return Ended
	case w.head.Status != Queued:
		return NotQueued
	}
	plan := c.Plan
	a.s.leave(w)
	w.head.Status = Running
	w.head.Planned = later(w.head.Mtime, c.Time.UnixNano())
	w.head.Mtime = w.head.Planned
	w.head.Plan = &plan
	w.head.Version = c.Version
	w.head.Chunk = c.Chunk
	w.tasks = csvsum.Tasks(plan.Spec.Size, c.Chunk)
	w.fold = csvsum.NewFold(&plan)
	w.head.Progress = w.progress()
	w.changed = a.index
	a.s.enter(w)
	ch := a.ch.of(w)
	ch.head, ch.fold = true, true
	return OK
}

func (a *applier) complete(c *Completion, now int64) CompletionResult {
	w := a.s.works[c.Work]
	if w == nil {
		return CompletionResult{Outcome: UnknownWork}
	}
	if o := w.judge(c); o != OK {
		return CompletionResult{Outcome: o, Status: w.head.Status}
	}
	r := CompletionResult{}
	r.Verdict, r.Dropped = w.fold.Offer(c.Task, c.Partial)
	if r.Verdict != csvsum.Duplicate {
		ch := a.ch.of(w)
		ch.fold = true
		if r.Verdict == csvsum.Accepted {
			ch.put[c.Task] = c.Partial
		}
		for _, task := range r.Dropped {
			ch.drop(task)
		}
		w.head.Mtime = later(w.head.Mtime, now)
		w.changed = a.index
		a.s.advance(w)
		if f := w.fold.Fault; f != nil {
			a.end(w, now, Failed, faultError(f))
		} else if w.fold.Frontier == w.tasks {
			a.end(w, now, Done, nil)
		}
	}
	r.Status = w.head.Status
	return r
}

// judge says whether a completion may be offered to the fold.
func (w *work) judge(c *Completion) Outcome {
	switch {
	case w.head.Status.Ended():
		return Ended
	case w.head.Status != Running, c.Task < 0, c.Task >= w.tasks:
		return BadTask
	case c.Version != w.head.Version:
		return WrongVersion
	}
	spec := &w.head.Plan.Spec
	start, end := spec.TaskRange(c.Task, w.head.Chunk)
	if !validPartial(c.Partial, spec, start, end) {
		return BadTask
	}
	return OK
}

func (a *applier) stop(id string, now int64, status Status, e *csvsum.DocError) Outcome {
	w := a.s.works[id]
	switch {
	case w == nil:
		return UnknownWork
	case w.head.Status.Ended():
		return Ended
	}
	a.end(w, now, status, e)
	return OK
}

// end ends an active work and lets go of what only a running one needs.
func (a *applier) end(w *work, now int64, status Status, e *csvsum.DocError) {
	a.s.leave(w)
	w.head.Mtime = later(w.head.Mtime, now)
	w.changed = a.index
	w.head.Status = status
	w.head.Error = e
	ch := a.ch.of(w)
	ch.head = true
	ch.final = &final{head: w.head, fold: w.fold}
	w.head.Options, w.head.Plan, w.head.Version, w.head.Chunk = nil, nil, "", 0
	w.fold, w.tasks = nil, 0
	a.s.enter(w)
}

func (a *applier) forget(c *Forget) int {
	list := a.s.oldestEnded(c.Before.UnixNano(), c.Limit)
	if len(list) == 0 {
		return 0
	}
	for _, w := range list {
		ch := a.ch.of(w)
		ch.removed, ch.final = true, nil
	}
	a.s.forget(list)
	return len(list)
}

// faultError is how a work's document shows a fault of its file.
func faultError(f *csvsum.Fault) *csvsum.DocError {
	e := &csvsum.DocError{Code: f.Code, Message: f.Detail, Byte: &f.Byte}
	if f.Row > 0 {
		e.Row = &f.Row
	}
	if f.Column > 0 {
		e.Column = &f.Column
	}
	return cloneError(e)
}
