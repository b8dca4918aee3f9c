package csvsum

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
	// Reruns holds, for tasks below Known whose partial was dropped, the state to run them with.
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
func NewFold(p *Plan) *Fold { panic("stub") }

// Offer takes the partial of task i of n. dropped lists earlier accepted tasks whose partials turned out to rest on a
// wrong state and must run again (their states are in Reruns, as is task i itself on WrongState).
func (f *Fold) Offer(i int64, p *Partial) (v Verdict, dropped []int64) { panic("stub") }

// StartState returns the state task i must be run with, or Unknown while nobody knows.
func (f *Fold) StartState(i int64) State { panic("stub") }

// IsDone reports whether task i is folded or waits beyond the frontier.
func (f *Fold) IsDone(i int64) bool { panic("stub") }

// Done calls fn for each partial that waits beyond the frontier, by ascending task.
func (f *Fold) Done(fn func(i int64, p *Partial)) { panic("stub") }

// DoneCount returns how many partials wait beyond the frontier.
func (f *Fold) DoneCount() int64 { return int64(len(f.done)) }

// Restore puts a waiting partial back into a fold that was decoded; it decides nothing anew.
func (f *Fold) Restore(i int64, p *Partial) { panic("stub") }
