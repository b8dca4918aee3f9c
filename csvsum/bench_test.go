package csvsum

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// shape is a kind of file: what a row looks like, and with which options it is summed.
type shape struct {
	name string
	opt  Options
	row  func(rnd *rand.Rand, b []byte) []byte
}

// shapes are the kinds of files that must all be fast: no kernel should be more than four times slower on one of them, byte
// for byte, than on the fastest. Where no more is said, a row has 101 cells and every 10th is summed. What stays slower than
// that, and why:
//   - all or short cells summed ("all short integers", "one column", "one short column", "10000 columns all"; without vectors
//     "quoted all" and "all selected" as well): the work is by the cell, 3 to 5 ns with vectors, 8 to 25 ns without, and there
//     are only a few bytes to a cell;
//   - exponents: decimal reads such numbers one by one, in about 20 ns; short ones are 7 times slower, long ones a little over 4;
//   - "empty": a position is written for every byte.
var shapes = []shape{
	{"decimals", Options{}, row(101, "\n", decimals)},
	{"negatives", Options{}, row(101, "\n", func(rnd *rand.Rand, b []byte) []byte { return float(b, rnd.NormFloat64()) })},
	{"prices", Options{}, row(101, "\n", func(rnd *rand.Rand, b []byte) []byte { return strconv.AppendFloat(b, 1000*rnd.Float64(), 'f', 2, 64) })},
	{"integers", Options{}, row(101, "\n", func(rnd *rand.Rand, b []byte) []byte { return strconv.AppendInt(b, rnd.Int64N(1000), 10) })},
	{"long integers", Options{}, row(101, "\n", func(rnd *rand.Rand, b []byte) []byte { return strconv.AppendInt(b, rnd.Int64(), 10) })},
	{"long decimals", Options{}, row(101, "\n", func(rnd *rand.Rand, b []byte) []byte {
		return fmt.Appendf(b, "%d.%018d%09d", rnd.Int64(), rnd.Int64N(1e18), rnd.Int64N(1e9))
	})},
	{"exponents", Options{}, row(101, "\n", func(rnd *rand.Rand, b []byte) []byte { return float(b, rnd.Float64()*1e-5) })},
	{"short exponents", Options{}, row(101, "\n", func(rnd *rand.Rand, b []byte) []byte {
		return fmt.Appendf(b, "%d.%de-%02d", 1+rnd.IntN(9), rnd.IntN(10), 1+rnd.IntN(9))
	})},
	{"large exponents", Options{}, row(101, "\n", func(rnd *rand.Rand, b []byte) []byte { return float(b, rnd.Float64()*1e25) })},
	{"empty", Options{}, row(101, "\n", func(_ *rand.Rand, b []byte) []byte { return b })},
	{"sparse", Options{}, row(101, "\n", func(rnd *rand.Rand, b []byte) []byte {
		if rnd.IntN(3) == 0 {
			return b
		}
		return decimals(rnd, b)
	})},
	{"quoted", Options{}, row(101, "\n", quotedDecimals)},
	{"quoted all", every1, row(101, "\n", quotedDecimals)},
	{"quoted empty", Options{}, row(101, "\n", func(_ *rand.Rand, b []byte) []byte { return append(b, `""`...) })},
	{"padded", Options{}, row(101, "\n", func(rnd *rand.Rand, b []byte) []byte { return fmt.Appendf(b, "%20s", float(nil, rnd.Float64())) })},
	{"crlf", Options{}, row(100, "\r\n", decimals)},
	{"crlf all", every1, row(100, "\r\n", decimals)},
	{"ragged", Options{}, ragged},
	{"blank lines", Options{}, func(rnd *rand.Rand, b []byte) []byte { return append(row(101, "\n", decimals)(rnd, b), '\n') }},
	{"short rows", every1, row(3, "\n", decimals)},
	{"one column", every1, row(1, "\n", decimals)},
	{"one short column", every1, row(1, "\n", func(rnd *rand.Rand, b []byte) []byte { return strconv.AppendInt(b, rnd.Int64N(1000), 10) })},
	{"one selected", Options{Columns: Columns{List: []ColumnRef{{Number: 50}}}}, row(101, "\n", decimals)},
	{"none selected", Options{Columns: Columns{First: 200, Every: 1}}, row(101, "\n", decimals)},
	{"all selected", every1, row(101, "\n", decimals)},
	{"all short integers", every1, row(101, "\n", func(rnd *rand.Rand, b []byte) []byte { return strconv.AppendInt(b, rnd.Int64N(1000), 10) })},
	{"1000 columns", Options{}, row(1000, "\n", decimals)},
	{"10000 columns", Options{}, row(10_000, "\n", decimals)},
	{"10000 columns all", every1, row(10_000, "\n", decimals)},
	{"100000 columns", Options{}, row(100_000, "\n", decimals)},
	{"semicolons", Options{}, replaced(",", ";")},
	{"tabs", Options{}, replaced(",", "\t")},
	{"bars", Options{}, replaced(",", "|")},
	{"decimal comma", Options{Decimal: ",", Delimiter: ";"}, replaced(",", ";", ".", ",")},
	{"text", Options{}, textRow(`some words, and "more" of them`)},
	{"quoted text", Options{}, textRow(`"some words, and ""more""` + "\n" + `of them, on two lines"`)},
	{"inner quotes", Options{}, textRow(`a 5" pipe`)},
	{"rare inner quotes", Options{}, func(rnd *rand.Rand, b []byte) []byte {
		if rnd.IntN(50) == 0 {
			b = append(b, `5" pipe,`...)
		}
		return row(101, "\n", decimals)(rnd, b)
	}},
	{"invalid", Options{}, row(101, "\n", func(_ *rand.Rand, b []byte) []byte { return append(b, "not a number"...) })},
	{"fail", Options{Invalid: "fail"}, row(101, "\n", decimals)},
	{"comment option", Options{Comment: "#"}, row(101, "\n", decimals)},
	{"comment lines", Options{Comment: "#"}, func(rnd *rand.Rand, b []byte) []byte {
		if rnd.IntN(10) == 0 {
			b = append(b, `# a comment, with "quotes`+"\n"...)
		}
		return row(101, "\n", decimals)(rnd, b)
	}},
	{"comment byte in text", Options{Comment: "#"}, textRow("room #7")},
	{"cr", Options{}, row(101, "\r", decimals)},
	{"cr quoted", Options{}, row(101, "\r", quotedDecimals)},
}

