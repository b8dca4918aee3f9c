package raftnode

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"colsum/fsm"
)

// wires are the connections between a test's nodes; they can be cut for single nodes.
type wires struct {
	mu    sync.Mutex
	owner map[string]string // address -> node id
	cut   map[string]bool
	open  map[net.Conn][2]string
}

// dial is node from's Config.Dial.
func (w *wires) dial(from string) func(string, time.Duration) (net.Conn, error) {
	return func(addr string, timeout time.Duration) (net.Conn, error) {
		w.mu.Lock()
		to := w.owner[addr]
		cut := w.cut[from] || w.cut[to]
		w.mu.Unlock()
		if cut {
			return nil, &net.OpError{Op: "dial", Err: errors.New("cut off")}
		}
		c, err := net.DialTimeout("tcp", addr, timeout)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.cut[from] || w.cut[to] {
			c.Close()
			return nil, &net.OpError{Op: "dial", Err: errors.New("cut off")}
		}
		w.open[c] = [2]string{from, to}
		return c, nil
	}
}

// cutOff severs a node from all others until healed.
func (w *wires) cutOff(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[id] = true
	for c, ends := range w.open {
		if ends[0] == id || ends[1] == id {
			c.Close()
			delete(w.open, c)
		}
	}
}

func (w *wires) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.cut)
}

// A leader that was cut off must not answer a read with what the others have changed since, and what it could not commit
// must be gone once it is back.
func TestCutOffLeaderAnswersNoStaleRead(t *testing.T) {
	w := &wires{owner: map[string]string{}, cut: map[string]bool{}, open: map[net.Conn][2]string{}}
	c := newCluster(t, 3, func(cfg *Config) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, p := range cfg.Peers {
			w.owner[p.Addr] = p.ID
		}
		cfg.Dial = w.dial(cfg.ID)
	})
	for round := range 3 {
		set := func(value string) fsm.Command {
			return &fsm.Announce{Node: fsm.Node{ID: "x", HTTP: value}}
		}
		c.propose(set(fmt.Sprint("old ", round)))
		lead, old := c.leader()
		w.cutOff(old.ID())

		lost := make(chan error, 1)
		go func() { _, err := old.Propose(c.ctx, set(fmt.Sprint("lost ", round))); lost <- err }()
		// It still believes in itself, and has applied all that it knows of: only asking the others tells.
		if err := old.ReadBarrier(c.ctx); !errors.Is(err, ErrNotLeader) {
			t.Fatalf("round %d: read barrier on a leader that has just been cut off: %v", round, err)
		}

		c.nodes[lead] = nil // the others only
		want := fmt.Sprint("new ", round)
		c.propose(set(want))
		if err := old.ReadBarrier(c.ctx); !errors.Is(err, ErrNotLeader) {
			t.Fatalf("round %d: read barrier on a leader that was cut off: %v, state %+v", round, err, old.State().Nodes())
		}
		if err := <-lost; !errors.Is(err, ErrNotLeader) && !errors.Is(err, ErrUnknownOutcome) {
			t.Fatalf("round %d: a leader that was cut off committed: %v", round, err)
		}
		w.heal()
		c.nodes[lead] = old
		c.propose(&fsm.Announce{Node: fsm.Node{ID: "y", HTTP: want}}) // so that there is something to catch up with
		c.equal()
		for _, n := range old.State().Nodes() {
			if n.ID == "x" && n.HTTP != want {
				t.Errorf("round %d: got %q after healing, want %q", round, n.HTTP, want)
			}
		}
	}
}
