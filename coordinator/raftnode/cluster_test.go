package raftnode

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"testing"
	"time"

	"colsum/fsm"
)

// patience is how long a test waits for what must happen; it is only used up when something is wrong.
const patience = 60 * time.Second

// member is a node of a test's cluster together with its state.
type member struct {
	*Node
	fsm *fsm.FSM
	cfg Config
}

// cluster is some nodes in one process. Their addresses stay the same over restarts.
type cluster struct {
	t     testing.TB
	ctx   context.Context
	nodes []*member // nil while stopped
	cfgs  []Config
}

// newCluster starts n nodes. tune may change each node's Config.
func newCluster(t testing.TB, n int, tune func(*Config)) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	c := &cluster{t: t, ctx: ctx, nodes: make([]*member, n), cfgs: make([]Config, n)}
	dir := t.TempDir()
	var peers []Peer
	for i := range c.cfgs {
		l := listen(t, "127.0.0.1:0")
		id := fmt.Sprintf("n%d", i+1)
		peers = append(peers, Peer{ID: id, Addr: l.Addr().String()})
		c.cfgs[i] = Config{
			ID: id, Dir: filepath.Join(dir, id), Listener: l, Bind: l.Addr().String(),
			HeartbeatTimeout: 600 * time.Millisecond,
			Logger:           slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		}
	}
	for i := range c.cfgs {
		c.cfgs[i].Peers = peers
		if tune != nil {
			tune(&c.cfgs[i])
		}
	}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.stop(i)
		}
	})
	for i := range c.nodes {
		c.start(i)
	}
	return c
}

func listen(t testing.TB, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (c *cluster) start(i int) *member {
	c.t.Helper()
	m, err := open(c.t, c.cfgs[i])
	if err != nil {
		c.t.Fatalf("open %s: %v", c.cfgs[i].ID, err)
	}
	c.cfgs[i].Listener = nil // used up: Bind from now on
	c.nodes[i] = m
	return m
}

func open(t testing.TB, cfg Config) (*member, error) {
	t.Helper()
	state, err := fsm.Open(fsm.Config{Dir: t.TempDir(), Logger: cfg.Logger})
	if err != nil {
		t.Fatal(err)
	}
	n, err := Open(cfg, state)
	if err != nil {
		state.Close()
		return nil, err
	}
	return &member{Node: n, fsm: state, cfg: cfg}, nil
}

// stop closes a node; it may be started again.
func (c *cluster) stop(i int) {
	c.t.Helper()
	m := c.nodes[i]
	if m == nil {
		return
	}
	c.nodes[i] = nil
	if err := m.Close(); err != nil {
		c.t.Errorf("close %s: %v", m.ID(), err)
	}
	if err := m.fsm.Close(); err != nil {
		c.t.Errorf("close state of %s: %v", m.ID(), err)
	}
}

// leader waits for a node that leads and is ready.
func (c *cluster) leader() (int, *member) {
	c.t.Helper()
	for {
		var asked *member
		for _, m := range c.nodes {
			if m != nil {
				asked = m
			}
		}
		changed := asked.LeaderChanged()
		id, _ := asked.Leader()
		for i, m := range c.nodes {
			if m != nil && m.ID() == id && m.ReadBarrier(c.ctx) == nil {
				return i, m
			}
		}
		if c.ctx.Err() != nil {
			c.t.Fatal("no leader")
		}
		tick := time.NewTimer(20 * time.Millisecond) // the node asked may know the leader before that one does
		select {
		case <-changed:
		case <-tick.C:
		}
		tick.Stop()
	}
}

// propose proposes through whoever leads until it is accepted.
func (c *cluster) propose(cmd fsm.Command) fsm.Response {
	c.t.Helper()
	for {
		_, m := c.leader()
		r, err := m.Propose(c.ctx, cmd)
		if err == nil {
			return r
		}
		if c.ctx.Err() != nil {
			c.t.Fatal(err)
		}
	}
}

// equal waits until all running nodes have applied what the leader has, and compares their states.
func (c *cluster) equal() [32]byte {
	c.t.Helper()
	_, lead := c.leader()
	index, want, err := lead.fsm.Hash()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, m := range c.nodes {
		if m == nil {
			continue
		}
		if err := m.fsm.WaitApplied(c.ctx, index); err != nil {
			c.t.Fatalf("%s does not reach index %d: %v", m.ID(), index, err)
		}
		if at, got, err := m.fsm.Hash(); err != nil || at != index || got != want {
			c.t.Fatalf("%s: state %x at index %d (%v), leader %s has %x at %d", m.ID(), got, at, err, lead.ID(), want, index)
		}
	}
	return want
}

// commands returns n random but repeatable commands: works submitted, cancelled, failed and forgotten, nodes announced.
func commands(t testing.TB, seed uint64, n int) []fsm.Command {
	t.Helper()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var list []fsm.Command
	for i := range n {
		now = now.Add(time.Duration(r.IntN(1000)) * time.Millisecond)
		id := fmt.Sprintf("w%d", r.IntN(i/2+1))
		switch k := r.IntN(10); {
		case k < 6:
			list = append(list, &fsm.Submit{ID: fmt.Sprintf("w%d", i), Time: now, Path: fmt.Sprintf("f%d.csv", r.IntN(9))})
		case k < 8:
			list = append(list, &fsm.Cancel{ID: id, Time: now})
		case k < 9:
			list = append(list, &fsm.Announce{Node: fsm.Node{ID: fmt.Sprintf("n%d", 1+r.IntN(3)), HTTP: fmt.Sprintf("h:%d", i)}})
		default:
			list = append(list, &fsm.Forget{Before: now.Add(-time.Minute), Limit: 1 + r.IntN(5)})
		}
	}
	return list
}