var every1 = Options{Columns: Columns{First: 1, Every: 1}}

func float(b []byte, f float64) []byte { return strconv.AppendFloat(b, f, 'g', -1, 64) }

func decimals(rnd *rand.Rand, b []byte) []byte {
	return strconv.AppendFloat(b, rnd.Float64(), 'f', -1, 64)
}

func quotedDecimals(rnd *rand.Rand, b []byte) []byte {
	return append(decimals(rnd, append(b, '"')), '"')
}

// row makes rows of n cells.
func row(n int, newline string, cell func(*rand.Rand, []byte) []byte) func(*rand.Rand, []byte) []byte {
	return func(rnd *rand.Rand, b []byte) []byte {
		return cellsOf(b, n, newline, func(b []byte) []byte { return cell(rnd, b) })
	}
}

// cellsOf appends n cells and what ends the record.
func cellsOf(b []byte, n int, newline string, cell func([]byte) []byte) []byte {
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = cell(b)
	}
	return append(b, newline...)
}

func ragged(rnd *rand.Rand, b []byte) []byte {
	return row(80+rnd.IntN(40), "\n", decimals)(rnd, b)
}

// textRow makes rows in which every third cell is text, none of those that are summed.
func textRow(text string) func(*rand.Rand, []byte) []byte {
	return func(rnd *rand.Rand, b []byte) []byte {
		i := 0
		return cellsOf(b, 31, "\n", func(b []byte) []byte {
			if i++; i%10 == 3 || i%10 == 6 || i%10 == 9 {
				return append(b, text...)
			}
			return decimals(rnd, b)
		})
	}
}

func replaced(oldnew ...string) func(*rand.Rand, []byte) []byte {
	r := strings.NewReplacer(oldnew...)
	return func(rnd *rand.Rand, b []byte) []byte {
		return append(b, r.Replace(string(row(101, "\n", decimals)(rnd, nil)))...)
	}
}

// file makes a file of at least n bytes of this shape.
func (s *shape) file(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 0, n+n/4)
	for len(data) < n {
		data = s.row(rnd, data)
	}
	return data
}

// BenchmarkScan scans each shape with each kernel, in one task from memory. Beside the mean it reports the rate of the
// quickest scan, which tells more on a machine that is busy with other things.
func BenchmarkScan(b *testing.B) {
	for i := range shapes {
		shape := &shapes[i]
		var data []byte
		var plan *Plan
		for _, k := range kernels {
			b.Run(strings.ReplaceAll(shape.name, " ", "-")+"/"+k.name, func(b *testing.B) {
				if data == nil {
					data = shape.file(2 << 20)
					if bytes.Count(data[:1<<20], []byte("\n"))*10_000 < len(data) {
						data = shape.file(16 << 20) // long rows
					}
					opt := shape.opt
					opt.Header = "no"
					plan = mustSniff(b, data, opt)
				}
				sc := Scanner{kernel: k}
				quickest := time.Hour
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					begun := time.Now()
					p := scanWith(b, &sc, &plan.Spec, data, Task{0, plan.Spec.Size, RecordStart})
					quickest = min(quickest, time.Since(begun))
					if p.Rows == 0 || p.Fault != nil {
						b.Fatalf("%d rows, fault %v", p.Rows, p.Fault)
					}
				}
				b.ReportMetric(float64(len(data))/1e6/quickest.Seconds(), "best-MB/s")
			})
		}
	}
}

// TestShapes sums a little of each shape with every kernel.
func TestShapes(t *testing.T) {
	for i := range shapes {
		shape := &shapes[i]
		data := shape.file(40_000)
		if raced && len(data) > 1<<20 {
			continue
		}
		opt := shape.opt
		opt.Header = "no"
		plan := mustSniff(t, data, opt)
		want := refSum(data, &plan.Spec)
		for _, k := range kernels {
			for _, chunk := range []int64{int64(len(data))/2 + 1, int64(len(data))} {
				if err := same(plan, sumSplit(t, k, plan, data, chunk), want); err != nil {
					t.Errorf("%s, kernel %s, chunk %d: %v", shape.name, k.name, chunk, err)
				}
			}
		}
	}
}
