package raftnode

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// probeEvery is how often a node with an empty folder asks the others; probeTold how often it says that it waits.
	probeEvery = 100 * time.Millisecond
	probeTold  = 10 * time.Second
)

// A node that finds its folder empty cannot tell whether its cluster is new or whether the folder was lost. In the second
// case its vote would count for a majority that has forgotten what was committed, and two such nodes could even begin a
// second cluster. So it starts unborn: it follows, but neither votes nor stands for election, until either
//
//   - every other node has said that it is as empty: then this is the first start, and it writes the first membership; or
//   - a leader, elected without it, has brought its log up to an entry of that leader's own term that is committed: then it
//     has all that was ever committed, as a new member would.
//
// Both are remembered in identity.json. A node that joins a cluster takes the second way; it may be born before it is a member
// for certain, since a leader brings the log up to one that it is about to take in. So the first start of a cluster needs all
// its nodes; every later one a majority.
//
// What remains, and is why a lost node is better removed and added anew (see the package comment): a vote that was cast just
// before the loss, in an election that is still under way.

// gate stands between raft's transport and raft, turns elections away while the node is unborn, and notes what others accept.
type gate struct {
	*raft.NetworkTransport
	unborn atomic.Bool
	passed chan raft.RPC
	acks   acks
}

func newGate(t *raft.NetworkTransport) *gate {
	return &gate{NetworkTransport: t, passed: make(chan raft.RPC)}
}

// Consumer implements raft.Transport.
func (g *gate) Consumer() <-chan raft.RPC { return g.passed }

var errUnborn = errors.New("this node does not vote yet: it began with an empty folder and has not caught up")

// run passes calls on until quit is closed. last is the index of this node's newest log entry.
func (g *gate) run(quit <-chan struct{}, last func() uint64) {
	for {
		select {
		case rpc := <-g.NetworkTransport.Consumer():
			if g.answer(rpc, last) {
				continue
			}
			select {
			case g.passed <- rpc:
			case <-quit:
				rpc.Respond(nil, raft.ErrTransportShutdown)
			}
		case <-quit:
			return
		}
	}
}

// answer answers what raft shall not see.
func (g *gate) answer(rpc raft.RPC, last func() uint64) bool {
	if req, ok := rpc.Command.(*raft.AppendEntriesRequest); ok && req.Term == 0 { // firstStart's question
		rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: req.RPCHeader, LastLog: last()}, nil)
		return true
	}
	if !g.unborn.Load() {
		return false
	}
	switch req := rpc.Command.(type) {
	case *raft.RequestVoteRequest:
		rpc.Respond(&raft.RequestVoteResponse{RPCHeader: req.RPCHeader, Term: req.Term}, nil)
	case *raft.RequestPreVoteRequest:
		rpc.Respond(&raft.RequestPreVoteResponse{RPCHeader: req.RPCHeader, Term: req.Term}, nil)
	case *raft.TimeoutNowRequest:
		rpc.Respond(&raft.TimeoutNowResponse{RPCHeader: req.RPCHeader}, errUnborn)
	default:
		return false
	}
	return true
}

// grow waits until this node may vote and, where it joins a cluster, is a member; and sees to it.
func (n *Node) grow(members raft.Configuration) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	var told time.Time
	for n.gate.unborn.Load() || !n.joined.Load() {
		var err error
		switch {
		case !n.gate.unborn.Load():
			err = n.join()
		case n.raft.LastIndex() == 0:
			err = n.firstStart(members)
		case !n.hasAllCommitted():
			err = errors.New("no leader has brought its log up to date yet")
		default:
			err = n.born()
		}
		if err == nil {
			continue
		}
		if time.Since(told) >= probeTold {
			if !told.IsZero() {
				n.log.Warn("this node is no whole member of the cluster yet", "because", err)
			}
			told = time.Now()
		}
		select {
		case <-tick.C:
		case <-n.quit:
			return
		}
	}
}

// firstStart writes the first membership if every other node is as empty as this one.
func (n *Node) firstStart(members raft.Configuration) error {
	if len(members.Servers) == 0 {
		return errors.New("no cluster has taken it in yet")
	}
	var missing []string
	for _, s := range members.Servers {
		if s.ID == raft.ServerID(n.cfg.ID) {
			continue
		}
		req := &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}
		var resp raft.AppendEntriesResponse
		err := n.trans.AppendEntries(s.ID, s.Address, req, &resp)
		switch {
		case err != nil:
			missing = append(missing, string(s.ID))
		case resp.LastLog > 1:
			return fmt.Errorf("node %s has a log already: this node's folder was lost, or it is late", s.ID)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the first start of a cluster needs all its nodes: %s does not answer", strings.Join(missing, ", "))
	}
	if err := n.raft.BootstrapCluster(members).Error(); err != nil {
		return err // a leader was faster: its log is on its way
	}
	return n.born()
}

// hasAllCommitted reports whether an entry of the present leader's own term is committed and here.
func (n *Node) hasAllCommitted() bool {
	term, index := n.raft.CurrentTerm(), n.raft.CommitIndex()
	if _, leader := n.raft.LeaderWithID(); leader == "" || index == 0 {
		return false
	}
	var entry raft.Log
	if n.logs.GetLog(index, &entry) != nil { // it is in a snapshot that was just installed
		stats := n.raft.Stats()
		if at, _ := strconv.ParseUint(stats["last_snapshot_index"], 10, 64); at == index {
			entry.Term, _ = strconv.ParseUint(stats["last_snapshot_term"], 10, 64)
		}
	}
	return entry.Term == term && n.raft.CurrentTerm() == term
}

// born makes this a node like the others, for good.
func (n *Node) born() error {
	n.identity.Unborn = false
	if err := writeIdentity(filepath.Join(n.cfg.Dir, identityFile), n.identity); err != nil {
		return err
	}
	n.gate.unborn.Store(false)
	return nil
}

// join remembers, for good, that this node is a member, once the membership that says so is committed. Before that it may come
// to nothing: with the leader who proposed it.
func (n *Node) join() error {
	self := func(s raft.Server) bool { return s.ID == raft.ServerID(n.cfg.ID) }
	term, committed := n.raft.CurrentTerm(), n.raft.CommitIndex()
	pending, err := n.changesBehind(committed)
	switch {
	case err != nil:
		return err
	case pending, !slices.ContainsFunc(n.servers(), self):
		return errors.New("no cluster has taken it in yet")
	case !n.hasAllCommitted() || n.raft.CurrentTerm() != term:
		return errors.New("no leader has brought its log up to date yet")
	}
	n.identity.Joined = true
	if err := writeIdentity(filepath.Join(n.cfg.Dir, identityFile), n.identity); err != nil {
		return err
	}
	n.joined.Store(true)
	return nil
}

// changesBehind reports whether the log has changes of the membership behind an entry. Within one term it may grow and is never
// cut.
func (n *Node) changesBehind(index uint64) (bool, error) {
	for last := n.raft.LastIndex(); index < last; {
		index++
		var entry raft.Log
		if err := n.logs.GetLog(index, &entry); err != nil {
			return false, fmt.Errorf("look at raft log: %w", err)
		}
		if entry.Type == raft.LogConfiguration {
			return true, nil
		}
	}
	return false, nil
}

// Joined reports whether this node is, or has been, a member of its cluster for certain. While it is not, one that joins has to
// ask to be taken in, again and again: that a leader has begun to do so does not mean that it comes about.
func (n *Node) Joined() bool { return n.joined.Load() }
