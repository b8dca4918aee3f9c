package coordinator

import (
	"slices"
	"testing"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"
)

// A leader goes in mid-work. The next one adopts what workers are at, and the sum is the same.
func TestLeaderGoesInMidWork(t *testing.T) {
	nodes := newCluster(t)
	first := leader(nodes)
	first.write("a.csv", table(200, 30, 1))
	held, open := first.gate(20)
	first.work(3, nil)
	opt := csvsum.Options{ChunkBytes: 1024}
	id := first.submit("a.csv", opt)
	var before []RunningView
	first.until("tasks are done and held", func() bool {
		w := first.Workers() // none for a moment, should this busy machine cost the node its leadership
		if len(w) == 1 {
			before = w[0].Running
		}
		return held.Load() > 0 && first.TaskCounts().Done > 0 && len(before) > 0
	})

	first.stop()
	nodes = slices.DeleteFunc(nodes, func(s *stack) bool { return s == first })
	second := leader(nodes)
	second.until("leases are adopted", func() bool {
		w := second.Workers()
		return len(w) == 1 && len(w[0].Running) > 0
	})
	for _, now := range second.Workers()[0].Running {
		if !slices.ContainsFunc(before, func(r RunningView) bool { return r.Task == now.Task }) {
			t.Errorf("task %d runs, which nobody was leased before", now.Task)
		}
	}
	open()
	second.want(id, "a.csv", opt)

	follower := nodes[slices.IndexFunc(nodes, func(s *stack) bool { return s != second })]
	follower.until("the follower knows the leader and the result", func() bool {
		n, self, ok := follower.Leader()
		doc, known := follower.Document(id)
		return ok && !self && n.RPC == second.addr && known && doc.Status == string(fsm.Done)
	})
	reply, err := follower.Lease(t.Context(), &rpc.LeaseRequest{Worker: rpc.Worker{ID: "k", Slots: 1}, Max: 1})
	if err != nil || reply.NotLeader == nil || reply.NotLeader.Leader != second.addr {
		t.Errorf("a follower's answer to Lease: %+v, %v", reply, err)
	}
	if follower.Workers() != nil || follower.TaskCounts().Leased != 0 {
		t.Errorf("a follower claims to know workers or leases")
	}
}
