package rpc

import (
	"time"

	"colsum/csvsum"
)

// Distinct types for what must not be mixed.
type (
	WorkID     string
	WorkerID   string
	LeaseToken uint64
)

// NotLeader, where it stands in a reply, says that the coordinator asked is not the leader. Leader is the rpc address of
// the one that is, "" while nobody knows.
type NotLeader struct {
	Leader string `codec:"leader"`
}

// Worker describes the worker that calls.
type Worker struct {
	ID      WorkerID `codec:"id"`
	Host    string   `codec:"host"`
	Slots   int      `codec:"slots"`
	Version string   `codec:"version"`
}

// TaskRef names a task under a lease.
type TaskRef struct {
	Work  WorkID     `codec:"work"`
	Task  int64      `codec:"task"`
	Token LeaseToken `codec:"token"`
}

// Running is a task that a worker is at. It lets a new leader adopt the lease.
type Running struct {
	TaskRef
	BytesDone int64 `codec:"bytes_done"`
	// Waiting is for how long the storage has not sent the byte that the task is waiting for; 0 for a task that is not waiting.
	Waiting time.Duration `codec:"waiting"`
}

// Assignment is a leased task and all that is needed to run it.
type Assignment struct {
	TaskRef
	Path    string       `codec:"path"`
	Version string       `codec:"version"` // the storage's version pin
	Spec    csvsum.Spec  `codec:"spec"`
	Start   int64        `codec:"start"`
	End     int64        `codec:"end"`
	State   csvsum.State `codec:"state"` // csvsum.Unknown: guess
}

// LeaseRequest asks for up to Max tasks and is held by the leader for up to Wait while there are none.
type LeaseRequest struct {
	Worker Worker        `codec:"worker"`
	Max    int           `codec:"max"`
	Wait   time.Duration `codec:"wait"`
}

type LeaseReply struct {
	NotLeader *NotLeader    `codec:"not_leader"`
	Tasks     []Assignment  `codec:"tasks"`
	TTL       time.Duration `codec:"ttl"`       // a lease not seen in a heartbeat for so long is lost
	Heartbeat time.Duration `codec:"heartbeat"` // the period the leader wishes for
}

// HeartbeatRequest lists every task the worker is at, whoever leased it. Leaving marks a worker that is going away:
// it gets no more leases.
type HeartbeatRequest struct {
	Worker  Worker    `codec:"worker"`
	Running []Running `codec:"running"`
	Leaving bool      `codec:"leaving"`
}

type HeartbeatReply struct {
	NotLeader *NotLeader `codec:"not_leader"`
	// Stop lists those of Running that are of no more use (work ended, lease lost, task done by another).
	Stop []TaskRef `codec:"stop"`
}

// Completion is the result of one task.
type Completion struct {
	TaskRef
	Version string          `codec:"version"` // the version that was read
	Partial *csvsum.Partial `codec:"partial"`
}

// CompleteRequest hands in results. It returns once they are committed. Handing in the same result twice is harmless.
type CompleteRequest struct {
	Worker Worker       `codec:"worker"`
	Done   []Completion `codec:"done"`
}

type CompleteReply struct {
	NotLeader *NotLeader `codec:"not_leader"`
}

// FailureKind says whose fault it is that a task was not done.
type FailureKind uint8

const (
	// Returned: the worker hands the lease back undone (shutdown). Nobody's fault.
	Returned FailureKind = iota
	// StorageAway: the storage did not answer. Not the task's fault: it is requeued after a delay.
	StorageAway
	// NotHere: this worker cannot see the file, or sees another version of it (a local path of which others may have the
	// pinned one). The task should go elsewhere.
	NotHere
	// Changed: the file is not the pinned version any more. Ends the work: file_changed.
	Changed
	// Gone: the file is certainly absent or forbidden (Code says which). Ends the work.
	Gone
	// Broke: the worker itself failed (a panic, a defect). Counts against the task.
	Broke
)

// Failure reports a task that was not done. Code is a stable word ("file_changed", "file_not_found", ...), Message a sentence.
type Failure struct {
	TaskRef
	Kind    FailureKind `codec:"kind"`
	Code    string      `codec:"code"`
	Message string      `codec:"message"`
}

type FailRequest struct {
	Worker   Worker    `codec:"worker"`
	Failures []Failure `codec:"failures"`
}

type FailReply struct {
	NotLeader *NotLeader `codec:"not_leader"`
}
