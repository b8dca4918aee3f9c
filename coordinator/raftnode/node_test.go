package raftnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"colsum/fsm"

	"github.com/hashicorp/raft"
)

func TestSingleNodeKeepsItsStateOverARestart(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.Peers = nil }) // a lone node makes a cluster of itself
	for _, cmd := range commands(t, 1, 50) {
		c.propose(cmd)
	}
	want := c.equal()
	c.stop(0)
	c.start(0)
	if got := c.equal(); got != want {
		t.Errorf("state after the restart %x, before %x", got, want)
	}
	if m := c.nodes[0].Members(); len(m) != 1 || !m[0].Self || m[0].Role != Leading || !m[0].Voter {
		t.Errorf("members %+v", m)
	}
}

// The only voter has nobody to wait for: with a timeout of an hour it leads at once all the same.
func TestTheOnlyVoterLeadsAtOnce(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.HeartbeatTimeout = time.Hour })
	c.propose(&fsm.Announce{Node: fsm.Node{ID: "x", HTTP: "h:1"}})
	c.stop(0)
	c.start(0)
	c.equal()
}

func TestThreeNodesAgree(t *testing.T) {
	c := newCluster(t, 3, nil)
	for _, cmd := range commands(t, 2, 200) {
		c.propose(cmd)
	}
	c.equal()

	lead, leader := c.leader()
	for i, m := range c.nodes {
		id, err := m.WaitLeader(c.ctx)
		if err != nil || id != leader.ID() {
			t.Errorf("%s: leader %q (%v), want %q", m.ID(), id, err, leader.ID())
		}
		if i == lead {
			continue
		}
		if _, err := m.Propose(c.ctx, &fsm.Cancel{ID: "x", Time: time.Unix(1, 0)}); !errors.Is(err, ErrNotLeader) {
			t.Errorf("propose on follower %s: %v, want ErrNotLeader", m.ID(), err)
		}
		if err := m.ReadBarrier(c.ctx); !errors.Is(err, ErrNotLeader) {
			t.Errorf("read barrier on follower %s: %v, want ErrNotLeader", m.ID(), err)
		}
	}
	for _, m := range leader.Members() {
		want := Following
		if m.ID == leader.ID() {
			want = Leading
		}
		if m.Role != want || !m.Voter || m.Silent || m.Self != (m.ID == leader.ID()) {
			t.Errorf("member %+v, want role %s", m, want)
		}
	}
	if s := leader.Stats(); s.Term == 0 || s.Commit < s.Applied || s.Applied < 200 {
		t.Errorf("stats %+v", s)
	}
}

func TestAnotherLeaderTakesOver(t *testing.T) {
	c := newCluster(t, 3, nil)
	list := commands(t, 3, 120)
	for i, cmd := range list {
		if i%40 == 20 { // stop the leader, go on without it, let it come back
			lead, _ := c.leader()
			c.stop(lead)
			c.propose(cmd)
			c.start(lead)
			continue
		}
		c.propose(cmd)
	}
	c.equal()
}

func TestAddressesOfTheLeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	_, leader := c.leader()
	if _, _, ok := leader.LeaderAddresses(); ok {
		t.Error("addresses known before they were announced")
	}
	c.propose(&fsm.Announce{Node: fsm.Node{ID: leader.ID(), HTTP: "h:1", RPC: "r:1"}})
	c.equal()
	for _, m := range c.nodes {
		if http, rpc, ok := m.LeaderAddresses(); !ok || http != "h:1" || rpc != "r:1" {
			t.Errorf("%s: leader at %q %q %v", m.ID(), http, rpc, ok)
		}
	}
}

func TestSnapshotBringsANodeUpToDate(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.TrailingLogs = -1 })
	list := commands(t, 4, 300)
	for _, cmd := range list[:50] {
		c.propose(cmd)
	}
	lead, _ := c.leader()
	away := (lead + 1) % 3
	c.stop(away)
	for _, cmd := range list[50:250] {
		c.propose(cmd)
	}
	for _, m := range c.nodes { // with no trailing logs the log alone cannot help the one that is away
		if m != nil {
			if err := m.Snapshot(); err != nil {
				t.Fatal(err)
			}
			if s := m.Stats(); s.Snapshot < 200 {
				t.Fatalf("%s: stats %+v after a snapshot", m.ID(), s)
			}
		}
	}
	for _, cmd := range list[250:] {
		c.propose(cmd)
	}
	c.start(away)
	want := c.equal()

	for i := range c.nodes {
		c.stop(i)
	}
	for i := range c.nodes {
		c.start(i)
	}
	if got := c.equal(); got != want {
		t.Errorf("state after all restarted %x, before %x", got, want)
	}
}

