package csvsum

import (
	"encoding/binary"
	"math/bits"

	"colsum/decimal"
)

// slack is how many bytes in front of a buffer and behind it the kernels may read; their values do not matter.
const slack = 64

// laneDecimals is how many decimals the digit lanes have.
const laneDecimals = 24

// laneCells is how many cells a digit lane of 16 bits holds: 9·7281 < 2^16.
const laneCells = 7281

// lanes sums the cells of one column that are written in the most usual ways: up to eight digits, or one to seven digits,
// the decimal sign and up to 24 decimals, either with a minus sign. Decimals are not made into numbers: the digits at each
// place are added up, eight bytes at a time, in lanes of 16 bits, and become one number every laneCells cells. That is exact
// and needs no multiplication. The zero value is empty.
type lanes struct {
	signs [2]signLanes // of cells without and with a minus sign
	cells int          // added since the last flush
}

type signLanes struct {
	units int64
	// places[2w] holds the digits at decimals 8w+1, 8w+3, 8w+5 and 8w+7, places[2w+1] those between, the first in the low bits.
	places [laneDecimals / 4]uint64
}

// add adds the cell buf[from:to] and returns true, or returns false where it is written in another way; then nothing has
// changed. buf must go on for slack bytes after the cell. The caller sees to it that flush comes in time.
func (l *lanes) add(buf []byte, from, to int, point byte) bool {
	if from >= to {
		return false
	}
	sign := &l.signs[0]
	if buf[from] == '-' {
		sign = &l.signs[1]
		from++
	}
	word := binary.LittleEndian.Uint64(buf[from:])
	// The number of digits before the decimal sign, or before the end.
	n := bits.TrailingZeros64(^differ(word, uint64(point)*each)&high) >> 3
	decimals := to - from - n - 1
	if decimals <= 0 {
		// An integer, unless it ends with the decimal sign.
		n = to - from
		decimals = 0
		if n > 8 {
			return false
		}
	}
	if n == 0 || n == 8 && decimals > 0 || decimals > laneDecimals {
		return false
	}
	units := (word ^ '0'*each) << (64 - 8*n)
	odd := notDigits(units)
	if decimals == 0 {
		if odd != 0 {
			return false
		}
		sign.units += eightDigits(units)
		l.cells++
		return true
	}
	at := from + n + 1
	w0 := digitsAt(buf, at, decimals)
	w1, w2 := uint64(0), uint64(0)
	odd |= notDigits(w0)
	if decimals > 8 {
		w1 = digitsAt(buf, at+8, decimals-8)
		odd |= notDigits(w1)
		if decimals > 16 {
			w2 = digitsAt(buf, at+16, decimals-16)
			odd |= notDigits(w2)
		}
	}
	if odd != 0 {
		return false
	}
	const evens = 0x00ff00ff00ff00ff
	sign.places[0] += w0 & evens
	sign.places[1] += w0 >> 8 & evens
	if decimals > 8 {
		sign.places[2] += w1 & evens
		sign.places[3] += w1 >> 8 & evens
		if decimals > 16 {
			sign.places[4] += w2 & evens
			sign.places[5] += w2 >> 8 & evens
		}
	}
	if n == 1 {
		sign.units += int64(units >> 56)
	} else {
		sign.units += eightDigits(units)
	}
	l.cells++
	return true
}

// digitsAt returns the values of n digits at buf[at], of at most eight, the first in the low byte, 0 after the last.
func digitsAt(buf []byte, at, n int) uint64 {
	x := binary.LittleEndian.Uint64(buf[at:]) ^ '0'*each
	if n < 8 {
		x &= 1<<(8*n) - 1
	}
	return x
}

// notDigits is not 0 if a lane of x is above 9.
func notDigits(x uint64) uint64 {
	return ((x + (0x7f-9)*each) | x) & high
}

// eightDigits returns the number that the lanes of x are the digits of, the first in the low byte.
func eightDigits(x uint64) int64 {
	x = x*10 + x>>8 // pairs, in the low byte of each 16 bits
	x = (x&0x000000ff000000ff*(100+1000000<<32) + x>>16&0x000000ff000000ff*(1+10000<<32)) >> 32
	return int64(x)
}

// flush moves what was added to the column.
func (l *lanes) flush(c *Column) {
	if l.cells == 0 {
		return
	}
	c.Numeric += int64(l.cells)
	for i := range l.signs {
		l.signs[i].flush(&c.Sum, i == 1)
	}
	*l = lanes{}
}

func (l *signLanes) flush(sum *decimal.Sum, negative bool) {
	add := func(n int64, scale int) {
		if n == 0 {
			return
		}
		if negative {
			n = -n
		}
		sum.AddInt128(n>>63, uint64(n), scale)
	}
	add(l.units, 0)
	for i, word := range l.places {
		for k := range 4 {
			add(int64(word>>(16*k)&0xffff), i/2*8+i%2+2*k+1)
		}
	}
}
