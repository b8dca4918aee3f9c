package raftnode

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// Only what was sent in time, in this term, to voters, counts.
func TestAcks(t *testing.T) {
	var a acks
	begun := time.Now()
	before, after := begun.Add(-time.Second), begun.Add(time.Second)
	servers := []raft.Server{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: "e"}, {ID: "x", Suffrage: raft.Nonvoter}}
	majority := func() bool { return a.majority(servers, "a", 7, begun) }
	for _, step := range []struct {
		from raft.ServerID
		term uint64
		sent time.Time
		want bool
	}{
		{"b", 7, before, false},
		{"c", 7, before, false},
		{"d", 6, after, false},
		{"x", 7, after, false},
		{"b", 7, begun, false},
		{"b", 7, before, false}, // an older answer, late
		{"c", 7, after, true},
		{"c", 6, after.Add(time.Second), true}, // one of an older term, late
		{"c", 8, after, false},
	} {
		a.add(step.from, step.term, step.sent)
		if got := majority(); got != step.want {
			t.Errorf("after %s accepted term %d, sent %v after the beginning: got %v, want %v", step.from, step.term, step.sent.Sub(begun), got, step.want)
		}
	}
	if !a.majority(servers[:1], "a", 7, begun) || a.majority(servers[1:3], "a", 7, begun) {
		t.Error("a lone voter is its own majority, and one that has no vote is nobody's")
	}
}
