package worker

import (
	"context"
	"testing"

	"colsum/csvsum"
	"colsum/rpc"
)

func task(i int64, token rpc.LeaseToken) rpc.Assignment {
	return rpc.Assignment{TaskRef: rpc.TaskRef{Work: "w", Task: i, Token: token}, Version: "v", Start: 10 * i, End: 10*i + 10, State: csvsum.Unknown}
}

func nothing(error) {}

func TestWant(t *testing.T) {
	for _, tc := range []struct {
		slots, prefetch, running, queued int
		want                             int
	}{
		{2, 2, 0, 0, 4},
		{2, 2, 0, 1, 3},
		{2, 2, 1, 0, 3}, // a slot is free: ask whatever is in store
		{2, 2, 2, 0, 2},
		{2, 2, 2, 1, 1},
		{2, 2, 2, 2, 0},
		{2, 8, 2, 5, 0}, // more than half the store is there
		{2, 8, 2, 4, 4},
		{2, 0, 2, 0, 0},
		{2, 0, 1, 0, 1},
		{2, 2, 2, 9, 0}, // the leader gave more than was asked for
	} {
		b := newBoard(tc.slots, tc.prefetch, 1000)
		for i := range tc.running + tc.queued {
			b.add([]rpc.Assignment{task(int64(i), 1)})
		}
		for range tc.running {
			b.take(nothing)
		}
		if got := b.want(); got != tc.want {
			t.Errorf("%+v: got %d", tc, got)
		}
	}
}

func TestSecondLeaseOfATaskIsAdoptedAtEveryStage(t *testing.T) {
	stages := map[string]func(b *board) *item{
		"queued":  func(b *board) *item { return b.queue[0] },
		"running": func(b *board) *item { return b.take(nothing) },
		"done": func(b *board) *item {
			it := b.take(nothing)
			b.finish(it, &csvsum.Partial{}, rpc.Failure{})
			return it
		},
	}
	for name, reach := range stages {
		t.Run(name, func(t *testing.T) {
			b := newBoard(1, 1, 1000)
			b.add([]rpc.Assignment{task(1, 1)})
			it := reach(b)
			b.add([]rpc.Assignment{task(1, 2)})
			if held := b.held(); len(held) != 1 || held[0].Token != 2 {
				t.Errorf("held: got %+v, want the task once, with its new token", held)
			}
			b.stop([]rpc.TaskRef{task(1, 1).TaskRef})
			if it.dropped || len(b.held()) != 1 {
				t.Error("a stop of the old lease ended the new one")
			}
			if _, d := b.batch(9); len(d) == 1 && d[0].Token != 2 {
				t.Errorf("completion: got %+v, want the new token", d[0])
			}
			if next := b.take(nothing); (next != nil) != (name == "queued") {
				t.Errorf("take: got %+v", next)
			}
		})
	}
}

// The leader may lease a task anew before its answer to the failure has arrived here.
func TestLeaseAfterAFailureIsRunAgain(t *testing.T) {
	b := newBoard(1, 1, 1000)
	b.add([]rpc.Assignment{task(1, 1)})
	b.finish(b.take(nothing), nil, rpc.Failure{Kind: rpc.StorageAway})
	items, f := b.failures(9)
	b.add([]rpc.Assignment{task(1, 2)})
	b.reported(items)
	if len(f) != 1 || f[0].Token != 1 {
		t.Errorf("failures: got %+v, want the first attempt's", f)
	}
	if held := b.held(); len(held) != 1 || held[0].Token != 2 {
		t.Errorf("held: got %+v, want the second lease", held)
	}
	if it := b.take(nothing); it == nil || it.task.Token != 2 {
		t.Errorf("take: got %+v, want the second lease", it)
	}
}

func TestSecondLeaseWithAnotherStateReplacesTheFirst(t *testing.T) {
	for _, done := range []bool{false, true} {
		b := newBoard(1, 1, 1000)
		b.add([]rpc.Assignment{task(1, 1)})
		ctx, cancel := context.WithCancelCause(context.Background())
		first := b.take(cancel)
		if done {
			b.finish(first, &csvsum.Partial{}, rpc.Failure{})
		}
		again := task(1, 2)
		again.State = csvsum.Quoted
		b.add([]rpc.Assignment{again})
		if !done && context.Cause(ctx) != errDropped {
			t.Errorf("the first run's context: got %v, want it dropped", context.Cause(ctx))
		}
		if !done {
			b.finish(first, &csvsum.Partial{}, rpc.Failure{})
		}
		if _, d := b.batch(9); len(d) != 0 || b.unsent != 0 {
			t.Errorf("done=%v: got %d results to send (%d bytes), want none of the wrong state", done, len(d), b.unsent)
		}
		second := b.take(nothing)
		if second == nil || second.task.State != csvsum.Quoted {
			t.Fatalf("take: got %+v, want the task with its state", second)
		}
		b.finish(second, &csvsum.Partial{}, rpc.Failure{})
		items, d := b.batch(9)
		if len(d) != 1 || d[0].Token != 2 {
			t.Fatalf("got %+v, want the second result", d)
		}
		b.accepted(items)
		if len(b.held()) != 0 || b.unsent != 0 || b.tasksDone != 1 || b.bytesDone != 10 {
			t.Errorf("afterwards: got %d held, %d bytes unsent, %d tasks, %d bytes", len(b.held()), b.unsent, b.tasksDone, b.bytesDone)
		}
	}
}

func TestBatchesAreBoundedButNeverEmpty(t *testing.T) {
	b := newBoard(4, 0, 1<<20)
	one := cost(&csvsum.Partial{})
	for i := range int64(5) {
		b.add([]rpc.Assignment{task(i, 1)})
		b.finish(b.take(nothing), &csvsum.Partial{}, rpc.Failure{})
	}
	for _, tc := range []struct {
		max  int64
		want int
	}{{1, 1}, {one, 1}, {2*one - 1, 1}, {2 * one, 2}, {99 * one, 5}} {
		if _, d := b.batch(tc.max); len(d) != tc.want {
			t.Errorf("batch of %d bytes: got %d results, want %d", tc.max, len(d), tc.want)
		}
	}
	items, _ := b.batch(2 * one)
	b.stop([]rpc.TaskRef{task(0, 1).TaskRef}) // while the batch is on its way
	b.accepted(items)
	if _, d := b.batch(99 * one); len(d) != 3 || d[0].Task != 2 || b.unsent != 3*one {
		t.Errorf("after the first two: got %+v, %d bytes unsent", d, b.unsent)
	}
}

func TestLeavingTakesNothingIn(t *testing.T) {
	b := newBoard(1, 2, 1000)
	b.add([]rpc.Assignment{task(1, 1), task(2, 1)})
	b.take(nothing)
	b.leave()
	b.add([]rpc.Assignment{task(3, 1)}) // was on its way
	if b.take(nothing) != nil || b.want() != 0 {
		t.Error("a worker that leaves took a task")
	}
	items, f := b.failures(9)
	if len(f) != 2 || f[0].Task != 2 || f[1].Task != 3 || f[0].Kind != rpc.Returned || f[1].Kind != rpc.Returned {
		t.Errorf("got %+v, want tasks 2 and 3 handed back", f)
	}
	b.reported(items)
	if held := b.held(); len(held) != 1 || held[0].Task != 1 {
		t.Errorf("held: got %+v, want the one that runs", held)
	}
}
