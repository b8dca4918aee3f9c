package scheduler

import (
	"fmt"
	"testing"
	"time"

	"colsum/fsm"
	"colsum/rpc"
)

// BenchmarkThousandWorkers is one task's whole life (lease, heartbeats of its worker, completion) on a leader with 1,000
// workers of 4 slots, for one work of a million tasks and for 10,000 works of one task.
func BenchmarkThousandWorkers(b *testing.B) {
	for _, c := range []struct {
		name         string
		works, tasks int64
	}{{"one work", 1, 1 << 40}, {"many works", 10_000, 1}} {
		b.Run(c.name, func(b *testing.B) {
			s := New(Config{})
			now := time.Unix(1e9, 0)
			next := int64(0)
			add := func() {
				next++
				s.AddWork(now, WorkInfo{ID: rpc.WorkID(fmt.Sprint(next)), Tasks: c.tasks, Size: c.tasks, Chunk: 1, Window: 16384})
			}
			for range c.works {
				add()
			}
			workers := make([]rpc.Worker, 1000)
			held := make([][]rpc.Running, len(workers))
			for i := range workers {
				workers[i] = rpc.Worker{ID: rpc.WorkerID(fmt.Sprint("k", i)), Slots: 4}
				s.Touch(now, workers[i])
			}
			b.ResetTimer()
			for i := range b.N {
				k := workers[i%len(workers)]
				h := &held[i%len(workers)]
				now = now.Add(100 * time.Microsecond)
				if i%1000 == 0 {
					s.Expire(now)
				}
				for _, g := range s.Lease(now, k, 8-len(*h)) {
					*h = append(*h, rpc.Running{TaskRef: g.TaskRef})
				}
				s.Heartbeat(now, k, *h, false)
				done := (*h)[0].TaskRef
				*h = (*h)[1:]
				res := fsm.CompletionResult{}
				if c.tasks == 1 {
					res.Status = fsm.Done
					add()
				}
				s.Complete(now, k, done, res, nil)
			}
		})
	}
}
