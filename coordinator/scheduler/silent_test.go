package scheduler

import (
	"testing"
	"time"

	"colsum/rpc"
)

// beat sends a heartbeat: each task has done so many bytes and waits for so long.
func (b *bench) beat(k rpc.Worker, bytes int64, waiting time.Duration, grants ...Grant) {
	b.Helper()
	var running []rpc.Running
	for _, g := range grants {
		running = append(running, rpc.Running{TaskRef: g.TaskRef, BytesDone: bytes, Waiting: waiting})
	}
	if stop := b.s.Heartbeat(b.now, k, running, false); len(stop) > 0 {
		b.Fatalf("told to stop %v", stop)
	}
	b.check()
}

// A storage that says nothing to those who wait for it counts as away long before their patience is over: no more tasks join
// them but one as a probe, the tasks that wait take nobody's slot, and the first byte ends it.
func TestSilentStorage(t *testing.T) {
	b := newBench(t)
	k := who("k", 2)
	b.add("a", 9)
	g := b.want(k, 2, "a/0", "a/1")
	b.beat(k, 1, silentAfter-time.Second, g...)
	if _, away := b.s.AwaySince("a"); away {
		t.Fatal("away too early")
	}
	b.now = b.now.Add(silentAfter)
	b.beat(k, 1, 2*silentAfter-time.Second, g...)
	began := b.now.Add(-2*silentAfter + time.Second)
	if since, away := b.s.AwaySince("a"); !away || !since.Equal(began) {
		t.Fatalf("away %v since %v, want since %v", away, since, began)
	}
	b.want(k, 2)
	b.add("b", 1) // a single task: it would be left to idle slots of others, were these two not idle
	b.done(k, b.want(k, 2, "b/0")...)

	b.now = b.now.Add(awayBase)
	probe := b.want(k, 4, "a/2")
	b.beat(k, 1, 3*silentAfter, g...)
	b.want(k, 4)
	if since, _ := b.s.AwaySince("a"); !since.Equal(began) {
		t.Errorf("away since %v, want still %v", since, began)
	}
	b.fail(k, rpc.StorageAway, g[0], probe[0])
	b.want(k, 4)

	b.beat(k, 2, 0, g[1]) // a byte
	if _, away := b.s.AwaySince("a"); away {
		t.Error("away though bytes came")
	}
	b.want(k, 3, "a/0", "a/2", "a/3")
}

// One worker that gets nothing does not speak for the storage while another gets bytes.
func TestSilenceForOneWorker(t *testing.T) {
	b := newBench(t)
	k, l := who("k", 1), who("l", 1)
	b.add("a", 9)
	g, h := b.want(k, 1, "a/0"), b.want(l, 1, "a/1")
	for bytes := int64(1); bytes < 9; bytes++ {
		b.now = b.now.Add(time.Second)
		b.beat(l, bytes, 0, h...)
		b.beat(k, 0, time.Duration(bytes)*time.Second, g...)
		if _, away := b.s.AwaySince("a"); away {
			t.Fatalf("away after %d s", bytes)
		}
	}
}
