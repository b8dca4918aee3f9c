package raftnode

import (
	"context"
	"errors"
	"fmt"
	"time"

	"colsum/fsm"

	"github.com/hashicorp/raft"
)

// enqueueWait is how long a proposal waits for a place in the leader's queue.
const enqueueWait = 5 * time.Second

// Propose commits a command and returns the state's answer. It returns once a majority has the command on disk and this
// node has applied it. At most Config.MaxProposals are under way at once. Errors: ErrNotLeader, ErrInvalid, ErrTooLarge,
// ErrBusy (for all of these nothing was proposed), ErrUnknownOutcome (see there), or ctx's error while it still waited
// for its turn (nothing was proposed).
//
// The commands in next are proposed behind cmd in the same breath, so that most often one synced write serves all. They are
// a convenience: one that is invalid or too large is left out, one may be lost that cmd was not, and what came of them is
// for the state to show. Answer and errors are cmd's.
func (n *Node) Propose(ctx context.Context, cmd fsm.Command, next ...fsm.Command) (fsm.Response, error) {
	var none fsm.Response
	entry, err := n.encode(cmd)
	if err != nil {
		return none, fmt.Errorf("propose: %w", err)
	}
	var behind [][]byte
	for _, c := range next {
		if e, err := n.encode(c); err == nil {
			behind = append(behind, e)
		}
	}
	if n.raft.State() != raft.Leader {
		return none, fmt.Errorf("propose: %w", ErrNotLeader)
	}
	select {
	case n.slots <- struct{}{}:
	case <-ctx.Done():
		return none, fmt.Errorf("propose: %w", context.Cause(ctx))
	}
	if !n.enter() {
		<-n.slots
		return none, fmt.Errorf("propose: %w: the node is closing", ErrNotLeader)
	}

	type answer struct {
		resp any
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { n.inflight.Done(); <-n.slots }()
		f := n.raft.Apply(entry, enqueueWait)
		var after []raft.ApplyFuture
		for _, e := range behind {
			after = append(after, n.raft.Apply(e, enqueueWait))
		}
		err := f.Error()
		for _, a := range after {
			_ = a.Error() // see above
		}
		if err != nil {
			done <- answer{err: err}
			return
		}
		done <- answer{resp: f.Response()}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			return none, fmt.Errorf("propose: %w", outcome(a.err))
		}
		return response(a.resp), nil
	case <-ctx.Done():
		return none, fmt.Errorf("propose: %w: %w", ErrUnknownOutcome, context.Cause(ctx))
	case <-n.quit:
		return none, fmt.Errorf("propose: %w: %w", ErrUnknownOutcome, ErrClosed)
	}
}

// encode checks a command and returns its log entry.
func (n *Node) encode(cmd fsm.Command) ([]byte, error) {
	if err := fsm.Validate(cmd); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	entry, err := fsm.Encode(cmd)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(entry) > n.cfg.MaxEntryBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(entry), n.cfg.MaxEntryBytes)
	}
	return entry, nil
}

// enter counts a future that Close has to wait for; false once the node is closing.
func (n *Node) enter() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.inflight.Add(1)
	return true
}

// outcome sorts raft's errors by whether the command can still be committed. Raft answers ErrNotLeader and
// ErrLeadershipTransferInProgress only to a command that is not yet in its log, ErrEnqueueTimeout before it took the
// command at all. Everything else (leadership lost, log store failed, shut down) may have left it in somebody's log.
func outcome(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return fmt.Errorf("%w: %w", ErrNotLeader, err)
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

// response unpacks what the state machine answered.
func response(r any) fsm.Response {
	switch r := r.(type) {
	case fsm.Response:
		return r
	case *fsm.Response:
		return *r
	}
	panic(fmt.Sprintf("raftnode: the state machine answered a command with %T, not fsm.Response", r))
}
