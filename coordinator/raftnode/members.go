package raftnode

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/raft"
)

// changeWait is how long a change of membership waits to be taken up by the leader.
const changeWait = 10 * time.Second

// Role is what a member does at the moment, as far as this node knows.
type Role string

const (
	Leading   Role = "leader"
	Following Role = "follower"
	Standing  Role = "candidate"
	Learning  Role = "nonvoter" // follows without a vote
	Removed   Role = "removed"  // this node, when it is no member (any more, or yet)
)

// Member is a node of the cluster as this node sees it.
type Member struct {
	ID    string
	Addr  string // raft address
	Voter bool
	Self  bool
	Role  Role
	// LastContact is when this node last heard from the member: known to the leader of its followers, and to a follower
	// of its leader. Zero: not known, or never.
	LastContact time.Time
	// Silent: the member does not answer this leader's heartbeats.
	Silent bool
}

// Stats are this node's raft indices.
type Stats struct {
	Term     uint64
	Last     uint64 // newest log entry
	Commit   uint64
	Applied  uint64 // by the state machine; commands and changes of membership count only
	Snapshot uint64 // newest entry in a snapshot
}

// Leader returns the leader's id, "" while nobody knows, and whether it is this node.
func (n *Node) Leader() (id string, self bool) {
	_, leader := n.raft.LeaderWithID()
	if leader == raft.ServerID(n.cfg.ID) {
		if n.raft.State() == raft.Leader {
			return n.cfg.ID, true
		}
		return "", false // stepping down
	}
	return string(leader), false
}

// LeaderChanged returns a channel that is closed at the next change of what Leader, Members or Stats's term tell. Take it
// before looking.
func (n *Node) LeaderChanged() <-chan struct{} {
	_, changed := n.now()
	return changed
}

// LeaderAddresses returns the leader's HTTP and rpc addresses as it announced them; ok is false while nobody knows the
// leader, or its addresses.
func (n *Node) LeaderAddresses() (http, rpc string, ok bool) {
	id, _ := n.Leader()
	if id == "" {
		return "", "", false
	}
	for _, node := range n.state.Nodes() {
		if node.ID == id {
			return node.HTTP, node.RPC, true
		}
	}
	return "", "", false
}

// WaitLeader waits until somebody leads and returns its id.
func (n *Node) WaitLeader(ctx context.Context) (string, error) {
	for {
		changed := n.LeaderChanged()
		if id, _ := n.Leader(); id != "" {
			return id, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", fmt.Errorf("wait for a leader: %w", context.Cause(ctx))
		case <-n.quit:
			return "", fmt.Errorf("wait for a leader: %w", ErrClosed)
		}
	}
}

// Members returns the cluster as of this node's log, by the order they joined. This node is listed last with role
// Removed when it is no member.
func (n *Node) Members() []Member {
	leader, self := n.Leader()
	n.mu.Lock()
	silent := make(map[string]time.Time, len(n.silent))
	for id, t := range n.silent {
		silent[id] = t
	}
	n.mu.Unlock()

	var list []Member
	found := false
	for _, s := range n.servers() {
		m := Member{ID: string(s.ID), Addr: string(s.Address), Voter: s.Suffrage == raft.Voter, Role: Following}
		m.Self = m.ID == n.cfg.ID
		found = found || m.Self
		last, isSilent := silent[m.ID]
		switch {
		case m.ID == leader:
			m.Role = Leading
			if !self {
				m.LastContact = n.raft.LastContact()
			}
		case m.Self && n.raft.State() == raft.Candidate:
			m.Role = Standing
		case !m.Voter:
			m.Role = Learning
		}
		if self && !m.Self {
			m.LastContact, m.Silent = time.Now(), isSilent
			if isSilent {
				m.LastContact = last
			}
		}
		list = append(list, m)
	}
	if !found {
		list = append(list, Member{ID: n.cfg.ID, Addr: n.Addr(), Self: true, Role: Removed})
	}
	return list
}

// Stats returns this node's raft indices.
func (n *Node) Stats() Stats {
	s := Stats{
		Term: n.raft.CurrentTerm(), Last: n.raft.LastIndex(), Commit: n.raft.CommitIndex(), Applied: n.state.AppliedIndex(),
	}
	s.Snapshot, _ = strconv.ParseUint(n.raft.Stats()["last_snapshot_index"], 10, 64) // 0 if raft should drop the name
	return s
}

// AddVoter makes a node a voting member, or changes its address. Leader only.
func (n *Node) AddVoter(id, addr string) error {
	return change("add voter", n.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(addr), 0, changeWait))
}

// AddNonvoter makes a node a member that follows without a vote. Leader only.
func (n *Node) AddNonvoter(id, addr string) error {
	return change("add nonvoter", n.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(addr), 0, changeWait))
}

// Remove takes a node out of the cluster; a leader that removes itself steps down. Leader only.
func (n *Node) Remove(id string) error {
	return change("remove", n.raft.RemoveServer(raft.ServerID(id), 0, changeWait))
}

// Transfer hands the leadership to the named node, or to the one most up to date if id is "". Leader only.
func (n *Node) Transfer(id string) error {
	if id == "" {
		return change("transfer leadership", n.raft.LeadershipTransfer())
	}
	for _, s := range n.servers() {
		if string(s.ID) == id {
			return change("transfer leadership", n.raft.LeadershipTransferToServer(s.ID, s.Address))
		}
	}
	return fmt.Errorf("transfer leadership: no member has the id %q", id)
}

func change(op string, f raft.Future) error {
	if err := f.Error(); err != nil {
		return fmt.Errorf("%s: %w", op, outcome(err))
	}
	return nil
}

func (n *Node) servers() []raft.Server {
	f := n.raft.GetConfiguration()
	if f.Error() != nil {
		return nil // raft answers this from memory and never with an error
	}
	return f.Configuration().Servers
}

// hasPeers reports whether somebody else could lead.
func (n *Node) hasPeers() bool {
	for _, s := range n.servers() {
		if s.Suffrage == raft.Voter && string(s.ID) != n.cfg.ID {
			return true
		}
	}
	return false
}
