package csvsum

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"colsum/decimal"
)

// randomCell returns a cell of any kind that the kernels tell apart, and whether every kernel must take it by its fast path.
func randomCell(rnd *rand.Rand) (cell string, fast bool) {
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "0123456789999"[rnd.IntN(13)]
		}
		return string(b)
	}
	sign := []string{"", "-"}[rnd.IntN(2)]
	switch rnd.IntN(12) {
	case 0, 1:
		return sign + digits(1+rnd.IntN(8)), true
	case 2, 3, 4:
		return sign + digits(1+rnd.IntN(7)) + "." + digits(1+rnd.IntN(21)), true
	case 5:
		return sign + digits(rnd.IntN(14)) + "." + digits(rnd.IntN(30)), false
	case 6:
		return []string{"", " ", "\t ", `""`, `" "`}[rnd.IntN(5)], false
	case 7:
		return strconv.FormatFloat(rnd.NormFloat64()*1e-9, 'g', -1, 64), false
	case 8:
		return `"` + sign + digits(1+rnd.IntN(7)) + "." + digits(1+rnd.IntN(15)) + `"`, false
	case 9:
		return strings.Repeat(" ", rnd.IntN(3)) + digits(1+rnd.IntN(20)) + strings.Repeat("\t", rnd.IntN(3)), false
	case 10:
		return []string{"-", ".", "+1", "--1", "1-", "1.2.3", "1e5", "n/a", "1.-5", "0x1", `"`, `"1`, `1"`, `"1""2"`, `"1" "`, "5\r", "\r", "\xb1", "\x00", ":", "/"}[rnd.IntN(21)], false
	default:
		return digits(rnd.IntN(3)) + string(rune(rnd.IntN(128))) + digits(rnd.IntN(3)), false
	}
}

// TestCells holds the cells function of each kernel against decimal, cell by cell, in buffers of their exact size between
// bytes that look like digits.
func TestCells(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 7))
	for round := range 4000 {
		width := 1 + rnd.IntN(5)
		records := 1 + rnd.IntN(4)
		if round%100 == 0 {
			records = 1 + rnd.IntN(pairCells)
		}
		crlf := rnd.IntN(4) == 0
		var data []byte
		var texts []string
		var fast []bool
		pos := []uint32{^uint32(0)}
		for range records {
			for i := range width {
				text, ok := randomCell(rnd)
				text = strings.NewReplacer(",", "x", "\n", "y").Replace(text)
				texts, fast = append(texts, text), append(fast, ok)
				data = append(data, text...)
				if i == width-1 && crlf {
					data = append(data, '\r')
				}
				pos = append(pos, uint32(len(data)))
				if data = append(data, ','); i == width-1 {
					data[len(data)-1] = '\n'
				}
			}
		}
		around := make([]byte, slack+len(data)+slack)
		for i := range around {
			around[i] = "0123456789.-, \"\n"[rnd.IntN(16)]
		}
		copy(around[slack:], data)
		for _, k := range kernels {
			if k.cells == nil {
				continue
			}
			spec := &Spec{Selection: Selection{First: 1, Every: 1}, Dialect: Dialect{Delimiter: ',', Quote: '"', Decimal: '.'}}
			s := scan{
				Scanner:   &Scanner{buf: around[slack : slack+len(data)], left: make([]oddCell, records*width)},
				automaton: newAutomaton(&spec.Dialect),
				spec:      spec, k: k, p: &Partial{},
			}
			s.widen(width)
			left := s.left[:k.cells(&s, pos, records, width, width)]
			want := make([]Column, width)
			for i, text := range texts {
				if len(left) > 0 && int(left[0].end) == i {
					if int(left[0].col) != i%width || fast[i] {
						t.Fatalf("kernel %s left %q of %q as column %d", k.name, text, data, left[0].col)
					}
					left = left[1:]
					continue
				}
				c := &want[i%width]
				cell := []byte(text)
				if crlf && i%width == width-1 || i%width == width-1 && strings.HasSuffix(text, "\r") {
					cell = []byte(strings.TrimSuffix(text+"\r", "\r"))
					if !crlf {
						cell = []byte(strings.TrimSuffix(text, "\r"))
					}
				}
				switch c.Sum.AddCell(s.unquote(cell, nil), '.') {
				case decimal.Numeric:
					c.Numeric++
				case decimal.Empty:
					c.Empty++
				default:
					t.Fatalf("kernel %s took %q of %q", k.name, text, data)
				}
			}
			if len(left) > 0 {
				t.Fatalf("kernel %s left %v, which are no cells of %q in order", k.name, left, data)
			}
			s.flush()
			for i := range want {
				got := &s.p.Columns[i]
				if got.Sum.String() != want[i].Sum.String() || got.Numeric != want[i].Numeric || got.Empty != want[i].Empty || got.Invalid != 0 {
					t.Fatalf("kernel %s, column %d of %q: got %s, %d numeric, %d empty, want %s, %d, %d", k.name, i, data,
						got.Sum.String(), got.Numeric, got.Empty, want[i].Sum.String(), want[i].Numeric, want[i].Empty)
				}
			}
		}
	}
}

