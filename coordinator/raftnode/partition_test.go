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
	apart map[[2]string]bool // pairs of nodes, either way round
	open  map[net.Conn][2]string
}

// dial is node from's Config.Dial.
func (w *wires) dial(from string) func(string, time.Duration) (net.Conn, error) {
	return func(addr string, timeout time.Duration) (net.Conn, error) {
		w.mu.Lock()
		to := w.owner[addr]
		cut := w.severed(from, to)
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
		if w.severed(from, to) {
			c.Close()
			return nil, &net.OpError{Op: "dial", Err: errors.New("cut off")}
		}
		w.open[c] = [2]string{from, to}
		return c, nil
	}
}

// severed reports whether nothing passes between two nodes; mu is held.
func (w *wires) severed(a, b string) bool {
	return w.cut[a] || w.cut[b] || w.apart[[2]string{a, b}] || w.apart[[2]string{b, a}]
}

// cutOff severs a node from all others until healed.
func (w *wires) cutOff(id string) { w.sever(func() { w.cut[id] = true }) }

// part severs two nodes from each other until healed.
func (w *wires) part(a, b string) { w.sever(func() { w.apart[[2]string{a, b}] = true }) }

func (w *wires) sever(mark func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	mark()
	for c, ends := range w.open {
		if w.severed(ends[0], ends[1]) {
			c.Close()
			delete(w.open, c)
		}
	}
}

func (w *wires) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.cut)
	clear(w.apart)
}

// newWires returns what the Configs of a cluster's nodes take their Dial from.
func newWires() *wires {
	return &wires{owner: map[string]string{}, cut: map[string]bool{}, apart: map[[2]string]bool{}, open: map[net.Conn][2]string{}}
}

// connect is newCluster's tune.
func (w *wires) connect(cfg *Config) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range cfg.Peers {
		w.owner[p.Addr] = p.ID
	}
	cfg.Dial = w.dial(cfg.ID)
}

// A leader that was cut off must not answer a read with what the others have changed since, and what it could not commit
// must be gone once it is back.
func TestCutOffLeaderAnswersNoStaleRead(t *testing.T) {
	w := newWires()
	c := newCluster(t, 3, w.connect)
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

// A node that a leader had begun to take in, and lost its office over, has not joined: it may have that leader's log and
// snapshot, but the next one does not know it.
func TestJoinThatCameToNothing(t *testing.T) {
	w := newWires()
	c := newCluster(t, 3, w.connect)
	lead, old := c.leader()
	l := listen(t, "127.0.0.1:0")
	cfg := Config{
		ID: "n4", Dir: t.TempDir(), Listener: l, Bind: l.Addr().String(), Join: true,
		HeartbeatTimeout: c.cfgs[0].HeartbeatTimeout, Logger: c.cfgs[0].Logger, Dial: w.dial("n4"),
	}
	w.mu.Lock()
	w.owner[cfg.Bind] = cfg.ID
	w.mu.Unlock()
	n, err := open(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { n.Close(); n.fsm.Close() }()
	for _, m := range c.nodes {
		if m != old {
			w.part(old.ID(), m.ID())
		}
	}
	refused := make(chan error, 1)
	go func() { refused <- old.AddNonvoter(cfg.ID, cfg.Bind) }()
	if err := <-refused; err == nil {
		t.Fatal("a leader without a majority took a node in")
	}
	if n.Stats().Last == 0 {
		t.Fatal("the leader has sent nothing to the new node")
	}

	c.nodes[lead] = nil // the others only
	defer func() { c.nodes[lead] = old }()
	_, next := c.leader()
	if n.Joined() {
		t.Fatal("it takes itself for a member")
	}
	if err := next.AddNonvoter(cfg.ID, cfg.Bind); err != nil {
		t.Fatal(err)
	}
	wait := func() {
		t.Helper()
		for !n.Joined() {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-c.ctx.Done():
				t.Fatal("it does not know that it is a member")
			}
		}
	}
	wait()
	if err := next.Remove(cfg.ID); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(n.Close(), n.fsm.Close()); err != nil {
		t.Fatal(err)
	}
	cfg.Listener = nil
	if n, err = open(t, cfg); err != nil {
		t.Fatal(err)
	}
	if !n.Joined() {
		t.Error("it has forgotten that it was a member, and would ask to be one again")
	}
}