// Replication must not be pipelined: see maxInFlight. That a follower which refuses entries gets them later is shown with a
// full disk, by TestFollowerWithAFullDiskCatchesUp in cmd/colsum.
func TestEntriesAreNotPipelined(t *testing.T) {
	c := newCluster(t, 2, nil)
	a, b := c.nodes[0], c.nodes[1]
	if p, err := a.trans.AppendEntriesPipeline(raft.ServerID(b.ID()), raft.ServerAddress(b.Addr())); !errors.Is(err, raft.ErrPipelineReplicationNotSupported) {
		t.Errorf("a pipeline to a follower: %v, %v", p, err)
	}
}

func TestMembershipChanges(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.propose(&fsm.Announce{Node: fsm.Node{ID: "n1", HTTP: "h:1"}})
	_, leader := c.leader()

	l := listen(t, "127.0.0.1:0")
	joining, err := open(t, Config{
		ID: "n2", Dir: t.TempDir(), Listener: l, Join: true,
		HeartbeatTimeout: c.cfgs[0].HeartbeatTimeout, Logger: c.cfgs[0].Logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.nodes = append(c.nodes, joining)
	if m := joining.Members(); len(m) != 1 || m[0].Role != Removed {
		t.Errorf("members of a node that waits to be added: %+v", m)
	}
	if err := leader.AddNonvoter("n2", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	c.equal()
	if m := leader.Members(); len(m) != 2 || m[1].Role != Learning {
		t.Errorf("members %+v, want n2 without a vote", m)
	}
	if err := leader.AddVoter("n2", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if err := leader.Transfer("n3"); err == nil || !strings.Contains(err.Error(), "n3") {
		t.Errorf("transfer to a stranger: %v", err)
	}
	c.until("born", func() bool { return !joining.gate.unborn.Load() }) // it began empty
	if err := leader.Transfer("n2"); err != nil {
		t.Fatal(err)
	}
	if _, m := c.leader(); m.ID() != "n2" {
		t.Errorf("leader is %s after a transfer to n2", m.ID())
	}
	if err := leader.AddVoter("n4", "127.0.0.1:1"); !errors.Is(err, ErrNotLeader) {
		t.Errorf("add by a follower: %v, want ErrNotLeader", err)
	}
	if err := joining.Remove("n1"); err != nil {
		t.Fatal(err)
	}
	if m := joining.Members(); len(m) != 1 || m[0].ID != "n2" {
		t.Errorf("members after n1 was removed: %+v", m)
	}
}

// What was answered with success must be there after the node went down among many proposals.
func TestCloseAmongProposals(t *testing.T) {
	c := newCluster(t, 1, nil)
	_, leader := c.leader()
	var mu sync.Mutex
	accepted := map[string]bool{}
	var clients sync.WaitGroup
	started := make(chan struct{}, 1000)
	for client := range 8 {
		clients.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("c%d-%d", client, i)
				_, err := leader.Propose(context.Background(), &fsm.Announce{Node: fsm.Node{ID: id, HTTP: id}})
				if err != nil {
					if !errors.Is(err, ErrNotLeader) && !errors.Is(err, ErrUnknownOutcome) {
						t.Errorf("propose while closing: %v", err)
					}
					return
				}
				mu.Lock()
				accepted[id] = true
				mu.Unlock()
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 50 {
		<-started
	}
	c.stop(0)
	clients.Wait()
	c.start(0)
	_, leader = c.leader()
	for _, n := range leader.State().Nodes() {
		delete(accepted, n.ID)
	}
	if len(accepted) > 0 {
		t.Errorf("%d accepted commands are lost: %v", len(accepted), accepted)
	}
}

func TestProposeRefuses(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.MaxEntryBytes = 1024 })
	_, leader := c.leader()
	if _, err := leader.Propose(c.ctx, &fsm.Cancel{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("cancel of no work: %v, want ErrInvalid", err)
	}
	long := &fsm.Submit{ID: "w", Time: time.Unix(1, 0), Path: strings.Repeat("x", 2000)}
	if _, err := leader.Propose(c.ctx, long); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "at most 1024") {
		t.Errorf("entry of 2000 bytes: %v, want ErrTooLarge naming the bound", err)
	}
	before := leader.Stats().Last
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	for range cap(leader.slots) {
		leader.slots <- struct{}{}
	}
	_, err := leader.Propose(ctx, &fsm.Cancel{ID: "w", Time: time.Unix(1, 0)})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnknownOutcome) || leader.Stats().Last != before {
		t.Errorf("no slot before ctx ended: %v, want Canceled and nothing proposed", err)
	}
	for range cap(leader.slots) {
		<-leader.slots
	}
	c.stop(0)
	if _, err := leader.Propose(c.ctx, &fsm.Cancel{ID: "w", Time: time.Unix(1, 0)}); !errors.Is(err, ErrNotLeader) {
		t.Errorf("propose on a closed node: %v, want ErrNotLeader", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.leader()
	dir := c.cfgs[0].Dir
	open := func(id, cluster string) error {
		m, err := open(t, Config{ID: id, Cluster: cluster, Dir: dir, Bind: "127.0.0.1:0", Logger: c.cfgs[0].Logger})
		if err == nil {
			m.Close()
			m.fsm.Close()
		}
		return err
	}
	if err := open("n1", ""); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("folder in use: %v, want ErrLocked naming it", err)
	}
	c.stop(0)
	if err := open("n2", ""); !errors.Is(err, ErrIdentity) || !strings.Contains(err.Error(), `"n1"`) {
		t.Errorf("another node's folder: %v, want ErrIdentity naming n1", err)
	}
	if err := open("n1", "other"); !errors.Is(err, ErrIdentity) || !strings.Contains(err.Error(), `"colsum"`) {
		t.Errorf("another cluster's folder: %v, want ErrIdentity naming it", err)
	}
	if err := os.WriteFile(filepath.Join(dir, identityFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open("n1", ""); err == nil || !strings.Contains(err.Error(), identityFile) {
		t.Errorf("damaged identity: %v, want an error that names the file", err)
	}
}

func TestConfigErrorsNameFieldAndBound(t *testing.T) {
	good := Config{ID: "a", Dir: "d", Bind: "127.0.0.1:0"}
	for _, row := range []struct {
		name string
		set  func(*Config)
		want string
	}{
		{"no id", func(c *Config) { c.ID = "" }, "ID: required"},
		{"no dir", func(c *Config) { c.Dir = "" }, "Dir: required"},
		{"no address", func(c *Config) { c.Bind = "" }, "Bind: required"},
		{"join with peers", func(c *Config) { c.Join = true; c.Peers = []Peer{{"a", "h:1"}} }, "Join: excludes Peers"},
		{"not in peers", func(c *Config) { c.Peers = []Peer{{"b", "h:1"}} }, `Peers: must list this node too ("a")`},
		{"peer without port", func(c *Config) { c.Peers = []Peer{{"a", "h"}} }, `Peers[0]: Addr of "a" must be host:port`},
		{"peer without id", func(c *Config) { c.Peers = []Peer{{"", "h:1"}} }, "Peers[0]: ID is required"},
		{"peer twice", func(c *Config) { c.Peers = []Peer{{"a", "h:1"}, {"b", "h:1"}} }, "Peers[1]: b=h:1 repeats"},
		{"two addresses", func(c *Config) { c.Peers = []Peer{{"a", "h:1"}}; c.Advertise = "h:2" }, "Advertise: must be this node's address in Peers (h:1)"},
		{"heartbeat", func(c *Config) { c.HeartbeatTimeout = time.Millisecond }, "HeartbeatTimeout: must be at least 5ms, got 1ms"},
		{"election", func(c *Config) { c.ElectionTimeout = time.Millisecond }, "ElectionTimeout: must be at least HeartbeatTimeout (1s)"},
		{"entry", func(c *Config) { c.MaxEntryBytes = 1 }, "MaxEntryBytes: must be at least 1024, got 1"},
		{"proposals", func(c *Config) { c.MaxProposals = -1 }, "MaxProposals: must be at least 1, got -1"},
	} {
		cfg := good
		row.set(&cfg)
		_, err := Open(cfg, nil)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
	cfg := good
	cfg.Dir, cfg.Bind = t.TempDir(), "0.0.0.0:0"
	if _, err := Open(cfg, nil); err == nil || !strings.Contains(err.Error(), "Advertise: required") {
		t.Errorf("wildcard address: got %v, want that Advertise is required", err)
	}
}

// What is proposed behind a command is applied behind it; what cannot be proposed does not stand in its way.
func TestNextCommandsFollow(t *testing.T) {
	c := newCluster(t, 3, nil)
	_, leader := c.leader()
	submit := func(id string) *fsm.Submit { return &fsm.Submit{ID: id, Time: time.Unix(1, 0).UTC(), Path: "p"} }
	cancel := func(id string) *fsm.Cancel { return &fsm.Cancel{ID: id, Time: time.Unix(2, 0).UTC()} }
	for i := range 20 {
		id := fmt.Sprint("w", i)
		resp, err := leader.Propose(c.ctx, submit(id), cancel(""), cancel(id), submit("after "+id))
		if err != nil || resp.ID != id {
			t.Fatalf("propose: %+v, %v, want the submit's answer %s", resp, err, id)
		}
		if w, ok := leader.State().Summary(id); !ok || w.Status != fsm.Cancelled {
			t.Fatalf("%s is %q, want it cancelled by the command behind", id, w.Status)
		}
		if _, ok := leader.State().Summary("after " + id); !ok {
			t.Fatalf("%s: the last command was not applied", id)
		}
	}
	c.equal()
	if _, err := leader.Propose(c.ctx, cancel(""), submit("x")); !errors.Is(err, ErrInvalid) {
		t.Errorf("an invalid command in front: %v, want ErrInvalid", err)
	}
	if _, ok := leader.State().Summary("x"); ok {
		t.Error("the command behind a refused one was proposed")
	}
}
