package raftnode

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// stuckTries is how often a new leader finds a transfer under way, each a tenth of an election timeout after the last, before
// it holds that for raft's mistake.
const stuckTries = 100

// leadership is one stretch of this node's leading.
type leadership struct {
	// term is the raft term. It is read just after raft said that the node leads: should that leadership be over by then,
	// term is a later one, and raft's notice of the end is under way.
	term  uint64
	ready chan struct{} // closed once this term's barrier is applied: the state holds all that was committed before
	ended chan struct{} // closed at the end
}

// wanted picks what watch needs to hear of.
func wanted(o *raft.Observation) bool {
	switch o.Data.(type) {
	case raft.LeaderObservation, raft.RaftState, raft.FailedHeartbeatObservation, raft.ResumedHeartbeatObservation,
		raft.PeerObservation:
		return true
	}
	return false
}

// watch follows raft's notices until Close. It never waits for anything else: raft stands still while it delivers one.
func (n *Node) watch() {
	defer n.end()
	for {
		select {
		case leads := <-n.notify:
			n.end()
			if leads {
				n.begin()
			}
		case o := <-n.observed:
			n.observe(o)
		case <-n.quit:
			return
		}
	}
}

func (n *Node) begin() {
	l := &leadership{term: n.raft.CurrentTerm(), ready: make(chan struct{}), ended: make(chan struct{})}
	n.mu.Lock()
	n.current = l
	clear(n.silent)
	n.signal()
	n.mu.Unlock()
	n.done.Go(func() { n.establish(l) })
}

func (n *Node) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.current != nil {
		close(n.current.ended)
		n.current = nil
	}
	clear(n.silent)
	n.signal()
}

// signal wakes all who wait for a change. Call with mu held.
func (n *Node) signal() {
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *Node) observe(o raft.Observation) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch d := o.Data.(type) {
	case raft.FailedHeartbeatObservation:
		n.silent[string(d.PeerID)] = d.LastContact
	case raft.ResumedHeartbeatObservation:
		delete(n.silent, string(d.PeerID))
	case raft.PeerObservation:
		if d.Removed {
			delete(n.silent, string(d.Peer.ID))
		}
	}
	n.signal()
}

// establish waits for a barrier: until then the state may lack what earlier leaders committed.
func (n *Node) establish(l *leadership) {
	ctx, cancel := l.context(context.Background())
	defer cancel()
	for tries := 1; ; tries++ {
		if !n.enter() {
			return
		}
		f := n.raft.Barrier(0)
		done := make(chan error, 1)
		go func() { defer n.inflight.Done(); done <- f.Error() }()
		select {
		case err := <-done:
			if err == nil {
				close(l.ready)
				return
			}
			if !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
				return // the leadership is over; raft's notice is on its way
			}
		case <-ctx.Done():
			return
		}
		// A transfer under way ends within an election timeout or two. Up to v1.8.0 of raft one that was cut short by the
		// loss of the leadership may never end, and then this node refuses everything the next time it leads, while its
		// heartbeats keep the others quiet (hashicorp/raft issue 696). Only a new process mends that.
		if tries >= stuckTries {
			n.cfg.Fatal(errors.New("raft takes a leadership transfer for unfinished and accepts nothing"))
			return
		}
		select {
		case <-time.After(n.cfg.ElectionTimeout / 10):
		case <-ctx.Done():
			return
		}
	}
}

// context returns a ctx that ends with the leadership too, then with cause ErrNotLeader.
func (l *leadership) context(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		select {
		case <-l.ended:
			cancel(ErrNotLeader)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// now returns the present leadership, nil if there is none, and a channel that is closed at the next change.
func (n *Node) now() (*leadership, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.current, n.changed
}

// Lead runs fn once in each leadership of this node, after a barrier, so that the state holds all that was committed
// before. fn's ctx ends with the leadership (cause ErrNotLeader) or with ctx; fn must return then. The next fn starts only
// after the last has returned. Lead returns nil when ctx ends, ErrClosed when the node is closed, and fn's error when fn
// fails during its leadership; an fn that returns nil early is not called again before the next leadership. One Lead at a
// time.
func (n *Node) Lead(ctx context.Context, fn func(ctx context.Context) error) error {
	if !n.leading.TryLock() {
		return errors.New("raftnode: Lead is running already")
	}
	defer n.leading.Unlock()
	for {
		l, changed := n.now()
		if l == nil {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return nil
			case <-n.quit:
				return ErrClosed
			}
		}
		select {
		case <-l.ready:
		case <-l.ended:
			continue
		case <-ctx.Done():
			return nil
		}
		if err := l.run(ctx, fn); err != nil {
			return fmt.Errorf("leader duties: %w", err)
		}
		select {
		case <-l.ended:
		case <-ctx.Done():
			return nil
		}
	}
}

// run returns fn's error if the leadership had not ended by then.
func (l *leadership) run(parent context.Context, fn func(ctx context.Context) error) error {
	ctx, cancel := l.context(parent)
	defer cancel()
	err := fn(ctx)
	select {
	case <-l.ended: // the watcher's cancel may come a moment after
		return nil
	default:
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}
