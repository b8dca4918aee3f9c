package fsm

import (
	"time"

	"colsum/csvsum"
)

// Command is one of the pointers to the structs below. Encode gives its log entry: a version byte, a kind byte, msgpack.
type Command interface{ kind() Kind }

// Kind is the second byte of a log entry. Values are durable: never reuse one.
type Kind uint8

const (
	KindSubmit   Kind = 1
	KindPlan     Kind = 2
	KindComplete Kind = 3
	KindFail     Kind = 4
	KindCancel   Kind = 5
	KindForget   Kind = 6
	KindAnnounce Kind = 7
)

// Submit creates a work. With a Key that is known it creates nothing and answers the id it belongs to, or Conflict.
type Submit struct {
	ID      string         `codec:"id"`
	Time    time.Time      `codec:"time"` // UTC; encoded as int64 nanoseconds
	Path    string         `codec:"path"`
	Options csvsum.Options `codec:"options"`
	Key     string         `codec:"key"`  // Idempotency-Key, "" for none
	Hash    []byte         `codec:"hash"` // of the request, compared under the same Key
	// MaxActive refuses the submit (QueueFull) when so many works are queued or running; 0 for no bound.
	MaxActive int `codec:"max_active"`
}

// Plan moves a work from queued to running.
type Plan struct {
	ID      string      `codec:"id"`
	Time    time.Time   `codec:"time"`
	Plan    csvsum.Plan `codec:"plan"`
	Version string      `codec:"version"` // the storage's pin
	Chunk   int64       `codec:"chunk"`
}

// Complete offers partials to running works. Each is judged by itself.
type Complete struct {
	Time time.Time    `codec:"time"`
	Done []Completion `codec:"done"`
}

// Completion is one partial.
type Completion struct {
	Work    string          `codec:"work"`
	Task    int64           `codec:"task"`
	Version string          `codec:"version"`
	Partial *csvsum.Partial `codec:"partial"`
}

// Fail ends a queued or running work as failed.
type Fail struct {
	ID    string          `codec:"id"`
	Time  time.Time       `codec:"time"`
	Error csvsum.DocError `codec:"error"`
}

// Cancel ends a queued or running work as cancelled; on an ended one it changes nothing.
type Cancel struct {
	ID   string    `codec:"id"`
	Time time.Time `codec:"time"`
}

// Forget removes works that ended at Before or earlier, at most Limit of them (0: no bound), oldest first.
type Forget struct {
	Before time.Time `codec:"before"`
	Limit  int       `codec:"limit"`
}

// Announce sets the addresses of a node.
type Announce struct {
	Node Node `codec:"node"`
}

// Node is a coordinator's addresses as others can reach them.
type Node struct {
	ID      string `codec:"id"`
	Raft    string `codec:"raft"`
	HTTP    string `codec:"http"`
	RPC     string `codec:"rpc"`
	Version string `codec:"version"`
}

func (*Submit) kind() Kind   { return KindSubmit }
func (*Plan) kind() Kind     { return KindPlan }
func (*Complete) kind() Kind { return KindComplete }
func (*Fail) kind() Kind     { return KindFail }
func (*Cancel) kind() Kind   { return KindCancel }
func (*Forget) kind() Kind   { return KindForget }
func (*Announce) kind() Kind { return KindAnnounce }

// Outcome is the deterministic answer to a command.
type Outcome uint8

const (
	// OK: applied (or for Submit, the same request had been applied before).
	OK Outcome = iota
	// UnknownWork: no such work.
	UnknownWork
	// Ended: the work had ended already, nothing changed.
	Ended
	// Conflict: the idempotency key belongs to another request.
	Conflict
	// QueueFull: too many active works.
	QueueFull
	// NotQueued: Plan for a work that has one.
	NotQueued
	// WrongVersion: a completion read another version of the file than the plan's.
	WrongVersion
	// BadTask: a completion whose task or range is not one of the plan's.
	BadTask
)

// Response is what Apply returns for a command.
type Response struct {
	Outcome Outcome
	// ID is the work of a Submit: the new one, or the one its key belongs to.
	ID string
	// Done answers a Complete, one for one.
	Done []CompletionResult
	// Removed is how many works a Forget removed.
	Removed int
}

// CompletionResult says what became of one partial.
type CompletionResult struct {
	Outcome Outcome
	Verdict csvsum.Verdict // if Outcome is OK
	// Dropped: tasks that have to run again, besides this one on WrongState.
	Dropped []int64
	// Status is the work's status afterwards: "done" or "failed" when this completion ended it.
	Status Status
}
