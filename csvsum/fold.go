package csvsum

import (
	"maps"
	"slices"
)

// Fold adds partials in task order. It is a deterministic state machine without I/O: the replicated state and `colsum sum`
// run the same one. Partials may be offered in any order. Exported fields are its whole durable state, except the done
// partials, which the caller can walk with Done and put back with Restore. Not safe for concurrent use.
type Fold struct {
	// Frontier: the tasks [0, Frontier) are in the result.
	Frontier int64 `codec:"frontier"`
	// Known >= Frontier: the start states of tasks [Frontier, Known] are known; KnownState is that of task Known.
	Known      int64 `codec:"known"`
	KnownState State `codec:"known_state"`
	// FrontierState is the start state of task Frontier.
	FrontierState State `codec:"frontier_state"`
	// Reruns holds, for tasks up to Known whose partial was dropped, the state to run them with.
	Reruns map[int64]State `codec:"reruns"`
	// The running result.
	Rows    int64     `codec:"rows"`
	Width   int       `codec:"width"`
	Columns []Column  `codec:"columns"`
	Bad     []BadCell `codec:"bad"`
	// Fault, once set, is final: the first in file order.
	Fault *Fault `codec:"fault"`

	done map[int64]*Partial
}

// Verdict is what Offer did with a partial.
type Verdict uint8

const (
	// Accepted: kept, and folded now or once its turn comes.
	Accepted Verdict = iota
	// Duplicate: the task had been done before; nothing changed.
	Duplicate
	// WrongState: the assumed state is known to be wrong; the task must run again with StartState.
	WrongState
)

// NewFold returns the fold of a plan before its first partial.
func NewFold(p *Plan) *Fold {
	return &Fold{KnownState: RecordStart, FrontierState: RecordStart, Reruns: map[int64]State{}}
}

// Offer takes the partial of task i, for which Validate holds. dropped lists earlier accepted tasks whose partials turned
// out to rest on a wrong state and must run again (their states are in Reruns, as is task i itself on WrongState).
//
// The fold takes p over. After a fault nothing counts any more: every offer is a Duplicate then.
func (f *Fold) Offer(i int64, p *Partial) (v Verdict, dropped []int64) {
	if f.Fault != nil || f.IsDone(i) {
		return Duplicate, nil
	}
	s := f.StartState(i)
	if s != Unknown && p.Assumed != s {
		f.rerun(i, s)
		if i == f.Known {
			// The partial's sums are worth nothing, but its other end states may show how the tasks behind it begin.
			dropped = f.advance(p.Ends[s])
		}
		f.settle(&dropped)
		return WrongState, dropped
	}
	if f.done == nil {
		f.done = map[int64]*Partial{}
	}
	f.done[i] = p
	delete(f.Reruns, i)
	dropped = f.chain()
	f.settle(&dropped)
	return Accepted, dropped
}

// chain moves Known over the partials that wait, and drops those that rest on a wrong state.
func (f *Fold) chain() (dropped []int64) {
	p := f.done[f.Known]
	if p == nil {
		return nil
	}
	if p.Assumed != f.KnownState {
		delete(f.done, f.Known)
		f.rerun(f.Known, f.KnownState)
		dropped = []int64{f.Known}
	}
	return append(dropped, f.advance(p.Ends[f.KnownState])...)
}

// advance takes the end state of task Known, Unknown if nobody knows it, and goes on from there.
func (f *Fold) advance(end State) (dropped []int64) {
	for end != Unknown {
		f.Known++
		f.KnownState = end
		p := f.done[f.Known]
		if p == nil {
			break
		}
		if p.Assumed != f.KnownState {
			delete(f.done, f.Known)
			f.rerun(f.Known, f.KnownState)
			dropped = append(dropped, f.Known)
		}
		end = p.Ends[f.KnownState]
	}
	return dropped
}

// settle adds the partials whose turn has come to the running result.
func (f *Fold) settle(dropped *[]int64) {
	for f.Fault == nil {
		p := f.done[f.Frontier]
		if p == nil {
			return
		}
		if p.Assumed != f.FrontierState {
			// Two scans of one task disagreed on its end state: some worker is broken. What was derived from the other
			// scan is void; go on from what the sums rest on.
			f.Known, f.KnownState = f.Frontier, f.FrontierState
			clear(f.Reruns)
			*dropped = append(*dropped, f.chain()...)
			continue
		}
		delete(f.done, f.Frontier)
		f.add(p)
		if f.Fault != nil {
			clear(f.done)
			clear(f.Reruns)
			return
		}
		f.Frontier++
		f.FrontierState = p.Ends[p.Assumed]
	}
}

func (f *Fold) add(p *Partial) {
	for _, b := range p.Bad {
		if len(f.Bad) < MaxBadCells {
			b.Row += f.Rows
			f.Bad = append(f.Bad, b)
		}
	}
	for len(f.Columns) < len(p.Columns) {
		f.Columns = append(f.Columns, Column{})
	}
	for i := range p.Columns {
		from, to := &p.Columns[i], &f.Columns[i]
		to.Sum.Add(&from.Sum)
		to.Numeric += from.Numeric
		to.Empty += from.Empty
		to.Invalid += from.Invalid
	}
	if p.Fault != nil {
		fault := *p.Fault
		if fault.Row > 0 {
			fault.Row += f.Rows
		}
		f.Fault = &fault
	}
	f.Rows += p.Rows
	f.Width = max(f.Width, p.Width)
}

func (f *Fold) rerun(i int64, s State) {
	if f.Reruns == nil {
		f.Reruns = map[int64]State{}
	}
	f.Reruns[i] = s
}

// StartState returns the state task i must be run with, or Unknown while nobody knows.
func (f *Fold) StartState(i int64) State {
	if s, ok := f.Reruns[i]; ok {
		return s
	}
	switch i {
	case f.Known:
		return f.KnownState
	case f.Frontier:
		return f.FrontierState
	}
	if p := f.done[i]; p != nil && i < f.Known {
		return p.Assumed
	}
	return Unknown
}

// IsDone reports whether task i is folded or waits beyond the frontier.
func (f *Fold) IsDone(i int64) bool {
	return i < f.Frontier || f.done[i] != nil
}

// Done calls fn for each partial that waits beyond the frontier, by ascending task.
func (f *Fold) Done(fn func(i int64, p *Partial)) {
	for _, i := range slices.Sorted(maps.Keys(f.done)) {
		fn(i, f.done[i])
	}
}

// DoneCount returns how many partials wait beyond the frontier.
func (f *Fold) DoneCount() int64 { return int64(len(f.done)) }

// Restore puts a waiting partial back into a fold that was decoded; it decides nothing anew.
func (f *Fold) Restore(i int64, p *Partial) {
	if f.done == nil {
		f.done = map[int64]*Partial{}
	}
	f.done[i] = p
}
