package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"colsum/csvsum"
	"colsum/decimal"
)

// tally is the exact sums of the number columns that were written, made cell by cell without the engine. Safe for
// concurrent use.
type tally struct {
	mu   sync.Mutex
	sums []decimal.Sum
}

func newTally(columns int) *tally { return &tally{sums: make([]decimal.Sum, columns)} }

// add adds sums, which are left as they are.
func (t *tally) add(sums []decimal.Sum) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range sums {
		t.sums[i].Add(&sums[i])
	}
}

// check reads the file that was written back, sums it up by the engine and compares.
func (c *GenerateCmd) check(ctx context.Context, want *tally) error {
	info, open, err := (&SumCmd{AccessFlags: c.AccessFlags}).open(ctx, c.Out)
	if err != nil {
		return err
	}
	opt := csvsum.Options{Columns: csvsum.Columns{First: 2, Every: 1}, Delimiter: ",", Header: "yes"}
	plan, err := sniff(ctx, open, info.Size, opt)
	if err != nil {
		return fmt.Errorf("check %s: %w", c.Out, err)
	}
	bar := newBar(info.Size, "check")
	fold, err := csvsum.Sum(ctx, open, plan, 0, runtime.GOMAXPROCS(0), bar.set)
	bar.finish()
	if err != nil {
		return fmt.Errorf("check %s: %w", c.Out, err)
	}
	if fold.Fault != nil {
		return fmt.Errorf("check %s: %w", c.Out, fold.Fault)
	}
	got := fold.Result(plan, true)
	if got.Rows != c.Rows || len(got.Results) != len(want.sums) {
		return fmt.Errorf("check %s: it has %d rows and %d columns of numbers, written were %d and %d", c.Out, got.Rows, len(got.Results), c.Rows, len(want.sums))
	}
	for i, r := range got.Results {
		if s := want.sums[i].String(); string(r.Sum) != s || r.Numeric != c.Rows {
			return fmt.Errorf("check %s: column %d has %d numbers and the sum %s, written were %d and %s", c.Out, r.Column, r.Numeric, r.Sum, c.Rows, s)
		}
	}
	return nil
}
