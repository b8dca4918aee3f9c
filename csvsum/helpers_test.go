package csvsum

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// The automaton byte by byte is the specification: it runs as a kernel of its own in all tests.
func init() {
	kernels = append([]*kernel{{name: "automaton", index: indexAutomaton}}, kernels...)
}

// raced is set under the race detector, which makes scans some twenty times slower and finds nothing in most of them that a
// few would not show: one goroutine runs each.
var raced bool

// eachKernel runs fn once for each kernel this machine has.
func eachKernel(t *testing.T, fn func(t *testing.T, k *kernel)) {
	t.Helper()
	for _, k := range kernels {
		t.Run(k.name, func(t *testing.T) { fn(t, k) })
	}
}

func indexAutomaton(a *automaton, dst []uint32, src []byte, base uint32, s State) ([]uint32, int, State, State) {
	out, records, end := a.run(dst, src, base, s)
	return out, records, end, Unknown
}

// scanBytes runs one task over a file in memory.
func scanBytes(t testing.TB, k *kernel, spec *Spec, data []byte, task Task) *Partial {
	t.Helper()
	return scanWith(t, scannerFor(k), spec, data, task)
}

func scanWith(t testing.TB, sc *Scanner, spec *Spec, data []byte, task Task) *Partial {
	t.Helper()
	p, err := sc.Scan(context.Background(), spec, task, bytes.NewReader(data[task.ReadFrom(spec):]))
	if err != nil {
		t.Fatalf("scan of [%d, %d): %v", task.Start, task.End, err)
	}
	if err := p.Validate(); err != nil {
		t.Fatalf("scan of [%d, %d): %v", task.Start, task.End, err)
	}
	return p
}

// scanners keeps one per kernel, so that thousands of small scans share its buffers, as they do in a worker.
var scanners = map[*kernel]*Scanner{}

func scannerFor(k *kernel) *Scanner {
	if scanners[k] == nil {
		scanners[k] = &Scanner{kernel: k}
	}
	return scanners[k]
}

// sumSplit sums a file in chunks, one task after the other.
func sumSplit(t testing.TB, k *kernel, plan *Plan, data []byte, chunk int64) *Fold {
	t.Helper()
	f := NewFold(plan)
	n := Tasks(plan.Spec.Size, chunk)
	sc := scannerFor(k)
	for rounds := 0; f.Frontier < n && f.Fault == nil; rounds++ {
		if rounds > 2 {
			t.Fatalf("chunk %d: not done after %d rounds, frontier %d of %d", chunk, rounds, f.Frontier, n)
		}
		for i := f.Frontier; i < n && f.Fault == nil; i++ {
			if f.IsDone(i) {
				continue
			}
			start, end := plan.Spec.TaskRange(i, chunk)
			f.Offer(i, scanWith(t, sc, &plan.Spec, data, Task{start, end, f.StartState(i)}))
		}
	}
	return f
}

// sumShuffled runs the tasks in random order, all guessing or with random assumed states, and repairs what was wrong. It goes
// through a decoded copy of the fold now and then.
func sumShuffled(t testing.TB, k *kernel, plan *Plan, data []byte, chunk int64, rnd *rand.Rand) *Fold {
	t.Helper()
	f := NewFold(plan)
	n := Tasks(plan.Spec.Size, chunk)
	sc := scannerFor(k)
	for runs := int64(0); f.Frontier < n && f.Fault == nil; runs++ {
		if runs > 3*n+3 {
			t.Fatalf("chunk %d: not done after %d runs, frontier %d of %d", chunk, runs, f.Frontier, n)
		}
		var open []int64
		for i := f.Frontier; i < n; i++ {
			if !f.IsDone(i) {
				open = append(open, i)
			}
		}
		i := open[rnd.IntN(len(open))]
		start, end := plan.Spec.TaskRange(i, chunk)
		state := f.StartState(i)
		known := state
		if state == Unknown && rnd.IntN(2) == 0 {
			state = State(rnd.IntN(NumStates))
		}
		p := scanWith(t, sc, &plan.Spec, data, Task{start, end, state})
		v, dropped := f.Offer(i, p)
		if known != Unknown && v != Accepted {
			t.Fatalf("task %d ran with the known state %d: verdict %d", i, known, v)
		}
		for _, d := range dropped {
			if f.IsDone(d) || f.StartState(d) == Unknown && f.Fault == nil {
				t.Fatalf("task %d was dropped: done %v, start state %d", d, f.IsDone(d), f.StartState(d))
			}
		}
		if v2, _ := f.Offer(i, p); f.IsDone(i) && v2 != Duplicate {
			t.Fatalf("task %d offered twice: verdict %d", i, v2)
		}
		if rnd.Int64N(4+n/2) == 0 {
			f = reopen(t, f)
		}
	}
	return f
}

func resultJSON(t testing.TB, plan *Plan, f *Fold) string {
	t.Helper()
	v := struct {
		Fault  *Fault
		Result *Result
	}{f.Fault, f.Result(plan, true)}
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mustSniff(t testing.TB, data []byte, opt Options) *Plan {
	t.Helper()
	plan, err := Sniff(data[:min(len(data), HeadBytes)], int64(len(data)), opt)
	if errors.Is(err, ErrShortHead) {
		plan, err = Sniff(data, int64(len(data)), opt)
	}
	if err != nil {
		t.Fatalf("sniff: %v", err)
	}
	return plan
}

// openBytes is the open function of Sum for a file in memory.
func openBytes(data []byte) func(context.Context, int64, int64) (io.ReadCloser, error) {
	return func(_ context.Context, off, _ int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data[off:])), nil
	}
}