// TestManyNines adds more cells of the largest digits than any lane holds.
func TestManyNines(t *testing.T) {
	cells := []string{
		"9999999999.999999999999999999999", "-9999999999.999999999999999999999", "9999999.999999999999999999999999",
		"-9999999.999999999999999999999999", "99999999", "-9999999999", "0.99", `"-9999999.99"`,
	}
	for _, rows := range []int{pairCells - 1, pairCells, pairCells + 1, laneCells, laneCells + 1, 3*laneCells + 7} {
		data := []byte(strings.Repeat(strings.Join(cells, ",")+"\n", rows))
		plan := mustSniff(t, data, Options{Columns: Columns{First: 1, Every: 1}, Header: "no"})
		want := &Fold{Rows: int64(rows), Width: len(cells)}
		for _, c := range cells {
			one, _ := decimal.Parse([]byte(strings.Trim(c, `"`)), '.')
			var times decimal.Sum
			for bit, power := 1, one; bit <= rows; bit *= 2 {
				if rows&bit != 0 {
					times.Add(&power)
				}
				var twice decimal.Sum
				twice.Add(&power)
				twice.Add(&power)
				power = twice
			}
			want.Columns = append(want.Columns, Column{Sum: times, Numeric: int64(rows)})
		}
		for _, k := range kernels {
			if err := same(plan, sumSplit(t, k, plan, data, int64(len(data))), want); err != nil {
				t.Fatalf("kernel %s, %d rows: %v", k.name, rows, err)
			}
		}
	}
}

// TestIndexLong indexes pieces as long as scans do, around the lengths at which the assembly begins anew, dense and not.
func TestIndexLong(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 8))
	a := newAutomaton(&Dialect{Delimiter: ',', Quote: '"'})
	var lengths []int
	for n := range 260 {
		lengths = append(lengths, n)
	}
	for _, n := range []int{127 * 64, 2 * 127 * 64, blockSize} {
		lengths = append(lengths, n-65, n-64, n-63, n-1, n, n+1, n+63, n+64, n+65)
	}
	for _, pieces := range [][]string{{"\n"}, {","}, {",", "\n"}, {"0.123456789,"}, {"12345", ",", "\n"}, {`"1,2"`, ",", "\n"}, {`"`, ",", "\n", "1"}, {`"1"`, "x", `5"`, ",", "\n"}, {"\xff", ",", " "}} {
		data := randomFile(rnd, pieces, 2*blockSize)
		for _, n := range lengths {
			src := data[:min(n, len(data))]
			for _, s := range []State{RecordStart, Unquoted, Quoted} {
				want, wantRecords, wantEnd := a.run(make([]uint32, 0, n), src, 0, s)
				for _, k := range kernels {
					got, records, end, _ := k.index(a, make([]uint32, 0, n+indexSlack), src, 0, s)
					if records != wantRecords || end != wantEnd || !slices.Equal(got, want) {
						t.Fatalf("kernel %s, %q, %d bytes from state %d: %d ends, %d records, state %d, want %d, %d, %d", k.name, pieces, n, s, len(got), records, end, len(want), wantRecords, wantEnd)
					}
				}
			}
		}
	}
}
