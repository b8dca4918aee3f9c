package coordinator

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"colsum/csvsum"
)

// BenchmarkSmallWorks is works of one small file each on three nodes, from submit to result, for 1 and 32 clients.
func BenchmarkSmallWorks(b *testing.B) {
	for _, clients := range []int{1, 32} {
		b.Run(map[int]string{1: "one", 32: "many"}[clients], func(b *testing.B) {
			nodes := newCluster(b)
			s := leader(nodes)
			s.work(2, nil)
			s.write("a.csv", table(50, 20, 1))
			s.ends(s.submit("a.csv", csvsum.Options{}))
			took := make([]time.Duration, b.N)
			var next atomic.Int64
			var group sync.WaitGroup
			b.ResetTimer()
			for range clients {
				group.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						began := time.Now()
						s.ends(s.submit("a.csv", csvsum.Options{}))
						took[i] = time.Since(began)
					}
				})
			}
			group.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "works/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
		})
	}
}
