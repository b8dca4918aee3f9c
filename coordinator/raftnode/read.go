package raftnode

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// ReadBarrier returns once State shows all that was committed before the call: what is read from it then is linearizable.
// It writes nothing. Errors: ErrNotLeader when this node does not lead or no longer does, ctx's error, ErrClosed.
//
// It follows the read index rule of the raft thesis (section 6.4): an entry of this term must be committed (ready), the
// commit index is taken down, a majority confirms the leadership by accepting what was sent after that (see acks), and the
// state machine catches up to that index. The term is compared before and after, so that a leadership that was lost and won
// again in between does not pass.
func (n *Node) ReadBarrier(ctx context.Context) error {
	term, err := n.leadingTerm(ctx)
	if err != nil {
		return fmt.Errorf("read barrier: %w", err)
	}
	index := n.raft.CommitIndex()
	for begun := time.Now(); ; {
		if err := n.verifyLeader(ctx); err != nil {
			return fmt.Errorf("read barrier: %w", err)
		}
		if n.raft.CurrentTerm() != term {
			return fmt.Errorf("read barrier: %w: the term has changed", ErrNotLeader)
		}
		if n.gate.acks.majority(n.servers(), raft.ServerID(n.cfg.ID), term, begun) {
			break
		}
		// Answers that had been on their way: what raft sent for these calls is so now.
	}
	if err := n.waitApplied(ctx, index); err != nil {
		return fmt.Errorf("read barrier: %w", err)
	}
	return nil
}

// verifyLeader asks the others whether this node leads.
func (n *Node) verifyLeader(ctx context.Context) error {
	if !n.enter() {
		return ErrClosed
	}
	f := n.raft.VerifyLeader()
	done := make(chan error, 1)
	go func() { defer n.inflight.Done(); done <- f.Error() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotLeader, err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-n.quit:
		return ErrClosed
	}
}

// leadingTerm waits until the barrier of the present leadership has passed and returns its term.
func (n *Node) leadingTerm(ctx context.Context) (uint64, error) {
	for {
		if n.raft.State() != raft.Leader {
			return 0, ErrNotLeader
		}
		l, changed := n.now()
		if l != nil {
			select {
			case <-l.ready:
				if l.term == n.raft.CurrentTerm() {
					return l.term, nil
				}
			default:
			}
		}
		var ready chan struct{}
		if l != nil && l.term == n.raft.CurrentTerm() {
			ready = l.ready
		}
		select {
		case <-ready:
		case <-changed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-n.quit:
			return 0, ErrClosed
		}
	}
}

// waitApplied waits until the state has seen the log up to index. Raft shows the state machine commands and changes of
// membership only, so entries of other kinds at the end are passed over.
func (n *Node) waitApplied(ctx context.Context, index uint64) error {
	for index > n.state.AppliedIndex() {
		var entry raft.Log
		err := n.logs.GetLog(index, &entry)
		if errors.Is(err, raft.ErrLogNotFound) {
			return nil // in a snapshot by now, which holds only what has been applied
		}
		if err != nil {
			return fmt.Errorf("read log entry %d: %w", index, err)
		}
		if entry.Type == raft.LogCommand || entry.Type == raft.LogConfiguration {
			return n.state.WaitApplied(ctx, index)
		}
		index--
	}
	return nil
}
