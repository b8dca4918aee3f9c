package scheduler

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"colsum/csvsum"
)

// Whatever workers, leaders, storage and network do, works end, with the right sums, and leases are what they should be. More
// seeds by `make sim SEEDS=n`; SEED=n begins with another one than 0.
func TestReplicatedSimulation(t *testing.T) {
	few := 300
	if testing.Short() {
		few = 50
	}
	first, n := number(t, "COLSUM_SEED", 0), number(t, "COLSUM_SEEDS", few)
	began := time.Now()
	sum, failed := simulate(t, uint64(first), n, 0)
	took := time.Since(began)
	t.Logf("seeds %d to %d: %d run in %.1f s, %.0f a minute", first, first+n-1, sum.seeds, took.Seconds(), float64(sum.seeds)/took.Minutes())
	t.Logf("%+v", *sum)
	for _, f := range failed {
		t.Errorf("seed %d: %v\n\tagain: make sim SEEDS=1 SEED=%d", f.seed, f.err, f.seed)
	}
	if n >= 300 && min(sum.backups, sum.adopted, sum.duplicates, sum.dropped, sum.wrong, sum.doomed, sum.cancelled, sum.done) == 0 {
		t.Errorf("%+v: the simulation is too tame", *sum)
	}
}

type failedSeed struct {
	seed uint64
	err  error
}

// simulate runs n seeds on all processors. It stops early after a few that fail.
func simulate(t *testing.T, first uint64, n int, bug sabotage) (*simStats, []failedSeed) {
	const enough = 5
	var group sync.WaitGroup
	var next atomic.Uint64
	var mu sync.Mutex
	sum, failed := &simStats{}, []failedSeed(nil)
	base := scratch(t)
	for i := range runtime.GOMAXPROCS(0) {
		dir := filepath.Join(base, strconv.Itoa(i))
		group.Go(func() {
			scanner := new(csvsum.Scanner)
			for seed := next.Add(1) - 1; seed < uint64(n); seed = next.Add(1) - 1 {
				m, err := newReplicated(dir, first+seed, bug, scanner)
				if err == nil {
					err = m.run()
				}
				mu.Lock()
				if m != nil {
					sum.add(m.stats)
				}
				if err != nil {
					failed = append(failed, failedSeed{first + seed, err})
				}
				stop := len(failed) >= enough
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	group.Wait()
	return sum, failed
}

// scratch is a folder in memory, where the system has one: bbolt syncs a new file once, and a seed makes two.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "colsum-sim-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// number reads a number from the environment.
func number(t *testing.T, name string, n int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return n
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s: must be a number from 0, got %q", name, text)
	}
	return n
}
