package csvsum

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// TestLongRecords: records longer than the buffer, and around their limit.
func TestLongRecords(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	long := "1,\"" + strings.Repeat("x\n\"\"y", 180_000) + "\",2\n" // about 900 kB
	commas := strings.Repeat("5,", 300_000) + "5\n"
	data := []byte("1,2,3\n" + long + "4,5,6\n" + commas + "7,8,9\n")
	plan := mustSniff(t, data, Options{Columns: Columns{First: 1, Every: 100}, Header: "no", Delimiter: ","})
	for _, limit := range []int64{0, int64(len(long)), int64(len(long)) - 1, int64(len(commas)), 5} {
		plan.Spec.RecordLimit = limit
		want := refSum(data, &plan.Spec)
		for _, k := range kernels {
			for _, chunk := range []int64{50_000, 300_000, int64(len(data))} {
				if raced && chunk != 300_000 {
					continue
				}
				if err := same(plan, sumShuffled(t, k, plan, data, chunk, rnd), want); err != nil {
					t.Fatalf("kernel %s, limit %d, chunk %d: %v", k.name, limit, chunk, err)
				}
			}
		}
	}
	if c := cap(scannerFor(kernels[0]).buf); c > 2*readSize+slack {
		t.Errorf("after a long record the buffer still holds %d bytes", c)
	}
}

func TestTooManyColumns(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	data := []byte("1,2\n" + strings.Repeat(",", MaxSelected) + "\n3,4\n")
	plan := mustSniff(t, data, Options{Columns: Columns{First: 1, Every: 1}, Header: "no"})
	want := refSum(data, &plan.Spec)
	if want.Fault == nil || want.Fault.Code != "too_many_columns" || want.Fault.Byte != 4 || want.Fault.Row != 2 {
		t.Fatalf("the reference says %+v", want.Fault)
	}
	for _, chunk := range []int64{20_000, 70_000, int64(len(data))} {
		if err := same(plan, sumShuffled(t, kernels[0], plan, data, chunk, rnd), want); err != nil {
			t.Fatalf("chunk %d: %v", chunk, err)
		}
	}
}

// TestFaultTexts: what a user reads names the byte.
func TestFaultTexts(t *testing.T) {
	for _, tt := range []struct {
		file, want string
		opt        Options
	}{
		{"1,2\n3,\"4", "the quote opened at byte 6 never closes", Options{}},
		{"1,2\n3,x\n", `column 2 of the record at byte 4 holds "x" at byte 6, which is not a number`, Options{Invalid: "fail"}},
	} {
		tt.opt.Header, tt.opt.Columns = "no", Columns{First: 1, Every: 1}
		plan := mustSniff(t, []byte(tt.file), tt.opt)
		for chunk := int64(1); chunk < 9; chunk++ {
			f := sumSplit(t, kernels[0], plan, []byte(tt.file), chunk)
			if f.Fault == nil || f.Fault.Error() != tt.want || f.Fault.Row != 2 || f.Rows != 1 {
				t.Errorf("%q, chunk %d: got %+v after %d rows, want %s", tt.file, chunk, f.Fault, f.Rows, tt.want)
			}
		}
	}
}

func TestReadErrors(t *testing.T) {
	data := bytes.Repeat([]byte("1,2\n"), 1000)
	plan := mustSniff(t, data, Options{Header: "no", Columns: Columns{First: 1, Every: 1}})
	task := Task{0, plan.Spec.Size, RecordStart}
	var sc Scanner
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		r    io.Reader
		want error
	}{
		"short":  {bytes.NewReader(data[:len(data)-1]), io.ErrUnexpectedEOF},
		"empty":  {bytes.NewReader(nil), io.ErrUnexpectedEOF},
		"broken": {io.MultiReader(bytes.NewReader(data[:100]), iotest.ErrReader(broken)), broken},
	} {
		if p, err := sc.Scan(context.Background(), &plan.Spec, task, tt.r); !errors.Is(err, tt.want) || p != nil {
			t.Errorf("%s: got %v, %v, want %v", name, p, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := sc.Scan(ctx, &plan.Spec, task, bytes.NewReader(data)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: got %v", err)
	}
	// Readers that give a byte at a time, or data together with their end, change nothing; nor does what went before.
	want := refSum(data, &plan.Spec)
	for _, r := range []io.Reader{iotest.OneByteReader(bytes.NewReader(data)), iotest.DataErrReader(bytes.NewReader(data))} {
		p, err := sc.Scan(context.Background(), &plan.Spec, task, r)
		if err != nil {
			t.Fatal(err)
		}
		f := NewFold(plan)
		f.Offer(0, p)
		if err := same(plan, f, want); err != nil {
			t.Error(err)
		}
	}
	_, err := Sum(context.Background(), func(context.Context, int64, int64) (io.ReadCloser, error) { return nil, broken }, plan, 100, 2, nil)
	if !errors.Is(err, broken) {
		t.Errorf("Sum with an open that fails: got %v, want %v", err, broken)
	}
	if _, err := Sum(ctx, openBytes(data), plan, 100, 2, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Sum with a cancelled context: got %v", err)
	}
}

func TestResult(t *testing.T) {
	data := []byte("id,price\n1,2.5\n2,\n3\n4,x\n")
	plan := mustSniff(t, data, Options{Columns: Columns{List: []ColumnRef{{Name: "price"}, {Number: 7}}}})
	got := resultJSON(t, plan, sumSplit(t, kernels[0], plan, data, 4))
	want := `{
 "Fault": null,
 "Result": {
  "rows": 4,
  "columns_total": 2,
  "results": [
   {
    "column": 2,
    "name": "price",
    "sum": 2.5,
    "mean": 2.5,
    "numeric": 1,
    "empty": 1,
    "invalid": 1,
    "missing": 1
   },
   {
    "column": 7,
    "name": null,
    "sum": 0,
    "mean": null,
    "numeric": 0,
    "empty": 0,
    "invalid": 0,
    "missing": 4
   }
  ],
  "total": 2.5,
  "bad_cells": [
   {
    "column": 2,
    "row": 4,
    "byte": 22,
    "text": "x"
   }
  ],
  "warnings": [
   "Column 7 is in no record: the widest has 2 fields.",
   "1 cell in 1 column is not a number and not part of the sums.",
   "1 selected cell is missing, because records are too short to have them."
  ],
  "digest": "DIGEST"
 }
}`
	digest := sumSplit(t, kernels[0], plan, data, 100).Result(plan, true).Digest
	if got != strings.Replace(want, "DIGEST", digest, 1) {
		t.Errorf("got\n%s", got)
	}
	if part := sumSplit(t, kernels[0], plan, data, 4).Result(plan, false); part.Digest != "" || len(part.Warnings) != 0 {
		t.Errorf("not final, but it has digest %q and warnings %q", part.Digest, part.Warnings)
	}
}

func TestBadText(t *testing.T) {
	for in, want := range map[string]string{
		"n/a":                              "n/a",
		"\xff":                             "\ufffd",
		strings.Repeat("x", 70):            strings.Repeat("x", 64),
		strings.Repeat("x", 63) + "é":      strings.Repeat("x", 63),
		strings.Repeat("x", 62) + "éé":     strings.Repeat("x", 62) + "é",
		strings.Repeat("\xff ", 40):        strings.Repeat("\ufffd ", 16),
		strings.Repeat("x", 63) + "\xffyz": strings.Repeat("x", 63),
	} {
		if got := badText([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
