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
	// lanes[i] counts units of 10^-(low+i). It never wraps: an addition that would overflow moves the lane to wide first.
	// Scales from 0 to maxLane may have a lane.
	lanes []int128
	low   int
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
	lane := s.lane(scale)
	sum, overflow := lane.add(v)
	if overflow {
		s.addWide(lane.big(), scale)
		sum = v
	}
	*lane = sum
}

// Add adds t to s and leaves t as it is.
func (s *Sum) Add(t *Sum) {
	for i, v := range t.lanes {
		s.AddInt128(v.hi, v.lo, t.low+i)
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
		s.addUnits(n.units, n.neg, n.scale)
		if n.parts != (uint128{}) {
			s.addUnits(n.parts, n.neg, n.partScale)
		}
	}
}

func (s *Sum) addUnits(u uint128, neg bool, scale int) {
	v := int128{int64(u.hi), u.lo}
	if neg {
		v = v.neg()
	}
	s.AddInt128(v.hi, v.lo, scale)
}

// lane returns the lane of a scale.
func (s *Sum) lane(scale int) *int128 {
	i := scale - s.low
	if uint(i) < uint(len(s.lanes)) {
		return &s.lanes[i]
	}
	switch {
	case len(s.lanes) == 0:
		s.low = scale
		s.lanes = append(s.lanes, int128{})
	case i < 0:
		s.lanes = append(make([]int128, -i, len(s.lanes)-i), s.lanes...)
		s.low = scale
	default:
		s.lanes = append(s.lanes, make([]int128, i+1-len(s.lanes))...)
	}
	return &s.lanes[scale-s.low]
}

// Compact makes s hold its value in as little memory as it can: a Sum that many cells went into, and few more will.
func (s *Sum) Compact() {
	var v int128
	top := 0
	for i, lane := range s.lanes {
		if lane == (int128{}) {
			continue
		}
		var ok bool
		if v, ok = v.timesTen(i - top); !ok {
			return
		}
		var overflow bool
		if v, overflow = v.add(lane); overflow {
			return
		}
		top = i
	}
	switch {
	case v == int128{}:
		s.lanes, s.low = nil, 0
	case cap(s.lanes) > 1:
		s.lanes, s.low = []int128{v}, s.low+top
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
			top = s.low + i
		}
	}
	if top > scale {
		v.Mul(v, pow10(top-scale))
		scale = top
	}
	for i := range s.lanes {
		if lane := s.lanes[i]; lane != (int128{}) {
			t := lane.big()
			v.Add(v, t.Mul(t, pow10(scale-s.low-i)))
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
