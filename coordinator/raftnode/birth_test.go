package raftnode

import (
	"os"
	"strings"
	"testing"
	"time"

	"colsum/fsm"

	"github.com/hashicorp/raft"
)

// votes asks a node for its vote, as a candidate of a far later term with a longer log than anybody's would.
func votes(t *testing.T, m *member) bool {
	t.Helper()
	trans, err := raft.NewTCPTransport("127.0.0.1:0", nil, 1, 10*time.Second, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer trans.Close()
	req := &raft.RequestVoteRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, Addr: []byte("x:1")},
		Term:      m.Stats().Term + 100, LastLogIndex: 1 << 40, LastLogTerm: 1 << 40, LeadershipTransfer: true,
	}
	var resp raft.RequestVoteResponse
	if err := trans.RequestVote(raft.ServerID(m.ID()), raft.ServerAddress(m.Addr()), req, &resp); err != nil {
		t.Fatal(err)
	}
	return resp.Granted
}

// wipe loses the folder of a stopped node.
func (c *cluster) wipe(i int) {
	c.t.Helper()
	if err := os.RemoveAll(c.cfgs[i].Dir); err != nil {
		c.t.Fatal(err)
	}
}

// until waits for a condition.
func (c *cluster) until(what string, ok func() bool) {
	c.t.Helper()
	for !ok() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-c.ctx.Done():
			c.t.Fatalf("not %s", what)
		}
	}
}

func (m *member) first() error {
	var members raft.Configuration
	for _, p := range m.cfg.Peers {
		members.Servers = append(members.Servers, raft.Server{ID: raft.ServerID(p.ID), Address: raft.ServerAddress(p.Addr)})
	}
	return m.firstStart(members)
}

// A node that lost its folder gives nobody a vote until a leader that was elected without it has brought it up to date; not
// even over a restart. Then it is a member like any other.
func TestWipedNodeDoesNotVote(t *testing.T) {
	c := newCluster(t, 3, nil)
	for _, cmd := range commands(t, 1, 50) {
		c.propose(cmd)
	}
	c.equal()
	for i := range c.nodes {
		c.stop(i)
	}
	c.wipe(1)
	for range 2 { // the second time it finds what the first one wrote
		m := c.start(1)
		if votes(t, m) {
			t.Fatal("a node that lost its folder gives its vote away")
		}
		c.stop(1)
	}
	c.start(1)
	c.start(2)
	if err := c.nodes[1].first(); err == nil || !strings.Contains(err.Error(), "n1 does not answer") && !strings.Contains(err.Error(), "n3 has a log already") {
		t.Errorf("first start beside a node that has a log: %v", err)
	}
	if c.nodes[1].raft.LastIndex() != 0 {
		t.Error("a node that lost its folder began a cluster of its own")
	}
	c.start(0)
	c.leader()
	c.until("born", func() bool { return !c.nodes[1].gate.unborn.Load() })
	c.equal()
	c.stop(0) // now its vote is needed
	c.propose(&fsm.Announce{Node: fsm.Node{ID: "x", HTTP: "h:1"}})
	c.equal()
	c.stop(1)
	c.start(1)
	if c.nodes[1].gate.unborn.Load() {
		t.Error("a node that had caught up is taken for empty after a restart")
	}
}

// A majority that lost its folders does not begin a second cluster, with the third node away or there.
func TestWipedMajorityStartsNothing(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.propose(&fsm.Announce{Node: fsm.Node{ID: "x", HTTP: "h:1"}})
	c.equal()
	kept := c.nodes[2].raft.LastIndex()
	for i := range c.nodes {
		c.stop(i)
	}
	c.wipe(0)
	c.wipe(1)
	c.start(0)
	c.start(1)
	if err := c.nodes[0].first(); err == nil || !strings.Contains(err.Error(), "n3 does not answer") {
		t.Errorf("first start with one node away: %v", err)
	}
	c.start(2)
	for _, m := range c.nodes[:2] {
		if err := m.first(); err == nil || !strings.Contains(err.Error(), "n3 has a log already") {
			t.Errorf("%s: first start beside a node that has a log: %v", m.ID(), err)
		}
		if votes(t, m) || m.raft.LastIndex() != 0 {
			t.Errorf("%s lost its folder and votes, or has begun a log of %d entries", m.ID(), m.raft.LastIndex())
		}
	}
	if at := c.nodes[2].raft.LastIndex(); at < kept {
		t.Errorf("the log of the node that has everything ends at %d, and was at %d", at, kept)
	}
}

// The first start waits for all nodes, whatever their order.
func TestFirstStartWaitsForAll(t *testing.T) {
	c := newCluster(t, 3, nil)
	for i := range c.nodes {
		c.stop(i)
		c.wipe(i)
	}
	c.start(2)
	c.start(0)
	if err := c.nodes[0].first(); err == nil || !strings.Contains(err.Error(), "n2 does not answer") {
		t.Errorf("first start with one node away: %v", err)
	}
	if votes(t, c.nodes[2]) {
		t.Error("a node votes before all are there")
	}
	c.start(1)
	c.propose(&fsm.Announce{Node: fsm.Node{ID: "x", HTTP: "h:1"}})
	c.until("all born", func() bool {
		for _, m := range c.nodes {
			if m.gate.unborn.Load() {
				return false
			}
		}
		return true
	})
	c.equal()
}
