package scheduler

import (
	"slices"
	"testing"

	"colsum/csvsum"
	"colsum/fsm"

	"github.com/hashicorp/raft"
)

// sabotage is a bug planted into the simulation, as if the program had it; 0 is none.
type sabotage int

const (
	doubleFold   sabotage = iota + 1 // a partial counts twice in the sum
	lostTask                         // the scheduler forgets a task that it leased
	earlyDone                        // the scheduler takes a task for done that is not committed
	doubleLease                      // the scheduler forgets who holds a task and leases it again
	unheardDrops                     // the scheduler is not told of partials that were dropped
	endlessAway                      // the scheduler never leases from a storage again that was away once
	skippedEntry                     // another node passes over a log entry
	lastSabotage
)

func (s sabotage) String() string {
	return []string{"none", "double fold", "lost task", "early done", "double lease", "unheard drops", "endless away", "skipped entry"}[s]
}

// partial is what is committed for a task.
func (s sabotage) partial(m *replicated, f *simFile, g Grant) *csvsum.Partial {
	p := m.partial(f, g)
	if s == doubleFold && m.rnd.IntN(10) == 0 {
		twice := *p
		twice.Columns = slices.Clone(p.Columns)
		for i := range twice.Columns {
			c := &twice.Columns[i]
			c.Sum.Add(&p.Columns[i].Sum)
		}
		return &twice
	}
	return p
}

// answer is what the scheduler hears of a completion.
func (s sabotage) answer(r fsm.CompletionResult) fsm.CompletionResult {
	if s == unheardDrops {
		r.Dropped = nil
	}
	return r
}

// granted is called after each lease.
func (s sabotage) granted(m *replicated, l *simLeader, g Grant) {
	w := l.s.works[g.Work]
	if s == 0 || w == nil || m.rnd.IntN(10) > 0 {
		return
	}
	t := w.open[g.Task]
	switch s {
	case lostTask:
		l.s.releaseAll(t)
		delete(w.open, g.Task)
	case earlyDone:
		l.s.releaseAll(t)
		w.markDone(g.Task)
		w.advance()
	case doubleLease:
		l.s.releaseAll(t)
		w.makeReady(t)
	default:
		return
	}
	l.s.refresh(m.now, w)
}

// passed is called after each step.
func (s sabotage) passed(m *replicated) {
	for _, w := range m.lead.s.works {
		if s == endlessAway && !w.away.IsZero() {
			w.notBefore = m.now.AddDate(1, 0, 0)
			m.lead.s.refresh(m.now, w)
		}
	}
}

// replayed is the log as another node sees it.
func (s sabotage) replayed(log []*raft.Log) []*raft.Log {
	if s == skippedEntry {
		return slices.Delete(slices.Clone(log), len(log)/2, len(log)/2+1)
	}
	return log
}

// The simulation finds bugs of each kind that it is there to find.
func TestSimulationFindsPlantedBugs(t *testing.T) {
	for bug := sabotage(1); bug < lastSabotage; bug++ {
		t.Run(bug.String(), func(t *testing.T) {
			_, failed := simulate(t, 0, 100, bug)
			if len(failed) == 0 {
				t.Fatal("not found in 100 seeds")
			}
			t.Log(failed[0].err)
		})
	}
}
