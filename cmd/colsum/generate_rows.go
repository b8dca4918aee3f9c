package main

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"time"

	"colsum/decimal"
)

// firstTime is the time of the first record; each following one is a second later.
var firstTime = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// maxRows keeps the years of the time column within four digits.
const maxRows = 200_000_000_000

// blockRows is how many rows are made at once: about 1 MiB. It depends on nothing but columns, or a seed would give
// different files on different machines.
func blockRows(columns int) int64 { return max(1, 50_000/int64(columns)) }

// appendRows appends rows [first, first+n), the block-th block of the file. Unless sums is nil, the numbers are added to it.
func appendRows(b []byte, columns int, first, n int64, seed, block uint64, sums []decimal.Sum) []byte {
	// The streams of neighbouring blocks must not resemble each other: the block number is spread over all bits.
	rng := rand.NewPCG(seed, (block+1)*0x9e3779b97f4a7c15)
	for row := first; row < first+n; row++ {
		b = time.Unix(firstTime+row, 0).UTC().AppendFormat(b, time.DateTime)
		for i := range columns {
			b = append(b, ',')
			cell := len(b)
			b = appendDecimal(b, rng.Uint64(), rng)
			if sums != nil {
				sums[i].AddCell(b[cell:], '.')
			}
		}
		b = append(b, '\n')
	}
	return b
}

// appendDecimal appends the decimal of r/2^64 as it looks when a random float64 is printed: 15 to 17 significant digits, no
// trailing zeros, an exponent below 0.0001. It is not always the shortest text of a float64: finding that costs ten times
// as much, and nothing here depends on it.
func appendDecimal(b []byte, r uint64, rng *rand.PCG) []byte {
	v, low := bits.Mul64(r, 1e16) // v is uniform in [0, 1e16), low a second, almost independent draw
	if v < 1e12 {
		if v == 0 {
			v = 1
		}
		return strconv.AppendFloat(b, float64(v)/1e16, 'e', -1, 64)
	}
	b = append(b, "0."...)
	b = appendEight(b, uint32(v/1e8))
	b = appendEight(b, uint32(v%1e8))
	// Of the shortest texts of random float64s in [0.1, 1), about half have 16 digits, the most of the others 17.
	switch low >> 60 {
	case 0: // 15 digits
		b = b[:len(b)-1]
	case 1, 2, 3, 4, 5, 6, 7: // 17 digits
		b = append(b, '1'+byte(low>>32)%9)
	}
	for z := uint64(1e15); v < z; z /= 10 { // leading zeros are not significant
		b = append(b, '1'+byte(rng.Uint64()>>32)%9)
	}
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

// appendEight appends v < 1e8 with leading zeros.
func appendEight(b []byte, v uint32) []byte {
	b = binary.LittleEndian.AppendUint32(b, fourDigits[v/1e4])
	return binary.LittleEndian.AppendUint32(b, fourDigits[v%1e4])
}

// fourDigits holds the text of 0000 to 9999.
var fourDigits = func() (t [10_000]uint32) {
	for i := range t {
		n := uint32(i)
		t[i] = '0' + n/1000 | ('0'+n/100%10)<<8 | ('0'+n/10%10)<<16 | ('0'+n%10)<<24
	}
	return
}()
