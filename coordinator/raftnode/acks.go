package raftnode

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// acks remembers, for each other node, when the newest AppendEntries that it accepted was sent. Raft's VerifyLeader does not
// look at that: an answer that was on its way already counts, and while this process was stopped, or the network held the
// answer back, the others may have elected another leader. The zero value is ready; safe for concurrent use.
type acks struct {
	mu   sync.Mutex
	seen map[raft.ServerID]ack // mu
}

type ack struct {
	term uint64
	sent time.Time
}

func (a *acks) add(from raft.ServerID, term uint64, sent time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[raft.ServerID]ack{}
	}
	if old := a.seen[from]; term > old.term || term == old.term && sent.After(old.sent) {
		a.seen[from] = ack{term, sent}
	}
}

// majority reports whether most voters, self among them if it is one, have accepted something of a term that was sent at a
// time or later.
func (a *acks) majority(servers []raft.Server, self raft.ServerID, term uint64, since time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	voters, votes := 0, 0
	for _, s := range servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		if k := a.seen[s.ID]; s.ID == self || k.term == term && !k.sent.Before(since) {
			votes++
		}
	}
	return votes > voters/2
}

// AppendEntries implements raft.Transport.
func (g *gate) AppendEntries(id raft.ServerID, to raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	term, sent := req.Term, time.Now()
	err := g.NetworkTransport.AppendEntries(id, to, req, resp)
	if err == nil && resp.Success {
		g.acks.add(id, term, sent)
	}
	return err
}
