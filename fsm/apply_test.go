package fsm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hashicorp/raft"
)

// The same entries give the same state, however they are batched.
func TestBatching(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			a, b := open(t), open(t)
			s := newScript(t, seed, a)
			r := rand.New(rand.NewPCG(seed, 2))
			var waiting []*raft.Log
			var want []any
			index := uint64(0)
			for step := range 400 {
				index += 1 + uint64(r.IntN(2)) // raft keeps some entries to itself
				l := &raft.Log{Index: index, Type: raft.LogConfiguration}
				if r.IntN(20) > 0 {
					l = entry(t, index, s.next())
				}
				waiting = append(waiting, l)
				want = append(want, a.Apply(l))
				note(seen, want[len(want)-1])
				if r.IntN(5) > 0 && step < 399 {
					continue
				}
				got := b.ApplyBatch(waiting)
				if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
					t.Fatalf("step %d: responses\ngot  %s\nwant %s", step, g, w)
				}
				if g, w := dumpOf(t, b), dumpOf(t, a); g != w {
					t.Fatalf("step %d: dumps differ\ngot  %s\nwant %s", step, g, w)
				}
				if a.AppliedIndex() != index || b.AppliedIndex() != index {
					t.Fatalf("step %d: applied %d and %d, want %d", step, a.AppliedIndex(), b.AppliedIndex(), index)
				}
				waiting, want = nil, nil
			}
		})
	}
	// The script is of use only if it goes everywhere.
	t.Log(seen)
	for _, what := range []string{
		"0", "1", "2", "3", "4", "5", "removed",
		"task 0", "task 1", "task 2", "task 6", "task 7", "verdict 0", "verdict 1", "verdict 2", "dropped", "done", "failed",
	} {
		if seen[what] == 0 {
			t.Errorf("never seen: %s", what)
		}
	}
}

// note counts what a response shows.
func note(seen map[string]int, response any) {
	r, ok := response.(Response)
	if !ok {
		return
	}
	if r.Removed > 0 {
		seen["removed"]++
	}
	if r.Done == nil {
		seen[fmt.Sprint(r.Outcome)]++
	}
	for _, c := range r.Done {
		seen[fmt.Sprint("task ", c.Outcome)]++
		if c.Outcome != OK {
			continue
		}
		seen[fmt.Sprint("verdict ", c.Verdict)]++
		seen[string(c.Status)]++
		if len(c.Dropped) > 0 {
			seen["dropped"]++
		}
	}
}
