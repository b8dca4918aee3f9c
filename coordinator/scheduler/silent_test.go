package scheduler

import (
	"fmt"
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

func (b *bench) addOn(store, id string, tasks int64) {
	b.s.AddWork(b.now, WorkInfo{ID: rpc.WorkID(id), Store: store, Tasks: tasks, Size: tasks * 10, Chunk: 10})
}

// However many works are on a storage that does not answer, one task of them all probes it; they take turns, and the first
// answer ends it for all. Works on other storages, and those on the same that are answered, go on.
func TestOneProbeForAStore(t *testing.T) {
	b := newBench(t)
	k := who("k", 8)
	for _, id := range []string{"a", "b", "c"} {
		b.addOn("s3://dead", id, 2)
	}
	b.addOn("s3://dead", "d", 9)
	b.addOn("s3://fine", "e", 9)
	g := b.want(k, 5, "a/0", "b/0", "c/0", "d/0", "e/0")
	b.fail(k, rpc.StorageAway, g[:3]...)
	b.want(k, 2, "d/1", "e/1")
	b.now = b.now.Add(awayBase)
	for i, id := range []string{"a", "b", "c", "a", "b"} {
		probe := b.want(k, 3, id+"/0", fmt.Sprintf("d/%d", i+2), fmt.Sprintf("e/%d", i+2))
		b.done(k, probe[1:]...)
		b.fail(k, rpc.StorageAway, probe[0])
		b.now = b.now.Add(awayMax)
		b.beat(k, 1, 0, g[3], g[4])
	}
	probe := b.want(k, 1, "c/0")
	b.beat(k, 1, 0, probe...)
	for _, id := range []rpc.WorkID{"a", "b", "c"} {
		if since, away := b.s.AwaySince(id); away {
			t.Errorf("%s is away since %v though c was answered", id, since)
		}
	}
}

// A probe that ends with its work makes room for that of another.
func TestProbeOfAnEndedWork(t *testing.T) {
	b := newBench(t)
	k := who("k", 8)
	b.addOn("s3://dead", "a", 1)
	b.addOn("s3://dead", "b", 1)
	b.fail(k, rpc.StorageAway, b.want(k, 2, "a/0", "b/0")...)
	b.now = b.now.Add(awayBase)
	b.want(k, 8, "a/0")
	b.s.RemoveWork("a")
	b.check()
	probe := b.want(k, 8, "b/0")
	b.done(k, probe...)
	b.s.RemoveWork("b")
	b.check()
	if len(b.s.stores) > 0 {
		t.Errorf("left: %v", b.s.stores)
	}
}
