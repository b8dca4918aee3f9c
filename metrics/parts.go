package metrics

import (
	"time"

	"colsum/coordinator"
	"colsum/coordinator/raftnode"
	"colsum/fsm"
	"colsum/storage"
	"colsum/worker"
)

// Storage shows the counters of a storage.
func (r *Registry) Storage(stats *storage.Stats) {
	r.reg.MustRegister(collector(func(e emitter) {
		stats.Each(func(name, help string, value int64) {
			e.counter("colsum_storage_"+name+"_total", help, float64(value))
		})
	}))
}

// Worker shows what a worker is at. Its id is no label: with the default, a random one, each start would begin new series.
func (r *Registry) Worker(status func() worker.Status) {
	r.reg.MustRegister(collector(func(e emitter) {
		s := status()
		e.gauge("colsum_worker_slots", "Tasks that this worker runs at once.", float64(s.Slots))
		const tasks = "Tasks at this worker: they run, wait for a slot, or their outcome waits to be accepted by a leader."
		for state, n := range map[string]int{"running": s.Running, "queued": s.Queued, "unsent": s.Unsent} {
			e.gauge("colsum_worker_tasks", tasks, float64(n), "state", state)
		}
		e.counter("colsum_worker_tasks_done_total", "Tasks whose results a leader accepted.", float64(s.TasksDone))
		e.counter("colsum_worker_bytes_done_total", "Bytes of those tasks' ranges.", float64(s.BytesDone))
	}))
}

// Works is what is read of a coordinator; *coordinator.Coordinator has it.
type Works interface {
	State() *fsm.FSM
	Leader() (leader fsm.Node, self, ok bool)
	TaskCounts() coordinator.TaskCounts
	Workers() []coordinator.WorkerView
}

// Node is what is read of a raft node; *raftnode.Node has it.
type Node interface {
	Members() []raftnode.Member
	Stats() raftnode.Stats
}

// Coordinator shows works, tasks, workers and the raft node. Tasks under lease and workers are known to the leader only:
// other nodes leave these metrics out, so that a sum over the nodes counts nothing twice.
func (r *Registry) Coordinator(works Works, node Node) {
	r.reg.MustRegister(collector(func(e emitter) {
		_, self, known := works.Leader()
		e.gauge("colsum_leader", "1 on the node that leads.", one(self))
		e.gauge("colsum_leader_known", "1 where a leader is known.", one(known))
		c := works.State().Counts()
		for status, n := range map[fsm.Status]int{
			fsm.Queued: c.Queued, fsm.Running: c.Running, fsm.Done: c.Done, fsm.Failed: c.Failed, fsm.Cancelled: c.Cancelled,
		} {
			e.gauge("colsum_works", "Works that this node knows of; ended ones until they are forgotten.", float64(n), "status", string(status))
		}
		raft := node.Stats()
		e.gauge("colsum_raft_term", "Term of this node.", float64(raft.Term))
		for at, index := range map[string]uint64{
			"last": raft.Last, "commit": raft.Commit, "applied": raft.Applied, "snapshot": raft.Snapshot,
		} {
			e.gauge("colsum_raft_index", "Indices of this node's log.", float64(index), "at", at)
		}
		if !self {
			return
		}
		tasks := works.TaskCounts()
		for state, n := range map[string]int64{"leased": tasks.Leased, "pending": tasks.Pending, "done": tasks.Done} {
			e.gauge("colsum_tasks", "Tasks of the running works.", float64(n), "state", state)
		}
		list := works.Workers()
		slots, busy, speed := 0, 0, 0.0
		for _, w := range list {
			slots += w.Slots
			busy += len(w.Running)
			speed += w.BytesPerSecond
		}
		e.gauge("colsum_workers", "Workers that the leader knows of.", float64(len(list)))
		e.gauge("colsum_worker_slots_known", "Their slots.", float64(slots))
		e.gauge("colsum_leases", "Leases that they hold.", float64(busy))
		e.gauge("colsum_bytes_per_second", "Bytes summed per second by all of them, lately.", speed)
		silent := 0
		for _, m := range node.Members() {
			if m.Silent {
				silent++
			}
		}
		e.gauge("colsum_nodes_silent", "Nodes that do not answer the leader.", float64(silent))
	}))
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// seconds is d as Prometheus wants it.
func seconds(d time.Duration) float64 { return d.Seconds() }
