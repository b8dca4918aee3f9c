package fsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestChanged(t *testing.T) {
	f := open(t)
	if !isClosed(f.Changed("unknown")) {
		t.Error("the channel of an unknown work is open")
	}
	csv := newFile(t, "1,2\n3,4\n", 4, everyColumn)
	csv.start(t, f, "w")
	csv.start(t, f, "other")
	complete := &Complete{Time: at(2), Done: []Completion{{"w", 1, "v1", csv.scan(t, 1, 0)}}}
	for _, step := range []struct {
		name    string
		change  func()
		changes bool
	}{
		{"completion", func() { do(t, f, complete) }, true},
		{"duplicate", func() { do(t, f, complete) }, false},
		{"another work", func() { do(t, f, &Cancel{ID: "other", Time: at(3)}) }, false},
		{"end", func() { do(t, f, &Cancel{ID: "w", Time: at(3)}) }, true},
		{"cancel again", func() { do(t, f, &Cancel{ID: "w", Time: at(3)}) }, false},
		{"snapshot", func() { snapshotOf(t, f) }, false},
		{"restore", func() {
			if err := restore(f, snapshotOf(t, f)); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"removal", func() { do(t, f, &Forget{Before: at(9)}) }, true},
	} {
		ch := f.Changed("w")
		if isClosed(ch) {
			t.Errorf("%s: closed before", step.name)
		}
		if f.Changed("w") != ch {
			t.Errorf("%s: a second watcher has a channel of its own", step.name)
		}
		step.change()
		if got := isClosed(ch); got != step.changes {
			t.Errorf("%s: closed %v, want %v", step.name, got, step.changes)
		}
	}
	if n := len(f.watch.works); n != 0 {
		t.Errorf("%d channels are left", n)
	}
}

func TestWaitApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.WaitApplied(ctx, 0); err != nil {
			t.Errorf("index 0: %v", err)
		}
		if err := f.WaitApplied(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nothing applied: got %v", err)
		}
		waited := make(chan error, 1)
		go func() { waited <- f.WaitApplied(t.Context(), 7) }()
		for _, index := range []uint64{3, 6, 8} {
			synctest.Wait()
			if len(waited) > 0 {
				t.Errorf("woke before index %d", index)
			}
			f.Apply(&raft.Log{Index: index, Type: raft.LogConfiguration})
		}
		if err := <-waited; err != nil {
			t.Error(err)
		}
		go func() { waited <- f.WaitApplied(t.Context(), 100) }()
		synctest.Wait()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := <-waited; !errors.Is(err, ErrClosed) {
			t.Errorf("after close: got %v", err)
		}
	})
}

func TestAfterClose(t *testing.T) {
	f := smallState(t)
	snap := snapshotOf(t, f)
	s, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	ch := f.Changed("runs")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if !isClosed(ch) || !isClosed(f.Changed("runs")) {
		t.Error("a watcher is left waiting")
	}
	if _, ok := f.Document("done"); ok {
		t.Error("a document after close")
	}
	if len(f.ActiveIDs()) != 2 || f.Counts().Done != 1 {
		t.Error("queries from memory do not work after close")
	}
	if _, err := f.Snapshot(); !errors.Is(err, ErrClosed) {
		t.Errorf("snapshot: got %v", err)
	}
	if err := f.Dump(io.Discard); !errors.Is(err, ErrClosed) {
		t.Errorf("dump: got %v", err)
	}
	if _, _, err := f.Hash(); !errors.Is(err, ErrClosed) {
		t.Errorf("hash: got %v", err)
	}
	if err := restore(f, snap); !errors.Is(err, ErrClosed) {
		t.Errorf("restore: got %v", err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	var out sink // the snapshot taken before still has its file
	if err := s.Persist(&out); err != nil || out.String() != string(snap) {
		t.Errorf("persist: %v", err)
	}
	s.Release()
}

// Queries run beside entries, snapshots and restores. What a summary shows, the document shows too.
func TestQueriesBesideApply(t *testing.T) {
	f, oracle := open(t), open(t)
	s := newScript(t, 5, oracle)
	var logs []*raft.Log
	for i := range uint64(400) {
		logs = append(logs, entry(t, i+1, s.next()))
		oracle.Apply(logs[i])
	}
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	read := func(fn func()) {
		readers.Go(func() {
			for ctx.Err() == nil {
				fn()
			}
		})
	}
	read(func() {
		list, _ := f.Summaries("", 5, "")
		for _, s := range list {
			d, ok := f.Document(s.ID)
			if !ok {
				continue // forgotten
			}
			if d.WorkID != s.ID || d.Mtime.Before(s.Mtime) || s.Status.Ended() && d.Status != string(s.Status) {
				t.Errorf("the document is older than the summary: %+v, %+v", d, s)
			}
		}
	})
	read(func() {
		for _, id := range f.ActiveIDs() {
			f.Active(id)
			f.Summary(id)
			isClosed(f.Changed(id))
		}
		if c := f.Counts(); c.TasksPending < 0 || c.TasksDone < 0 {
			t.Errorf("counts: %+v", c)
		}
		f.Nodes()
	})
	read(func() {
		index := f.AppliedIndex()
		if at, _, err := f.Hash(); err != nil || at < index {
			t.Errorf("hash of index %d, after applying %d: %v", at, index, err)
		}
	})
	for i := 0; i < len(logs); i += 4 {
		f.ApplyBatch(logs[i : i+4])
		if i%40 == 0 {
			snap, err := f.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			var out sink
			done := make(chan error)
			go func() { done <- snap.Persist(&out); snap.Release() }()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if err := restore(f, out.Bytes()); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	readers.Wait()
	compare(t, oracle, f)
}

// A document waits for the entry that is on its way to the file.
func TestDocumentWaitsForTheFile(t *testing.T) {
	f := open(t)
	do(t, f, &Submit{ID: "w", Time: t0, Path: "p"})
	tx, err := f.db.bolt.Begin(true) // holds the writer back
	if err != nil {
		t.Fatal(err)
	}
	applied := make(chan any, 1)
	l := entry(t, 2, &Cancel{ID: "w", Time: at(1)})
	go func() { applied <- f.Apply(l) }()
	for s, _ := f.Summary("w"); s.Status != Cancelled; s, _ = f.Summary("w") {
		runtime.Gosched() // the memory has it soon: it does not wait for the file
	}
	if f.AppliedIndex() != 1 {
		t.Error("published before it was written")
	}
	doc := make(chan string, 1)
	go func() {
		d, ok := f.Document("w")
		doc <- fmt.Sprint(d.Status, ok)
	}()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := <-doc; got != "cancelledtrue" {
		t.Errorf("got %s", got)
	}
	<-applied
}

// A file that cannot be written ends the process rather than letting the node's state go astray.
func TestWriteFailurePanics(t *testing.T) {
	f := open(t)
	if err := f.db.bolt.Close(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if got := fmt.Sprint(recover()); got == "<nil>" || f.AppliedIndex() != 0 {
			t.Errorf("got %q, applied %d", got, f.AppliedIndex())
		}
	}()
	f.Apply(entry(t, 1, &Submit{ID: "w", Time: t0, Path: "p"}))
}
