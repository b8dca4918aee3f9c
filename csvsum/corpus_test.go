package csvsum

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// corpus is where the conformance corpus lies beside the project. It is no part of it: without it the tests skip.
const corpus = "../../shared/corpus"

type corpusFile struct {
	File      string
	Bytes     int64
	Delimiter string
	Quote     string
	Comment   string
	Header    bool
	Rows      int64
	Width     int
	Class     string
	Columns   map[string]struct {
		Sum                              string
		Numeric, Empty, Invalid, Missing int64
	}
}

func (c *corpusFile) options() Options {
	opt := Options{Delimiter: c.Delimiter, Quote: &c.Quote, Comment: c.Comment, Header: "no"}
	if c.Header {
		opt.Header = "yes"
	}
	return opt
}

func readCorpus(t *testing.T) []corpusFile {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(corpus, "manifest.json"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("no corpus at %s", corpus)
	}
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Files []corpusFile }
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Files) == 0 {
		t.Fatal("the corpus has no files")
	}
	return m.Files
}

// splits returns the chunk sizes for a file. The smallest ones take a task a byte, so larger files get them only with
// COLSUM_CORPUS=full.
func splits(size int64) []int64 {
	all := []int64{1, 2, 3, 5, 7, 16, 64, 256}
	if os.Getenv("COLSUM_CORPUS") != "full" {
		most := int64(300)
		if raced {
			most = 30
		}
		for len(all) > 0 && size/all[0] > most {
			all = all[1:]
		}
		if len(all) == 0 {
			all = []int64{size/17 + 1}
		}
	}
	return append(all, math.MaxInt64)
}

func TestCorpusStrict(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *kernel) {
		for _, c := range readCorpus(t) {
			if c.Class != "strict" {
				continue
			}
			t.Run(c.File, func(t *testing.T) {
				data, err := os.ReadFile(filepath.Join(corpus, "files", c.File))
				if err != nil {
					t.Fatal(err)
				}
				for _, columns := range []Columns{{First: 1, Every: 1}, {}} {
					opt := c.options()
					opt.Columns = columns
					plan := mustSniff(t, data, opt)
					for _, chunk := range splits(c.Bytes) {
						c.check(t, plan, sumSplit(t, k, plan, data, chunk), chunk)
					}
				}
			})
		}
	})
}

func (c *corpusFile) check(t *testing.T, plan *Plan, f *Fold, chunk int64) {
	t.Helper()
	if f.Fault != nil {
		t.Errorf("chunk %d: %v", chunk, f.Fault)
		return
	}
	r := f.Result(plan, true)
	if r.Rows != c.Rows {
		t.Errorf("chunk %d: got %d rows, want %d", chunk, r.Rows, c.Rows)
	}
	if want := plan.Spec.Selection.count(c.Width); len(r.Results) != want {
		t.Errorf("chunk %d: got %d columns, want %d", chunk, len(r.Results), want)
	}
	for _, got := range r.Results {
		want, ok := c.Columns[strconv.Itoa(got.Column)]
		if !ok && len(c.Columns) < c.Width && got.Column%10 != 0 {
			continue // of wide files the manifest has every 10th column
		}
		if !ok {
			t.Errorf("chunk %d: column %d is not in the manifest", chunk, got.Column)
			continue
		}
		if string(got.Sum) != want.Sum || got.Numeric != want.Numeric || got.Empty != want.Empty || got.Invalid != want.Invalid || got.Missing != want.Missing {
			t.Errorf("chunk %d, column %d: got %+v, want %+v", chunk, got.Column, got, want)
		}
	}
}

func TestCorpusLenient(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *kernel) {
		for _, c := range readCorpus(t) {
			if c.Class == "strict" {
				continue
			}
			t.Run(c.File, func(t *testing.T) {
				data, err := os.ReadFile(filepath.Join(corpus, "files", c.File))
				if err != nil {
					t.Fatal(err)
				}
				opt := c.options()
				opt.Columns = Columns{First: 1, Every: 1}
				plan, err := Sniff(data[:min(len(data), HeadBytes)], int64(len(data)), opt)
				if err != nil {
					var format *FormatError
					if !errors.As(err, &format) {
						t.Fatal(err)
					}
					return
				}
				want := ""
				for _, chunk := range splits(c.Bytes) {
					f := sumSplit(t, k, plan, data, chunk)
					got := resultJSON(t, plan, f)
					if want == "" {
						want = got
					}
					if got != want {
						t.Fatalf("chunk %d: got\n%s\nwant\n%s", chunk, got, want)
					}
					for _, c := range f.Result(plan, false).Results {
						if c.Missing < 0 || c.Numeric+c.Empty+c.Invalid+c.Missing != f.Rows {
							t.Fatalf("chunk %d: %+v does not add up to %d rows", chunk, c, f.Rows)
						}
					}
				}
			})
		}
	})
}
