package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var fakeFiles = []file{
	{"a.csv", []outcome{{status: "done", digest: "sha256:a", rows: 1000}}},
	{"b.csv", []outcome{{status: "done", digest: "sha256:b", rows: 40}}},
	{"broken.csv", []outcome{{status: "failed", code: "unclosed_quote"}}},
	{"replaced.csv", []outcome{
		{status: "done", digest: "sha256:c0", rows: 500},
		{status: "done", digest: "sha256:c1", rows: 500},
		{status: "done", digest: "sha256:c2", rows: 700},
	}},
}

// The same clients and the same check as in a real run find nothing in a cluster that is right, and each planted bug.
func TestCheckFindsPlantedBugs(t *testing.T) {
	for _, tc := range []struct{ bug, want string }{
		{"", ""},
		{"accepted work lost", "is lost"},
		{"double fold", "rows, digest"},
		{"stale read", "not linearizable"},
		{"key forgotten", "carried out twice"},
		{"cancel forgotten", "not linearizable"},
		{"states differ", "states differ"},
		{"mixed versions", "rows, digest"},
		{"version of before", "rows, digest"},
		{"changed for nothing", "file_changed"},
		{"never ends", "has not ended"},
		{"forgets too early", "is lost"},
	} {
		t.Run("bug="+tc.bug, func(t *testing.T) {
			f, nodes := startFake(t, tc.bug, fakeFiles)
			h := newHistory()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			asking, enough := context.WithCancel(ctx)
			var all sync.WaitGroup
			for i := range 3 {
				all.Go(func() {
					c := newClient(i, 1, nodes, fakeFiles, h)
					c.pace = time.Millisecond
					c.run(asking)
				})
			}
			replaced := 0
			err := until(ctx, time.Minute, func() bool {
				replaced++
				v := replaced % 3
				_ = h.replace("replaced.csv", v, func() error { f.replace("replaced.csv", v); return nil }) // never fails
				h.mu.Lock()
				defer h.mu.Unlock()
				return len(h.ops) > 500 && replaced > 5
			})
			enough()
			all.Wait()
			if err != nil {
				t.Fatal(err)
			}
			patience := endTime
			if tc.bug == "never ends" {
				patience = time.Second
			}
			bad := strings.Join(check(ctx, h, fakeFiles, nodes, patience), "\n")
			if tc.want == "" && bad != "" || !strings.Contains(bad, tc.want) {
				t.Errorf("got %q, want %q in it", bad, tc.want)
			}
		})
	}
}

// A work on a file that is replaced may end as any version of its time, and change only if there was another.
func TestVersionsOfATime(t *testing.T) {
	h := newHistory()
	h.spans["f"] = []span{{0, 0, 12}, {1, 10, 22}, {2, 20, forever}}
	for _, tc := range []struct {
		from, to int64
		want     []int
	}{
		{1, 9, []int{0}},
		{1, 10, []int{0, 1}},
		{11, 19, []int{0, 1}},
		{13, 19, []int{1}},
		{5, 30, []int{0, 1, 2}},
		{23, 30, []int{2}},
	} {
		got, replaced := h.versions("f", tc.from, tc.to)
		if !slices.Equal(got, tc.want) || replaced != len(tc.want)-1 {
			t.Errorf("from %d to %d: got %v, replaced %d times; want %v", tc.from, tc.to, got, replaced, tc.want)
		}
	}
	if got, replaced := h.versions("other", 5, 6); len(got) != 1 || replaced != 0 {
		t.Errorf("a file that was never replaced: got %v, replaced %d times", got, replaced)
	}
}

