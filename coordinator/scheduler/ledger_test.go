package scheduler

import (
	"fmt"
	"time"

	"colsum/rpc"
)

// simTaskID is a task of the simulation.
type simTaskID struct {
	work rpc.WorkID
	task int64
}

// ledger is what one leader has given out, kept by the simulation from what crosses the wire alone: it knows nothing of how
// the scheduler remembers its leases, so it notices when that forgets one.
type ledger map[rpc.LeaseToken]*given

type given struct {
	id    simTaskID
	who   rpc.WorkerID
	until time.Time
}

// live counts the leases of a task that have not run out.
func (l ledger) live(id simTaskID, now time.Time) (n int, who rpc.WorkerID) {
	for _, g := range l {
		if g.id == id && now.Before(g.until) {
			n, who = n+1, g.who
		}
	}
	return n, who
}

// grant enters what a leader gave to a worker. A task has one lease at a time, or two when the second is a backup with
// another worker.
func (l ledger) grant(now time.Time, ttl time.Duration, who rpc.WorkerID, g Grant) error {
	id := simTaskID{g.Work, g.Task}
	n, holder := l.live(id, now)
	switch {
	case l[g.Token] != nil:
		return fmt.Errorf("token %d was given twice", g.Token)
	case !g.Backup && n > 0:
		return fmt.Errorf("task %d of %s was leased to %s while %s holds it", g.Task, g.Work, who, holder)
	case g.Backup && n > 1:
		return fmt.Errorf("task %d of %s has %d leases and was given a backup", g.Task, g.Work, n)
	case g.Backup && n == 1 && holder == who:
		return fmt.Errorf("task %d of %s has its backup with the worker that holds it", g.Task, g.Work)
	}
	l[g.Token] = &given{id, who, now.Add(ttl)}
	return nil
}

// name prolongs, or enters, a lease that its worker named and was not told to stop.
func (l ledger) name(now time.Time, ttl time.Duration, who rpc.WorkerID, ref rpc.TaskRef) {
	l[ref.Token] = &given{simTaskID{ref.Work, ref.Task}, who, now.Add(ttl)}
}

// end removes a lease that was given back.
func (l ledger) end(who rpc.WorkerID, ref rpc.TaskRef) {
	if g := l[ref.Token]; g != nil && g.who == who && g.id == (simTaskID{ref.Work, ref.Task}) {
		delete(l, ref.Token)
	}
}

// done removes the leases of a task, or of a work (task noTask).
func (l ledger) done(work rpc.WorkID, task int64) {
	for token, g := range l {
		if g.id.work == work && (task == noTask || g.id.task == task) {
			delete(l, token)
		}
	}
}

// expire removes the leases that ran out and counts each as a strike that the scheduler may count.
func (l ledger) expire(now time.Time, strikes map[simTaskID]int) {
	for token, g := range l {
		if !now.Before(g.until) {
			strikes[g.id]++
			delete(l, token)
		}
	}
}
