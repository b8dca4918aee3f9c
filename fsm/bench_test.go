package fsm

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/hashicorp/raft"

	"colsum/csvsum"
	"colsum/decimal"
)

// tenColumns is a work of 64 MiB tasks with a partial of everyday size.
func tenColumns(tasks int64) (csvsum.Plan, func(task int64) *csvsum.Partial) {
	plan := csvsum.Plan{
		Spec: csvsum.Spec{
			Size:      tasks << 26,
			Dialect:   csvsum.Dialect{Delimiter: ',', Quote: '"', Decimal: '.', NewlineText: "\n", Header: true},
			Selection: csvsum.Selection{First: 10, Every: 10},
		},
		HeaderWidth: 100,
	}
	for i := range 10 {
		plan.Names = append(plan.Names, fmt.Sprint("col", 10*i+9))
	}
	var sum decimal.Sum
	sum.AddCell([]byte("17234.84442185152504812345"), '.')
	return plan, func(task int64) *csvsum.Partial {
		p := &csvsum.Partial{Rows: 34000, Width: 100, Ends: [csvsum.NumStates]csvsum.State{0, 0, 0, 3, 0, 0, 0}}
		p.Start, p.End = plan.Spec.TaskRange(task, 1<<26)
		for range 10 {
			p.Columns = append(p.Columns, csvsum.Column{Sum: sum, Numeric: 34000})
		}
		return p
	}
}

// BenchmarkCompletions applies completions of one work in task order, several to an entry and several entries to a batch.
func BenchmarkCompletions(b *testing.B) {
	for _, size := range []struct{ entries, done int }{{1, 1}, {1, 8}, {8, 8}, {64, 1}} {
		b.Run(fmt.Sprintf("entries=%d/done=%d", size.entries, size.done), func(b *testing.B) {
			f := open(b)
			plan, partial := tenColumns(1 << 30)
			do(b, f, &Submit{ID: "w", Time: t0, Path: "p"})
			do(b, f, &Plan{ID: "w", Time: t0, Plan: plan, Chunk: 1 << 26})
			task, index, n := int64(0), f.AppliedIndex(), 0
			for b.Loop() {
				b.StopTimer()
				var logs []*raft.Log
				for range size.entries {
					c := &Complete{Time: t0}
					for range size.done {
						c.Done = append(c.Done, Completion{"w", task, "", partial(task)})
						task++
					}
					index++
					logs = append(logs, entry(b, index, c))
				}
				n += size.entries * size.done
				b.StartTimer()
				f.ApplyBatch(logs)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "completions/s")
			b.ReportMetric(float64(len(entry(b, index+1, &Complete{Time: t0, Done: []Completion{{"w", 0, "", partial(0)}}}).Data)), "bytes/completion")
		})
	}
}

func BenchmarkEncodeComplete(b *testing.B) {
	_, partial := tenColumns(10)
	c := &Complete{Time: t0, Done: []Completion{{"w", 0, "v1", partial(0)}}}
	for b.Loop() {
		if _, err := Encode(c); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory is what a coordinator holds with one work of 10^6 tasks, 10,000 of them waiting beyond the frontier,
// and 10,000 finished works.
func BenchmarkMemory(b *testing.B) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		f := open(b)
		plan, partial := tenColumns(1e6)
		index := uint64(0)
		apply := func(cmds ...Command) {
			var logs []*raft.Log
			for _, c := range cmds {
				index++
				logs = append(logs, entry(b, index, c))
			}
			f.ApplyBatch(logs)
		}
		apply(&Submit{ID: "huge", Time: t0, Path: "p"}, &Plan{ID: "huge", Time: t0, Plan: plan, Chunk: 1 << 26})
		for i := range int64(10_000) {
			apply(&Complete{Time: t0, Done: []Completion{{"huge", i + 1, "", partial(i + 1)}}})
		}
		withHuge := heap()
		one, onePartial := tenColumns(1)
		for i := range 10_000 {
			id := fmt.Sprintf("0199a1b2-c3d4-7e5f-8a9b-%012d", i)
			apply(&Submit{ID: id, Time: t0, Path: "folder/data-" + id + ".csv", Key: id, Hash: make([]byte, 32)},
				&Plan{ID: id, Time: t0, Plan: one, Version: "\"d41d8cd98f00b204e9800998ecf8427e\"", Chunk: 1 << 26},
				&Complete{Time: at(1), Done: []Completion{{id, 0, "\"d41d8cd98f00b204e9800998ecf8427e\"", onePartial(0)}}})
		}
		if c := f.Counts(); c.Done != 10_000 || c.TasksDone != 10_000 {
			b.Fatalf("counts: %+v", c)
		}
		b.ReportMetric(float64(withHuge-before)/(1<<20), "MiB-huge")
		b.ReportMetric(float64(heap()-withHuge)/(1<<20), "MiB-10000-done")
		b.ReportMetric(float64(len(snapshotOf(b, f)))/(1<<20), "MiB-snapshot")
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
