package main

import (
	"fmt"
	"testing"
)

// While works run, snapshots are taken and the log is cut behind them; a node that was away for longer than the log goes back
// is brought up to date by one, in the middle of the works.
func TestNodeCatchesUpBySnapshotInMidWork(t *testing.T) {
	c := startCluster(t, 3, 1, "--snapshot-entries=20", "--snapshot-interval=100ms")
	leader, away := c.leader()
	type indices struct{ Last, Applied, Snapshot uint64 }
	stand := func(node int) (raft indices, ok bool, text string) {
		var v struct{ Raft indices }
		ok, text = call(t.Context(), "GET", c.http[node]+"/api/cluster?consistency=stale", "", nil, &v)
		return v.Raft, ok, text
	}
	before, ok, text := stand(away)
	if !ok {
		t.Fatal(text)
	}
	c.nodes[away].kill()
	url := c.http[away]
	c.http[away] = c.http[leader] // the dead node is not asked
	for i := range 4 {
		c.submit(i, fmt.Sprintf("f%d.csv", i%2), 8<<10)
	}
	// The log of a node goes back as many entries behind its snapshot as lie between two.
	eventually(t, "cut behind what the node has", func() (bool, string) {
		now, ok, text := stand(leader)
		return ok && now.Snapshot > before.Last+2*20, text
	})
	if list := c.list(); list.InProgress == 0 {
		t.Fatalf("the works were done before the node came back: %+v", list)
	}
	c.http[away] = url
	c.nodes[away].start(t)
	goal, ok, text := stand(leader)
	if !ok {
		t.Fatal(text)
	}
	eventually(t, "up to date", func() (bool, string) {
		now, ok, text := stand(away)
		return ok && now.Applied >= goal.Applied && now.Snapshot > before.Last, text
	})
	c.check()
	c.equal()
}
