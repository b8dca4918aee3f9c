package decimal

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		cell string
		kind Kind
		want string
	}{
		{"0", Numeric, "0"},
		{"-0", Numeric, "0"},
		{"+7", Numeric, "7"},
		{"007.50", Numeric, "7.5"},
		{"5.", Numeric, "5"},
		{".5", Numeric, "0.5"},
		{"-.5", Numeric, "-0.5"},
		{" \t1.25\t ", Numeric, "1.25"},
		{"9.5e-05", Numeric, "0.000095"},
		{"1E3", Numeric, "1000"},
		{"1e+3", Numeric, "1000"},
		{"5.e1", Numeric, "50"},
		{"0.8444218515250481", Numeric, "0.8444218515250481"},
		{"18446744073709551615", Numeric, "18446744073709551615"},
		{"18446744073709551616", Numeric, "18446744073709551616"},
		{"99999999999999999999999999999999999999", Numeric, "99999999999999999999999999999999999999"},
		{"999999999999999999999999999999999999999", Numeric, "999999999999999999999999999999999999999"},
		{"170141183460469231731687303715884105728", Numeric, "170141183460469231731687303715884105728"},
		{"1e1000", Numeric, "1" + strings.Repeat("0", 1000)},
		{"1e1001", Invalid, ""},
		{"10e999", Numeric, "1" + strings.Repeat("0", 1000)},
		{"10e1000", Invalid, ""},
		{"0.001e1003", Numeric, "1" + strings.Repeat("0", 1000)},
		{"9e-1000", Numeric, "0." + strings.Repeat("0", 999) + "9"},
		{"9e-1001", Invalid, ""},
		{"0.9e-1000", Invalid, ""},
		{"0e99999999999999999999999999", Numeric, "0"},
		{"0.000e-99999999999999999999999999", Numeric, "0"},
		{"1e99999999999999999999999999", Invalid, ""},
		{"1e-99999999999999999999999999", Invalid, ""},
		{"1e0000000000000000000000000001", Numeric, "10"},
		{strings.Repeat("9", 1001), Numeric, strings.Repeat("9", 1001)},
		{strings.Repeat("9", 1002), Invalid, ""},
		{"0." + strings.Repeat("0", 999) + "1", Numeric, "0." + strings.Repeat("0", 999) + "1"},
		{strings.Repeat("0", 1024), Numeric, "0"},
		{strings.Repeat("0", 1025), Invalid, ""},
		{"  " + strings.Repeat("0", 1024) + " ", Numeric, "0"},
		{"", Empty, ""},
		{" \t ", Empty, ""},
		{".", Invalid, ""},
		{"-", Invalid, ""},
		{"+-1", Invalid, ""},
		{"- 1", Invalid, ""},
		{"1 2", Invalid, ""},
		{"1.2.3", Invalid, ""},
		{"1,5", Invalid, ""},
		{"1e", Invalid, ""},
		{"1e+", Invalid, ""},
		{"1e1.5", Invalid, ""},
		{".e1", Invalid, ""},
		{"e1", Invalid, ""},
		{"0x10", Invalid, ""},
		{"1_000", Invalid, ""},
		{"NaN", Invalid, ""},
		{"Inf", Invalid, ""},
		{"\r", Invalid, ""},
		{"1\r", Invalid, ""},
		{"\u00a01", Invalid, ""},
		{"\x001", Invalid, ""},
	} {
		s, kind := Parse([]byte(tt.cell), '.')
		if kind != tt.kind || kind == Numeric && s.String() != tt.want {
			t.Errorf("Parse(%.40q): got %v %.60s, want %v %.60s", tt.cell, kind, s.String(), tt.kind, tt.want)
		}
		if kind != Numeric && !s.IsZero() {
			t.Errorf("Parse(%.40q): not a number, but the value is %.60s", tt.cell, s.String())
		}
	}
	if s, kind := Parse([]byte("-1234,50"), ','); kind != Numeric || s.String() != "-1234.5" {
		t.Errorf("decimal comma: got %v %s", kind, s.String())
	}
	if _, kind := Parse([]byte("1.5"), ','); kind != Invalid {
		t.Errorf("a point where the decimal sign is a comma: got %v, want Invalid", kind)
	}
}

