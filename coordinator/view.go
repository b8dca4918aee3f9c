package coordinator

import (
	"time"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"
)

// Document returns the result document of a work, with what only the leader knows filled in when this node leads: since
// when its storage does not answer, and its present speed.
func (c *Coordinator) Document(id string) (*csvsum.Document, bool) {
	doc, ok := c.State().Document(id)
	if !ok || fsm.Status(doc.Status).Ended() {
		return doc, ok
	}
	c.live(id, &doc.Progress)
	return doc, true
}

// Progress returns the progress of a listed work, with its speed: that of the moment while it runs, the average from its
// plan to its end afterwards. Of a work that runs, only the leader knows it: 0 elsewhere.
func (c *Coordinator) Progress(w fsm.Summary) csvsum.Progress {
	p := w.Progress
	if !w.Status.Ended() {
		c.live(w.ID, &p)
	}
	return p
}

// live fills in what only a leader knows of a work that has not ended.
func (c *Coordinator) live(id string, p *csvsum.Progress) {
	if since, away := c.StorageAwaySince(id); away {
		since = since.UTC()
		p.StorageUnreachableSince = &since
	}
	if r := c.reign.Load(); r != nil {
		r.mu.Lock()
		p.BytesPerSecond = r.sched.Speed(time.Now(), rpc.WorkID(id))
		r.mu.Unlock()
	}
}

// StorageAwaySince returns since when the storage of a work has not answered; ok is false if it does, or if this node
// does not lead.
func (c *Coordinator) StorageAwaySince(id string) (since time.Time, ok bool) {
	r := c.reign.Load()
	if r == nil {
		return time.Time{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.works[id]
	if e == nil {
		return time.Time{}, false
	}
	if e.running {
		return r.sched.AwaySince(rpc.WorkID(id))
	}
	if l := r.lanes[laneOf(e.path)]; l != nil && !l.since.IsZero() {
		return l.since, true
	}
	return time.Time{}, false
}

// TaskCounts counts the tasks of running works.
type TaskCounts struct {
	Leased  int64
	Pending int64 // neither leased nor done
	Done    int64
}

// TaskCounts returns the counts. On a node that does not lead, Leased is 0: leases live in the leader's memory.
func (c *Coordinator) TaskCounts() TaskCounts {
	counts := c.State().Counts()
	t := TaskCounts{Pending: counts.TasksPending, Done: counts.TasksDone}
	if r := c.reign.Load(); r != nil {
		r.mu.Lock()
		t.Leased = min(r.sched.Stats().Leased, t.Pending)
		r.mu.Unlock()
		t.Pending -= t.Leased
	}
	return t
}

// WorkerView is a worker as the leader sees it.
type WorkerView struct {
	ID             rpc.WorkerID
	Host           string
	Version        string
	Slots          int
	Leaving        bool
	LastSeen       time.Time
	BytesPerSecond float64 // over the last seconds
	Running        []RunningView
}

// RunningView is a task that a worker is at.
type RunningView struct {
	Work   rpc.WorkID
	Task   int64
	Since  time.Time
	Bytes  int64 // done
	Length int64 // of the task's range
	Backup bool  // another worker is at it too
}

// Workers returns the live workers by id; nil on a node that does not lead.
func (c *Coordinator) Workers() []WorkerView {
	r := c.reign.Load()
	if r == nil {
		return nil
	}
	r.mu.Lock()
	states := r.sched.Workers(time.Now())
	r.mu.Unlock()
	list := make([]WorkerView, 0, len(states))
	for _, s := range states {
		v := WorkerView{
			ID: s.ID, Host: s.Host, Version: s.Version, Slots: s.Slots, Leaving: s.Leaving,
			LastSeen: s.Seen, BytesPerSecond: s.BytesPerSecond, Running: make([]RunningView, 0, len(s.Running)),
		}
		for _, l := range s.Running {
			v.Running = append(v.Running, RunningView{
				Work: l.Work, Task: l.Task, Since: l.Since, Bytes: l.Bytes, Length: l.Length, Backup: l.Backup,
			})
		}
		list = append(list, v)
	}
	return list
}
