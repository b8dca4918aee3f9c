package fsm

import (
	"time"

	"colsum/csvsum"
)

// Status of a work.
type Status string

const (
	Queued    Status = "queued"
	Running   Status = "running"
	Done      Status = "done"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
)

// Ended reports whether nothing more will happen to a work.
func (s Status) Ended() bool { return s == Done || s == Failed || s == Cancelled }

// Summary is a work without its sums.
type Summary struct {
	ID       string
	Path     string
	Status   Status
	Ctime    time.Time
	Mtime    time.Time
	Error    *csvsum.DocError
	Progress csvsum.Progress // BytesPerSecond is 0 until the work has ended
	Planned  time.Time       // zero until planned
}

// Task-level view of an active work, for the leader's scheduler. It shares nothing with the FSM.
type Active struct {
	Summary
	Options csvsum.Options
	// The rest is zero while the work is queued.
	Spec          csvsum.Spec
	Version       string
	Chunk         int64
	Tasks         int64
	Frontier      int64
	Known         int64   // start states are known for tasks [Frontier, Known]: see KnownState and Reruns
	Done          []int64 // tasks beyond Frontier that are done, ascending
	Reruns        map[int64]csvsum.State
	KnownState    csvsum.State
	FrontierState csvsum.State
}

// Counts of works by status, and of tasks over the running works.
type Counts struct {
	Queued, Running, Done, Failed, Cancelled int
	TasksDone, TasksPending                  int64
}