func TestAddInt128Promotes(t *testing.T) {
	const hi, lo = 1<<63 - 1, 1<<64 - 1 // 2^127 - 1
	var s, neg Sum
	want := new(big.Int)
	top := int128{hi, lo}.big()
	for range 5 {
		s.AddInt128(hi, lo, 3)
		neg.AddInt128(-1<<63, 0, 3) // -2^127
		want.Add(want, top)
	}
	if got := s.String(); got != plain(reduce(want, 3)) {
		t.Errorf("5·(2^127-1)·10^-3: got %s", got)
	}
	s.Add(&neg)
	if got := s.String(); got != "-0.005" {
		t.Errorf("with 5·-2^127 added: got %s, want -0.005", got)
	}
	var sub Sum
	sub.AddInt128(-1<<63, 0, 0)
	sub.Sub(&sub)
	if !sub.IsZero() {
		t.Errorf("x - x: got %s", sub.String())
	}
	defer func() {
		if recover() == nil {
			t.Error("a scale beyond MaxScale was taken")
		}
	}()
	s.AddInt128(0, 1, MaxScale+1)
}

func TestMean(t *testing.T) {
	for _, tt := range []struct {
		sum  string
		n    int64
		want string
	}{
		{"0", 3, "0"},
		{"10", 4, "2.5"},
		{"1", 3, "0.33333333333333333"},
		{"-2", 3, "-0.66666666666666667"},
		{"100000000000000005", 1, "100000000000000000"}, // half to even
		{"100000000000000015", 1, "100000000000000020"},
		{"0.99999999999999999999", 1, "1"},
		{"99999999999999999.9", 1, "100000000000000000"},
		{"1e30", 3, "333333333333333330000000000000"},
		{"1e-1000", 9223372036854775807, "0." + strings.Repeat("0", 1018) + "10842021724855044"},
	} {
		s, _ := Parse([]byte(tt.sum), '.')
		if got := s.Mean(tt.n); got != tt.want {
			t.Errorf("mean of %s over %d: got %s, want %s", tt.sum, tt.n, got, tt.want)
		}
	}
}

// TestCompact: compacting changes how a sum is held, not what it is, also where it cannot be held in one lane.
func TestCompact(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	one := 0
	for range 500 {
		var s Sum
		for range rnd.IntN(12) {
			s.AddInt128(rnd.Int64()>>rnd.IntN(64), rnd.Uint64(), rnd.IntN(40))
		}
		want := s.String()
		s.Compact()
		if got := s.String(); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		if len(s.lanes) == 1 {
			one++
		}
		s.AddCell([]byte("0.5"), '.')
		s.AddCell([]byte("-5e-1"), '.')
		if got := s.String(); got != want {
			t.Fatalf("after adding and taking away: got %s, want %s", got, want)
		}
	}
	if one < 50 || one > 450 {
		t.Errorf("%d of 500 sums were held in one lane", one)
	}
}

// rat is the reference: what math/big says of a cell that is Numeric.
func rat(t testing.TB, cell string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(strings.Trim(cell, " \t"))
	if !ok {
		t.Fatalf("math/big does not read %q", cell)
	}
	return r
}

