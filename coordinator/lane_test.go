package coordinator

import (
	"fmt"
	"testing"
	"time"
)

func TestLaneOf(t *testing.T) {
	for path, want := range map[string]string{
		"a.csv": "", "dir/a.csv": "", "s3://b/k/x.csv": "s3://b", "S3://b": "s3://b", "file:///srv/a.csv": "file",
	} {
		if got := laneOf(path); got != want {
			t.Errorf("laneOf(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestLaneProbesAStorageThatIsAway(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := &lane{}
	for i := range laneParallel + 2 {
		l.queue = append(l.queue, fmt.Sprint(i))
	}
	start := func(want string) {
		t.Helper()
		if id, ok := l.next(now); id != want || ok != (want != "") {
			t.Fatalf("next %q %v, want %q", id, ok, want)
		}
	}
	for i := range laneParallel {
		start(fmt.Sprint(i))
	}
	start("")
	began := now
	now = now.Add(10 * time.Second)
	for i := range laneParallel - 1 { // all of one outage
		l.failed(now, began, fmt.Sprint(i))
	}
	if !l.since.Equal(began) || !l.probeAt.Equal(now.Add(laneBase)) {
		t.Fatalf("away since %v, probe at %v", l.since, l.probeAt)
	}
	now = now.Add(laneBase)
	start("") // one is still asking
	l.failed(now, began, fmt.Sprint(laneParallel-1))
	for i, delay := range []time.Duration{2, 4, 8, 16, 30, 30} {
		began = now
		start(fmt.Sprint((laneParallel + i) % (laneParallel + 2))) // another each time
		start("")
		l.failed(now, began, fmt.Sprint((laneParallel+i)%(laneParallel+2)))
		now = now.Add(delay*time.Second - 1)
		start("")
		now = now.Add(1)
	}
	start("4")
	l.answered()
	for range laneParallel {
		if _, ok := l.next(now); !ok {
			t.Fatal("the storage is back, and works still wait")
		}
	}
	if l.idle() {
		t.Error("a busy lane is idle")
	}
}
