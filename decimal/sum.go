package decimal

import (
	"fmt"
	"math/big"
)

const (
	// maxLane is the largest scale with a 128-bit accumulator of its own. Shortest-form float64 values between 1e-13 and 1
	// need at most 30 decimals; rarer scales share one big integer, so that a column's memory stays bounded.
	maxLane = 31
	// MaxScale bounds the scale that AddInt128 takes, in either direction. Cells stay far below it.
	MaxScale = 4096
)

// Sum is an exact total of decimal numbers. The zero value is the number 0, ready for use.
//
// A Sum holds references: a plain copy shares them with the original, so only one of the two may be used any further.
// To copy a value, Add it to a zero Sum.
type Sum struct {
	// lanes[i] counts units of 10^-i. It never wraps: an addition that would overflow moves the lane to wide first.
	lanes []int128
	// wide counts units of 10^-scale, for everything that has no lane. Nil is 0.
	wide  *big.Int
	scale int
}

// AddCell parses cell by the grammar of [Parse] and adds it, with point as the decimal sign. It reports what the cell was;
// unless that is Numeric, the sum is unchanged.
func (s *Sum) AddCell(cell []byte, point byte) Kind {
	var n number
	kind := n.parse(cell, point)
	if kind == Numeric {
		s.addNumber(&n)
	}
	return kind
}

// AddInt128 adds (hi·2^64 + lo) · 10^-scale, hi:lo being a two's complement 128-bit integer. It panics unless scale lies
// within ±MaxScale.
func (s *Sum) AddInt128(hi int64, lo uint64, scale int) {
	if scale < -MaxScale || scale > MaxScale {
		panic(fmt.Sprintf("decimal: scale %d outside ±%d", scale, MaxScale))
	}
	v := int128{hi, lo}
	if v == (int128{}) {
		return
	}
	if scale < 0 || scale > maxLane {
		s.addWide(v.big(), scale)
		return
	}
	s.grow(scale)
	sum, overflow := s.lanes[scale].add(v)
	if overflow {
		s.addWide(s.lanes[scale].big(), scale)
		sum = v
	}
	s.lanes[scale] = sum
}

// Add adds t to s and leaves t as it is.
func (s *Sum) Add(t *Sum) {
	for scale := range t.lanes {
		s.AddInt128(t.lanes[scale].hi, t.lanes[scale].lo, scale)
	}
	if t.wide != nil {
		s.addWide(new(big.Int).Set(t.wide), t.scale)
	}
}

// Sub subtracts t from s and leaves t as it is.
func (s *Sum) Sub(t *Sum) {
	v, scale := t.value()
	s.addWide(v.Neg(v), scale)
}

// IsZero reports whether the total is 0.
func (s *Sum) IsZero() bool {
	v, _ := s.value()
	return v.Sign() == 0
}

func (s *Sum) addNumber(n *number) {
	switch {
	case n.digits != nil:
		v, ok := new(big.Int).SetString(string(n.digits), 10)
		if !ok {
			panic("decimal: the grammar let a non-digit through")
		}
		if n.neg {
			v.Neg(v)
		}
		s.addWide(v, n.scale)
	default:
		v := int128{int64(n.hi), n.lo}
		if n.neg {
			v = v.neg()
		}
		s.AddInt128(v.hi, v.lo, n.scale)
	}
}

func (s *Sum) grow(scale int) {
	if n := scale + 1 - len(s.lanes); n > 0 {
		s.lanes = append(s.lanes, make([]int128, n)...) // exactly so many: a great many sums of one value are kept
	}
}

// addWide adds v·10^-scale and takes v over.
func (s *Sum) addWide(v *big.Int, scale int) {
	switch {
	case s.wide == nil:
		s.wide, s.scale = v, scale
		return
	case scale > s.scale:
		s.wide.Mul(s.wide, pow10(scale-s.scale))
		s.scale = scale
	case scale < s.scale:
		v.Mul(v, pow10(s.scale-scale))
	}
	s.wide.Add(s.wide, v)
}

// value returns the total as v·10^-scale in its one canonical form: scale is the smallest number >= 0 for which v is an
// integer. The caller owns v.
func (s *Sum) value() (v *big.Int, scale int) {
	v = new(big.Int)
	if s.wide != nil {
		v.Set(s.wide)
		scale = s.scale
	}
	if scale < 0 {
		v.Mul(v, pow10(-scale))
		scale = 0
	}
	top := 0
	for i := range s.lanes {
		if s.lanes[i] != (int128{}) {
			top = i
		}
	}
	if top > scale {
		v.Mul(v, pow10(top-scale))
		scale = top
	}
	for i := range s.lanes {
		if lane := s.lanes[i]; lane != (int128{}) {
			t := lane.big()
			v.Add(v, t.Mul(t, pow10(scale-i)))
		}
	}
	return reduce(v, scale)
}

// reduce divides v by ten as often as it goes and scale allows.
func reduce(v *big.Int, scale int) (*big.Int, int) {
	if v.Sign() == 0 {
		return v, 0
	}
	if scale == 0 || v.Bit(0) != 0 {
		return v, scale
	}
	text := v.Text(10)
	zeros := 0
	for zeros < scale && text[len(text)-1-zeros] == '0' {
		zeros++
	}
	if zeros > 0 {
		v.Quo(v, pow10(zeros))
	}
	return v, scale - zeros
}