// TestOrder adds random cells in several orders and splits: text and bytes must be those of math/big.Rat.
func TestOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 100 {
		cells := make([]string, 1+rnd.IntN(40))
		want := new(big.Rat)
		for i := range cells {
			switch rnd.IntN(6) {
			case 0:
				cells[i] = fmt.Sprint(rnd.NormFloat64())
			case 1:
				cells[i] = fmt.Sprint(rnd.Int64() - rnd.Int64())
			case 2:
				cells[i] = fmt.Sprintf("%de%d", rnd.IntN(2000)-1000, rnd.IntN(1900)-950)
			case 3:
				cells[i] = "-" + strings.Repeat("9", 1+rnd.IntN(60)) + "." + strings.Repeat("37", rnd.IntN(30))
			case 4:
				cells[i] = strings.TrimPrefix(cells[rnd.IntN(i+1)], "-")
				if cells[i] == "" {
					cells[i] = "1"
				}
			default:
				cells[i] = fmt.Sprintf(" %.*f\t", rnd.IntN(40), rnd.Float64()*1e6)
			}
			want.Add(want, rat(t, cells[i]))
		}
		var first []byte
		for range 3 {
			var parts [3]Sum
			for _, i := range rnd.Perm(len(cells)) {
				if kind := parts[rnd.IntN(3)].AddCell([]byte(cells[i]), '.'); kind != Numeric {
					t.Fatalf("%q: got %v, want Numeric", cells[i], kind)
				}
			}
			var s Sum
			for _, i := range rnd.Perm(3) {
				s.Add(&parts[i])
			}
			if got := rat(t, s.String()); got.Cmp(want) != 0 {
				t.Fatalf("sum of %q: got %s, want %s", cells, s.String(), want.RatString())
			}
			b, err := s.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = b
			}
			if !bytes.Equal(b, first) {
				t.Fatalf("equal sums of %q have different bytes: %x and %x", cells, first, b)
			}
			var back Sum
			if err := back.UnmarshalBinary(b); err != nil || back.String() != s.String() {
				t.Fatalf("round trip of %s: got %s, %v", s.String(), back.String(), err)
			}
		}
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	for _, b := range [][]byte{
		nil, {}, {3}, {0, 0}, {1}, {1, 0}, {2, 0}, {1, 0, 0}, {1, 0, 0, 5}, {1, 1, 10}, {1, 0x80, 0, 5},
		{1, 0xff, 0xff, 3, 5}, {1, 0x80}, append([]byte{1, 0}, bytes.Repeat([]byte{1}, 9000)...),
	} {
		s, _ := Parse([]byte("4.5"), '.')
		if err := s.UnmarshalBinary(b); err == nil {
			t.Errorf("%x was taken as %s", b, s.String())
		} else if s.String() != "4.5" {
			t.Errorf("%x: refused, but the sum is now %s", b, s.String())
		}
	}
}

func FuzzAddCell(f *testing.F) {
	for _, s := range []string{"", "1", "-1.5e3", "1e1000", "9e-1000", "  .5", "1.e5", strings.Repeat("1", 60), "0e9999999999"} {
		f.Add([]byte(s), []byte("0.1"))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var s Sum
		want := new(big.Rat)
		for _, cell := range [][]byte{a, b, a} {
			before := s.String()
			kind := s.AddCell(cell, '.')
			text := strings.Trim(string(cell), " \t")
			if kind != reference(text) {
				t.Fatalf("%q: got %v, want %v", cell, kind, reference(text))
			}
			if kind != Numeric {
				if s.String() != before {
					t.Fatalf("%q changed the sum from %s to %s", cell, before, s.String())
				}
				continue
			}
			mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
			if !strings.ContainsAny(mantissa, "123456789") {
				continue // math/big refuses the huge exponents that a zero may have
			}
			want.Add(want, rat(t, text))
		}
		if got := rat(t, s.String()); got.Cmp(want) != 0 {
			t.Fatalf("%q + %q + %q: got %s, want %s", a, b, a, s.String(), want.RatString())
		}
		enc, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var back Sum
		if err := back.UnmarshalBinary(enc); err != nil || back.String() != s.String() {
			t.Fatalf("round trip of %s: got %s, %v", s.String(), back.String(), err)
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte{1, 3, 5})
	f.Add([]byte{2, 40, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Sum
		if s.UnmarshalBinary(b) != nil {
			return
		}
		again, err := s.MarshalBinary()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x was taken but is written as %x, %v", b, again, err)
		}
	})
}

func BenchmarkAddCell(b *testing.B) {
	for _, cell := range []string{"0.8444218515250481", "9.5e-05", "123", "-1234567.25", "12345678901234567890.5", "-8219465719204657123", "3.5e-07", "8.123456789012345e-06", "6.0466028797961955e+24", "7410823746512983746.123456789012345678901234567", "1.5e-40", "n/a"} {
		b.Run(cell, func(b *testing.B) {
			var s Sum
			b.SetBytes(int64(len(cell)))
			for b.Loop() {
				s.AddCell([]byte(cell), '.')
			}
		})
	}
}
