package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"colsum/csvsum"
	"colsum/storage"
)

// SumCmd sums files on this machine.
type SumCmd struct {
	Files   []string `arg:"" name:"file" help:"Files on this machine, s3://bucket/key, or - for the standard input."`
	Workers int      `placeholder:"N" help:"Goroutines that scan (default: one for each processor)."`
	JSON    bool     `help:"Print the result document of each file as one line of JSON, indented for a single file."`

	OptionFlags
	AccessFlags
}

func (*SumCmd) Help() string {
	return `Nothing is rounded: the sums have the same digits whatever the chunk and the number of workers. Exit status 1 if one
of the files failed; the others are summed all the same. The standard input, unless it is a file, is first written to a
nameless file in TMPDIR (/tmp), which is gone however the command ends.

Examples:
  colsum sum data/big.csv
  colsum sum --columns 3,price --json sales.csv
  colsum sum --first 2 --every 10 --delimiter ';' --decimal , a.csv b.csv
  zcat big.csv.gz | colsum sum -
  MINIO_ENDPOINT=localhost:9000 MINIO_ACCESS_KEY=... MINIO_SECRET_KEY=... colsum sum s3://bucket/big.csv`
}

func (c *SumCmd) Validate() error {
	if c.Workers < 0 {
		return usagef("--workers: must be at least 1, got %d", c.Workers)
	}
	if slices.Contains(c.Files, "") {
		return usagef("<file>: must not be empty")
	}
	if first := slices.Index(c.Files, stdin); first >= 0 && slices.Contains(c.Files[first+1:], stdin) {
		return usagef("<file>: - is the standard input, which can be read once only")
	}
	_, err := c.Options()
	return err
}

func (c *SumCmd) Run(ctx context.Context) error {
	opt, err := c.Options()
	if err != nil {
		return err
	}
	if _, err := csvsum.Kernel(); err != nil {
		return err
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	limitMemory(c.Workers)
	failed := false
	for i, path := range c.Files {
		doc := c.sum(ctx, path, opt)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		failed = failed || doc.Error != nil
		switch {
		case c.JSON:
			e := json.NewEncoder(os.Stdout)
			e.SetEscapeHTML(false)
			if len(c.Files) == 1 {
				e.SetIndent("", " ")
			}
			if err := e.Encode(doc); err != nil {
				return err
			}
		case doc.Error != nil:
			fmt.Fprintf(os.Stderr, "colsum: %s: %s: %s\n", printable(path), doc.Error.Code, printable(doc.Error.Message))
		default:
			if i > 0 {
				fmt.Println()
			}
			if err := printDocument(os.Stdout, doc); err != nil {
				return err
			}
		}
	}
	if failed {
		return errSilent
	}
	return nil
}

// sum sums one file. What goes wrong is in the document's Error.
func (c *SumCmd) sum(ctx context.Context, path string, opt csvsum.Options) *csvsum.Document {
	doc := &csvsum.Document{
		Filepath: path, Status: "running", Ctime: time.Now().UTC(),
		Result: csvsum.Result{Results: []csvsum.ColumnResult{}, Total: "0", BadCells: []csvsum.BadCell{}, Warnings: []string{}},
	}
	err := c.fill(ctx, doc, opt)
	doc.Mtime = time.Now().UTC()
	doc.Status = "done"
	if err != nil {
		var file *storage.Error
		if errors.As(err, &file) && !strings.Contains(path, "://") {
			file.Path = path // it knows the name within its folder only
		}
		doc.Status, doc.Error = "failed", docError(err)
	} else if doc.Error != nil {
		doc.Status = "failed"
	}
	return doc
}

// fill does the work of sum.
func (c *SumCmd) fill(ctx context.Context, doc *csvsum.Document, opt csvsum.Options) error {
	info, open, err := c.open(ctx, doc.Filepath)
	if err != nil {
		return err
	}
	doc.File = &csvsum.DocFile{Size: info.Size, Version: info.Version}
	doc.Progress.BytesTotal = info.Size
	plan, err := sniff(ctx, open, info.Size, opt)
	if err != nil {
		return err
	}
	doc.Dialect = plan.Spec.Dialect.Doc()

	chunk := opt.ChunkBytes
	if chunk == 0 {
		chunk = csvsum.AutoChunk(info.Size, c.Workers)
	}
	doc.Progress.TasksTotal = csvsum.Tasks(info.Size, chunk)
	bar := newBar(info.Size, doc.Filepath)
	start := time.Now()
	fold, err := csvsum.Sum(ctx, open, plan, chunk, c.Workers, bar.set)
	bar.finish()
	if err != nil {
		return err
	}
	doc.Result = *fold.Result(plan, fold.Fault == nil)
	doc.Progress.Rows = doc.Rows
	doc.Progress.TasksDone = fold.Frontier
	if f := fold.Fault; f != nil {
		doc.Error = faultError(f)
		return nil
	}
	doc.Progress.BytesDone = info.Size
	if s := time.Since(start).Seconds(); s > 0 {
		doc.Progress.BytesPerSecond = math.Round(float64(info.Size) / s)
	}
	return nil
}

// open returns a file and how to read it from any place.
func (c *SumCmd) open(ctx context.Context, path string) (storage.Info, opener, error) {
	if path == stdin {
		return openStdin(ctx)
	}
	files, name, err := openStore(path, &c.AccessFlags)
	if err != nil {
		return storage.Info{}, nil, err
	}
	info, err := files.Stat(ctx, name)
	return info, func(ctx context.Context, off, want int64) (io.ReadCloser, error) {
		return files.Open(ctx, info, off, want)
	}, err
}

// faultError is a defect of the file as a document tells it.
func faultError(f *csvsum.Fault) *csvsum.DocError {
	e := &csvsum.DocError{Code: f.Code, Message: f.Detail, Byte: &f.Byte}
	if f.Row > 0 {
		e.Row = &f.Row
	}
	if f.Column > 0 {
		e.Column = &f.Column
	}
	return e
}

// sniff reads as much of the head of a file as it takes to understand it: mostly csvsum.HeadBytes, more where the first
// record is longer.
func sniff(ctx context.Context, open func(ctx context.Context, off, want int64) (io.ReadCloser, error), size int64, opt csvsum.Options) (*csvsum.Plan, error) {
	for n := int64(csvsum.HeadBytes); ; n *= 2 {
		head := make([]byte, min(n, csvsum.HeadBytes+csvsum.RecordLimit, size))
		if len(head) > 0 {
			r, err := open(ctx, 0, int64(len(head)))
			if err != nil {
				return nil, err
			}
			_, err = io.ReadFull(r, head)
			r.Close()
			if err != nil {
				return nil, err
			}
		}
		plan, err := csvsum.Sniff(head, size, opt)
		if !errors.Is(err, csvsum.ErrShortHead) || int64(len(head)) == size || n >= csvsum.HeadBytes+csvsum.RecordLimit {
			return plan, err
		}
	}
}
