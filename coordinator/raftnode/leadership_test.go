package raftnode

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"colsum/fsm"
)

// Duties run on one node at a time, their ctx ends with the leadership, and they find all that was committed before.
func TestLeadFollowsTheLeadership(t *testing.T) {
	c := newCluster(t, 3, nil)
	type stretch struct {
		node string
		ctx  context.Context
	}
	begun := make(chan stretch, 100)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(c.ctx)
	for _, m := range c.nodes {
		var inside atomic.Int32
		wg.Go(func() {
			err := m.Lead(ctx, func(ctx context.Context) error {
				if inside.Add(1) != 1 {
					t.Errorf("%s: two leader duties at once", m.ID())
				}
				defer inside.Add(-1)
				begun <- stretch{m.ID(), ctx}
				<-ctx.Done()
				return ctx.Err()
			})
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Errorf("%s: Lead: %v", m.ID(), err)
			}
		})
	}
	var last stretch
	for range 3 {
		s := <-begun
		if last.ctx != nil {
			<-last.ctx.Done()
			if !errors.Is(context.Cause(last.ctx), ErrNotLeader) {
				t.Errorf("cause %v, want ErrNotLeader", context.Cause(last.ctx))
			}
			if s.node == last.node {
				t.Errorf("%s leads again after it handed over", s.node)
			}
		}
		last = s
		for _, m := range c.nodes {
			if m.ID() == s.node {
				if err := m.Transfer(""); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	<-last.ctx.Done()
	cancel()
	wg.Wait()
}

func TestLeadEndsWithCallerNodeAndError(t *testing.T) {
	c := newCluster(t, 1, nil)
	_, m := c.leader()

	boom := errors.New("boom")
	if err := m.Lead(c.ctx, func(context.Context) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("Lead with failing duties: %v", err)
	}
	ctx, cancel := context.WithCancel(c.ctx)
	if err := m.Lead(ctx, func(ctx context.Context) error {
		if err := m.Lead(ctx, nil); err == nil {
			t.Error("a second Lead ran beside the first")
		}
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}); err != nil {
		t.Errorf("Lead after its ctx ended: %v", err)
	}
	inside := make(chan struct{})
	left := make(chan error)
	go func() {
		left <- m.Lead(c.ctx, func(ctx context.Context) error { close(inside); <-ctx.Done(); return nil })
	}()
	<-inside
	c.stop(0)
	if err := <-left; !errors.Is(err, ErrClosed) {
		t.Errorf("Lead after Close: %v, want ErrClosed", err)
	}
}

// A leader that is cut off from the others must answer neither reads nor writes, though it may still believe in itself.
func TestNoReadsWithoutAMajority(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.propose(&fsm.Announce{Node: fsm.Node{ID: "x", HTTP: "h:1"}})
	lead, leader := c.leader()
	for i, m := range c.nodes {
		if i != lead { // dead, without a word
			if err := m.raft.Shutdown().Error(); err != nil {
				t.Fatal(err)
			}
			m.trans.CloseStreams()
		}
	}
	// The first call may still be answered by a majority whose last words are on the way; none may be for ever.
	for {
		err := leader.ReadBarrier(c.ctx)
		if errors.Is(err, ErrNotLeader) {
			break
		}
		if c.ctx.Err() != nil {
			t.Fatalf("read barrier without a majority: %v", err)
		}
	}
	_, err := leader.Propose(c.ctx, &fsm.Cancel{ID: "w", Time: time.Unix(1, 0)})
	if !errors.Is(err, ErrNotLeader) && !errors.Is(err, ErrUnknownOutcome) {
		t.Errorf("propose without a majority: %v", err)
	}
}

func TestNoReadsOnADeposedLeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	_, old := c.leader()
	if err := old.Transfer(""); err != nil {
		t.Fatal(err)
	}
	if err := old.ReadBarrier(c.ctx); !errors.Is(err, ErrNotLeader) {
		t.Errorf("read barrier on a deposed leader: %v, want ErrNotLeader", err)
	}
	c.propose(&fsm.Announce{Node: fsm.Node{ID: "x", HTTP: "h:2"}})
	c.equal()
}

// Each read that begins after an answered write shows it.
func TestReadBarrierShowsEarlierWrites(t *testing.T) {
	c := newCluster(t, 3, nil)
	for i := range 30 {
		cmd := &fsm.Announce{Node: fsm.Node{ID: "x", HTTP: string(rune('a' + i%26)), Version: time.Duration(i).String()}}
		c.propose(cmd)
		if i%10 == 5 {
			_, m := c.leader()
			if err := m.Transfer(""); err != nil {
				t.Fatal(err)
			}
		}
		_, m := c.leader() // ends with a read barrier
		nodes := m.State().Nodes()
		if len(nodes) != 1 || nodes[0] != cmd.Node {
			t.Fatalf("read %d: %+v, want %+v", i, nodes, cmd.Node)
		}
	}
}
