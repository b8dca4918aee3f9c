package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"colsum/csvsum"
	"colsum/decimal"

	"golang.org/x/sync/errgroup"
)

// GenerateCmd writes a CSV file of random numbers.
type GenerateCmd struct {
	Columns int    `required:"" env:"COLSUM_GENERATE_COLUMNS" placeholder:"N" help:"Number columns, besides the time column in front."`
	Rows    int64  `required:"" env:"COLSUM_GENERATE_ROWS" placeholder:"N" help:"Records, besides the header."`
	Out     string `default:"-" placeholder:"PATH" help:"A file on this machine, s3://bucket/key, or - for the standard output (default -)."`
	Check   bool   `help:"Read the file back when it is written and compare its sums with those of the numbers that were made."`
	Seed    uint64 `default:"1" placeholder:"S" help:"Equal seeds give equal files (default 1)."`

	AccessFlags
}

// maxColumns bounds --columns: a record of so many cells is 1.9 MB, well below the record limit.
const maxColumns = 100_000

func (*GenerateCmd) Help() string {
	return `The header is ",col1,...,colN"; each record is a time, a second after the one before, and N decimals in (0, 1).
The file appears under its name only when it is complete.

Examples:
  colsum generate --columns 100 --rows 3000000 --out data/big.csv
  colsum generate --columns 100 --rows 300000 --check --out s3://bucket/seed.csv
  colsum generate --columns 3 --rows 5`
}

func (c *GenerateCmd) Validate() error {
	switch {
	case c.Columns < 1 || c.Columns > maxColumns:
		return usagef("--columns: must be between 1 and %d, got %d", maxColumns, c.Columns)
	case c.Rows < 0:
		return usagef("--rows: must be at least 0, got %d", c.Rows)
	case c.Rows > maxRows:
		return usagef("--rows: must be at most %d, got %d", int64(maxRows), c.Rows)
	case c.Out == "":
		return usagef("--out: must name a file, s3://bucket/key or -")
	case c.Check && c.Out == "-":
		return usagef("--check: needs --out, the standard output cannot be read back")
	case c.Check && c.Columns > csvsum.MaxSelected:
		return usagef("--check: takes at most %d columns, got %d", csvsum.MaxSelected, c.Columns)
	}
	return nil
}

func (c *GenerateCmd) Run(ctx context.Context) error {
	if c.Out == "-" {
		w := bufio.NewWriter(os.Stdout)
		if err := generate(ctx, w, c.Columns, c.Rows, c.Seed, nil, nil); err != nil {
			return err
		}
		return w.Flush()
	}
	w, err := c.create(ctx)
	if err != nil {
		return err
	}
	defer w.Abort()
	var written *tally
	if c.Check {
		written = newTally(c.Columns)
	}
	bar := newBar(estimate(c.Columns, c.Rows), "generate "+filepath.Base(c.Out))
	err = generate(ctx, w, c.Columns, c.Rows, c.Seed, written, bar.add)
	bar.finish()
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write %s: %w", c.Out, err)
	}
	if c.Check {
		return c.check(ctx, written)
	}
	return nil
}

// estimate is about how many bytes such a file has, for the progress bar.
func estimate(columns int, rows int64) int64 {
	if n := float64(rows) * (20 + 19.5*float64(columns)); n < math.MaxInt64/2 {
		return int64(n)
	}
	return math.MaxInt64 / 2
}

// generate writes the file to w. Blocks of rows are made in parallel and written in order; their contents depend on
// columns, rows and seed only. written, unless nil, gets the sums; progress, unless nil, is told of bytes written.
func generate(ctx context.Context, w io.Writer, columns int, rows int64, seed uint64, written *tally, progress func(int64)) error {
	if _, err := io.WriteString(w, header(columns)); err != nil {
		return err
	}
	block := blockRows(columns)
	blocks := (rows + block - 1) / block
	workers := runtime.GOMAXPROCS(0)

	type job struct {
		i    int64
		text chan []byte // one send
	}
	g, ctx := errgroup.WithContext(ctx)
	jobs := make(chan job)
	order := make(chan job, 2*workers) // bounds how far the makers run ahead of the writer
	free := make(chan []byte, 4*workers)
	g.Go(func() error {
		defer close(jobs)
		defer close(order)
		for i := range blocks {
			j := job{i, make(chan []byte, 1)}
			select {
			case order <- j:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			select {
			case jobs <- j:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for range workers {
		g.Go(func() error {
			var sums []decimal.Sum
			if written != nil {
				sums = make([]decimal.Sum, columns)
				defer func() { written.add(sums) }()
			}
			for j := range jobs {
				var buf []byte
				select {
				case buf = <-free:
				default:
				}
				first := j.i * block
				j.text <- appendRows(buf[:0], columns, first, min(block, rows-first), seed, uint64(j.i), sums)
			}
			return nil
		})
	}
	g.Go(func() error {
		for j := range order {
			var text []byte
			select {
			case text = <-j.text:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if _, err := w.Write(text); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			if progress != nil {
				progress(int64(len(text)))
			}
			select {
			case free <- text:
			default:
			}
		}
		return nil
	})
	return g.Wait()
}

// header is the first line: an empty name for the time column, then col1 to colN.
func header(columns int) string {
	var b strings.Builder
	for i := range columns {
		fmt.Fprintf(&b, ",col%d", i+1)
	}
	b.WriteByte('\n')
	return b.String()
}
