// Package coordinator is the mind of the cluster: it accepts works, and while its node leads it plans them, hands their
// tasks to workers and commits what they return.
//
// A [Coordinator] stands on a raft node ([Node], implemented by package raftnode) and a storage. Its decisions about who
// runs what are package scheduler's, a struct without goroutines; the loops here only carry them out. They live in a reign,
// which begins and ends with a leadership of the node:
//
//	Submit -> queue -> planner -> fsm.Plan -> scheduler -> Lease -> worker
//	                                              ^                    |
//	                                        fsm.Complete <- committer <-  Complete
//
// A file whose storage answers at once is planned within Submit, which spares it the queue and a commit of its own.
//
// It implements rpc.Service for workers; package api puts HTTP in front of Submit, Cancel, Clean and the views.
package coordinator

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"colsum/fsm"
	"colsum/rpc"
	"colsum/storage"
)

// Node is the raft node a coordinator stands on.
type Node interface {
	// ID is the node's id in the cluster.
	ID() string
	// Propose commits a command and returns the state's answer; next are commands to commit right behind it if that goes.
	// Details and errors as raftnode.Node.Propose's.
	Propose(ctx context.Context, cmd fsm.Command, next ...fsm.Command) (fsm.Response, error)
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
	log   *slog.Logger

	reign atomic.Pointer[reign] // nil while this node does not lead
}

var _ rpc.Service = (*Coordinator)(nil)

// New returns a coordinator; Run makes it work. Errors name the wrong field of cfg.
func New(cfg Config, node Node, files storage.Store) (*Coordinator, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Self.ID != node.ID() {
		return nil, fmt.Errorf("coordinator config: Self.ID: must be the node's id %q, got %q", node.ID(), cfg.Self.ID)
	}
	return &Coordinator{cfg: cfg, node: node, files: files, log: cfg.Logger}, nil
}

// Run does the leader's duties whenever the node leads, until ctx ends. It leaves nothing running.
func (c *Coordinator) Run(ctx context.Context) error { return c.node.Lead(ctx, c.lead) }

// State is the replicated state as this node knows it.
func (c *Coordinator) State() *fsm.FSM { return c.node.State() }

// ReadBarrier returns once State shows all that was committed before the call. Leader only. Errors are *problem.Error:
// no_leader, timeout.
func (c *Coordinator) ReadBarrier(ctx context.Context) error {
	return asProblem(ctx, c.node.ReadBarrier(ctx))
}

// Leader returns the leader's id and addresses and whether it is this node. ok is false while nobody knows the leader;
// the addresses are empty until the leader has announced them.
func (c *Coordinator) Leader() (leader fsm.Node, self, ok bool) {
	id, self := c.node.Leader()
	if id == "" {
		return fsm.Node{}, false, false
	}
	if self {
		return c.cfg.Self, true, true
	}
	for _, n := range c.State().Nodes() {
		if n.ID == id {
			return n, false, true
		}
	}
	return fsm.Node{ID: id}, false, true
}
