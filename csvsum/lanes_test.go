package csvsum

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"colsum/decimal"
)

// checkLanes adds a cell by the fast path, among other bytes, and compares with decimal.
func checkLanes(t *testing.T, cell, around string, point byte) (fast bool) {
	t.Helper()
	buf := []byte(around + cell + around + strings.Repeat("7", slack))
	var l lanes
	var got, want Column
	fast = l.add(buf, len(around), len(around)+len(cell), point)
	l.flush(&got)
	if !fast {
		if got.Numeric != 0 || !got.Sum.IsZero() {
			t.Fatalf("%q was refused, yet it added %s", cell, got.Sum.String())
		}
		return false
	}
	if kind := want.Sum.AddCell([]byte(cell), point); kind != decimal.Numeric {
		t.Fatalf("%q was taken as %s, but it is no number", cell, got.Sum.String())
	}
	if got.Numeric != 1 || got.Sum.String() != want.Sum.String() {
		t.Fatalf("%q: got %s in %d cells, want %s", cell, got.Sum.String(), got.Numeric, want.Sum.String())
	}
	return true
}

func TestLanes(t *testing.T) {
	for cell, fast := range map[string]bool{
		"0": true, "7": true, "-7": true, "12345678": true, "-12345678": true, "123456789": false,
		"0.5": true, "-0.5": true, "1234567.25": true, "12345678.25": false, "0.8444218515250481": true,
		"0.123456789012345678901234": true, "0.1234567890123456789012345": false,
		"": false, "-": false, ".": false, "-.": false, ".5": false, "5.": true, "1234567.": true, "12345678.": false, "1234567-": false, "1:.5": false, "1.2.3": false, "+1": false, " 1": false,
		"1e5": false, "1.5e5": false, "1,5": false, "--1": false, "1-": false, "1.-5": false, "\xb1": false, "1.\xb15": false,
		"0.00000000:": false, "0.0000000000000000/": false, "/.5": false, ":": false,
	} {
		for _, around := range []string{",", "9", ".", "-"} {
			if got := checkLanes(t, cell, around, '.'); got != fast {
				t.Errorf("%q between %q: taken by the fast path: %v, want %v", cell, around, got, fast)
			}
		}
	}
	if !checkLanes(t, "12,25", ";", ',') || checkLanes(t, "12.25", ";", ',') {
		t.Error("decimal comma: not told from the point")
	}
}

func FuzzLanes(f *testing.F) {
	for _, s := range []string{"0.1", "-12345678", "1.23456789012345678", "9999999.999999999999999999999999"} {
		f.Add(s, ",")
	}
	f.Fuzz(func(t *testing.T, cell, around string) {
		if len(cell) < 100 && len(around) < 20 {
			checkLanes(t, cell, around, '.')
		}
	})
}

// TestLanesFull adds the largest digits as often as the lanes may hold them, and once more.
func TestLanesFull(t *testing.T) {
	const cell = "-9999999.999999999999999999999999"
	buf := []byte(cell + strings.Repeat(" ", slack))
	var l lanes
	var got Column
	for range laneCells {
		if l.added == byteCells {
			l.spread()
		}
		if !l.add(buf, 0, len(cell), '.') {
			t.Fatal("refused")
		}
	}
	l.flush(&got)
	if !l.add(buf, 0, len(cell), '.') {
		t.Fatal("refused after a flush")
	}
	l.flush(&got)
	// 7282 · -(10^7 - 10^-24)
	if s, want := got.Sum.String(), "-72819999999.999999999999999999992718"; s != want || got.Numeric != laneCells+1 {
		t.Errorf("got %s in %d cells, want %s", s, got.Numeric, want)
	}
}

// TestRegular sums files whose records all have the same fields, with now and then an odd cell or record, and compares with
// the reference. They take the path column by column.
func TestRegular(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 6))
	oddCells := []string{"", " ", "x", `"1.5"`, `"a""b"`, "1e3", "-", "+4", " 7 ", "123456789012", ".5", "5.", "\"1\n2\"", "é", `""`, "1\r"}
	oddLines := []string{"", "1", "1,2,3,4,5,6,7,8,9,10,11,12,13", "#,,", "\r"}
	for i := range 60 {
		var b []byte
		width := 2 + rnd.IntN(12)
		odds := []int{1, 4, 50, 1 << 30}[i%4]
		newline := []string{"\n", "\r\n"}[rnd.IntN(2)]
		for range 40 + rnd.IntN(20_000/width) {
			if odds < 1<<30 && rnd.IntN(20*odds) == 0 {
				b = append(b, oddLines[rnd.IntN(len(oddLines))]+newline...)
			}
			b = cellsOf(b, width, newline, func(b []byte) []byte {
				switch {
				case rnd.IntN(10*odds) == 0:
					return append(b, oddCells[rnd.IntN(len(oddCells))]...)
				case rnd.IntN(3) == 0:
					return fmt.Append(b, rnd.IntN(2000)-1000)
				}
				return fmt.Append(b, rnd.NormFloat64())
			})
		}
		// 216 is the number of variants before the record limit and the header vary.
		checkSplits(t, b, rnd.IntN(216)/9*9+rnd.IntN(3), rnd, []int64{5000 + rnd.Int64N(40_000), int64(len(b))})
	}
}