// The model tells histories apart that differ in one answer.
func TestModel(t *testing.T) {
	submit := func(call, ret int64, id string) op {
		return op{key: "k", kind: opSubmit, call: call, ret: ret, id: id, unknown: id == "", wall: call}
	}
	read := func(call, ret int64, status string, rows, mtime int64) op {
		return op{key: "k", kind: opRead, call: call, ret: ret, found: status != "", id: "w", status: status, rows: rows, mtime: mtime}
	}
	forgotten := func(call, ret, wall int64) op {
		return op{key: "k", kind: opRead, call: call, ret: ret, wall: wall}
	}
	cancel := func(call, ret int64, unknown bool) op {
		return op{key: "k", kind: opCancel, call: call, ret: ret, unknown: unknown}
	}
	for _, tc := range []struct {
		name string
		ok   bool
		ops  []op
	}{
		{"life of a work", true, []op{submit(1, 2, "w"), read(3, 4, "queued", 0, 1), read(5, 6, "running", 5, 2), read(7, 8, "done", 9, 3)}},
		{"two answers to one key", true, []op{submit(1, 2, "w"), submit(1, 5, "w")}},
		{"two ids for one key", false, []op{submit(1, 2, "w"), submit(3, 4, "v")}},
		{"unanswered submit that was carried out", true, []op{submit(1, 2, ""), read(9, 10, "done", 1, 1)}},
		{"unanswered submit that was not", true, []op{submit(1, 2, ""), read(9, 10, "", 0, 0)}},
		{"carried out, then gone", false, []op{submit(1, 2, ""), read(9, 10, "done", 1, 1), read(11, 12, "", 0, 0)}},
		{"read before any submit", false, []op{read(1, 2, "queued", 0, 0), submit(3, 4, "w")}},
		{"lost", false, []op{submit(1, 2, "w"), read(3, 4, "", 0, 0)}},
		{"back to running", false, []op{submit(1, 2, "w"), read(3, 4, "done", 9, 5), read(5, 6, "running", 9, 5)}},
		{"fewer rows", false, []op{submit(1, 2, "w"), read(3, 4, "running", 9, 5), read(5, 6, "running", 8, 5)}},
		{"reads at once, in either order", true, []op{submit(1, 2, "w"), read(3, 6, "running", 9, 5), read(3, 6, "running", 8, 4)}},
		{"older", false, []op{submit(1, 2, "w"), read(3, 4, "running", 9, 5), read(5, 6, "running", 9, 4)}},
		{"cancelled by nobody", false, []op{submit(1, 2, "w"), read(3, 4, "cancelled", 0, 5)}},
		{"cancelled", true, []op{submit(1, 2, "w"), cancel(3, 4, false), read(5, 6, "cancelled", 0, 5)}},
		{"cancelled too late", true, []op{submit(1, 2, "w"), cancel(3, 4, false), read(5, 6, "done", 0, 5)}},
		{"cancelled and still running", false, []op{submit(1, 2, "w"), cancel(3, 4, false), read(5, 6, "running", 0, 5)}},
		{"unanswered cancellation", true, []op{submit(1, 2, "w"), cancel(3, 4, true), read(5, 6, "running", 0, 5), read(7, 8, "cancelled", 0, 6)}},
		{"forgotten", true, []op{submit(1, 2, "w"), read(3, 4, "done", 9, 5), forgotten(7, 8, 5)}},
		{"forgotten unseen", true, []op{submit(1, 2, "w"), forgotten(7, 8, 1)}},
		{"forgotten too early", false, []op{submit(1, 2, "w"), read(3, 4, "done", 9, 5), forgotten(7, 8, 4)}},
		{"forgotten and back", false, []op{submit(1, 2, "w"), read(3, 4, "done", 9, 5), forgotten(7, 8, 5), read(9, 10, "done", 9, 5)}},
		{"another end", false, []op{submit(1, 2, "w"), cancel(3, 4, true), read(5, 6, "done", 0, 5), read(7, 8, "cancelled", 0, 6)}},
	} {
		bad := linearizable(tc.ops, time.Minute)
		if (len(bad) == 0) != tc.ok {
			t.Errorf("%s: got %q, want ok %v", tc.name, bad, tc.ok)
		}
	}
}
