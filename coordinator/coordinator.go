// Package coordinator is the mind of the cluster: it accepts works, and while its node leads it plans them, hands their
// tasks to workers and commits what they return.
//
// A [Coordinator] stands on a raft node ([Node], implemented by package raftnode) and a storage. Its decisions about who
// runs what are package scheduler's, a struct without goroutines; the loops here only carry them out. It implements
// rpc.Service for workers; package api puts HTTP in front of Submit, Cancel, Clean and the views.
package coordinator

import (
	"context"
	"time"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"
	"colsum/storage"
)

// Node is the raft node a coordinator stands on.
type Node interface {
	// ID is the node's id in the cluster.
	ID() string
	// Propose commits a command and returns the state's answer. It returns raftnode.ErrNotLeader when this node does not
	// lead and nothing was proposed; another error may mean that the outcome is not known.
	Propose(ctx context.Context, cmd fsm.Command) (fsm.Response, error)
	// ReadBarrier returns once State shows all that was committed before the call. Leader only.
	ReadBarrier(ctx context.Context) error
	// Leader returns the leader's id, "" while nobody knows, and whether it is this node.
	Leader() (id string, self bool)
	// State is the replicated state as this node knows it.
	State() *fsm.FSM
	// Lead runs fn during each leadership of this node, after a barrier; fn's ctx ends with the leadership, and no two fn
	// run at once. Lead returns when ctx ends.
	Lead(ctx context.Context, fn func(ctx context.Context) error) error
}

// Coordinator is one node's part in the cluster. Its methods may be called from any goroutine.
type Coordinator struct {
	cfg   Config
	node  Node
	files storage.Store
}

// New returns a coordinator; Run makes it work. Errors name the wrong field of cfg.
func New(cfg Config, node Node, files storage.Store) (*Coordinator, error) { panic("stub") }

// Run does the leader's duties whenever the node leads, until ctx ends. It leaves nothing running.
func (c *Coordinator) Run(ctx context.Context) error { panic("stub") }

// SubmitRequest asks for a work.
type SubmitRequest struct {
	Path    string
	Options csvsum.Options
	// Key is the Idempotency-Key, "" for none.
	Key string
}

// Submit accepts a work and returns its id; with a Key seen before it returns the id of then. Leader only. Errors are
// *problem.Error: bad_request, file_not_found, forbidden, key_conflict, too_many_works, no_leader, outcome_unknown.
func (c *Coordinator) Submit(ctx context.Context, req SubmitRequest) (id string, err error) {
	panic("stub")
}

// Cancel ends a work as cancelled; on an ended one it changes nothing. Leader only. Errors are *problem.Error:
// unknown_work, no_leader, outcome_unknown.
func (c *Coordinator) Cancel(ctx context.Context, id string) error { panic("stub") }

// Clean forgets the works that ended at least maxAge ago and returns how many. Leader only. Errors are *problem.Error.
func (c *Coordinator) Clean(ctx context.Context, maxAge time.Duration) (removed int, err error) {
	panic("stub")
}

// ReadBarrier returns once State shows all that was committed before the call. Leader only. Errors are *problem.Error:
// no_leader, timeout.
func (c *Coordinator) ReadBarrier(ctx context.Context) error { panic("stub") }

// Leader returns the leader's id and addresses and whether it is this node. ok is false while nobody knows the leader;
// the addresses are empty until the leader has announced them.
func (c *Coordinator) Leader() (leader fsm.Node, self, ok bool) { panic("stub") }

// State is the replicated state as this node knows it.
func (c *Coordinator) State() *fsm.FSM { return c.node.State() }

// Document returns the result document of a work, with what only the leader knows filled in when this node leads: since
// when its storage does not answer, and its present speed.
func (c *Coordinator) Document(id string) (*csvsum.Document, bool) { panic("stub") }

// StorageAwaySince returns since when the storage of a work has not answered; ok is false if it does, or if this node
// does not lead.
func (c *Coordinator) StorageAwaySince(id string) (since time.Time, ok bool) { panic("stub") }

// TaskCounts counts the tasks of running works.
type TaskCounts struct {
	Leased  int64
	Pending int64 // neither leased nor done
	Done    int64
}

// TaskCounts returns the counts. On a node that does not lead, Leased is 0: leases live in the leader's memory.
func (c *Coordinator) TaskCounts() TaskCounts { panic("stub") }

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
func (c *Coordinator) Workers() []WorkerView { panic("stub") }
