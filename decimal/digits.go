package decimal

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes are taken at a time, as a word with a byte in each of eight lanes (SWAR), the first in the low one.

const each = 0x0101010101010101 // one in every lane

// tens are the powers of ten that fit a word.
var tens = [wordDigits + 1]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// readDigits reads digits from b[i] on until something else comes. It returns v followed by them, which is right as long as
// there are no more than wordDigits in all, and where it stopped.
func readDigits(v uint64, b []byte, i int) (uint64, int) {
	for i < len(b) {
		rest := len(b) - i
		if len(b) < 8 {
			if d := b[i] - '0'; d <= 9 {
				v = v*10 + uint64(d)
				i++
				continue
			}
			return v, i
		}
		var x uint64
		if rest >= 8 {
			x = binary.LittleEndian.Uint64(b[i:]) ^ '0'*each
			rest = 8
		} else {
			x = (binary.LittleEndian.Uint64(b[len(b)-8:]) ^ '0'*each) >> (64 - 8*rest)
		}
		n := min(rest, bits.TrailingZeros64(notDigits(x))>>3)
		v = v*tens[n] + eightDigits(x<<(64-8*n))
		i += n
		if n < rest {
			break
		}
	}
	return v, i
}

// notDigits sets the top bit of each lane of x that is above 9, and no bit below the first of these.
func notDigits(x uint64) uint64 {
	const high = each << 7
	return ((x&^high + (0x7f-9)*each) | x) & high
}

// eightDigits returns the number that the lanes of x are the digits of, the first in the low lane.
func eightDigits(x uint64) uint64 {
	x = x*10 + x>>8 // pairs, in the low byte of each 16 bits
	return (x&0x000000ff000000ff*(100+1000000<<32) + x>>16&0x000000ff000000ff*(1+10000<<32)) >> 32
}

// uint128 is hi·2^64 + lo.
type uint128 struct{ hi, lo uint64 }

// read appends digits: maxDigits in all at most.
func (u *uint128) read(digits []byte) {
	for len(digits) > 0 {
		n := min(len(digits), 16)
		v, _ := readDigits(0, digits[:n], 0)
		u.mulAdd(tens[n], v)
		digits = digits[n:]
	}
}

// scaleUp multiplies by 10^n.
func (u *uint128) scaleUp(n int) {
	for ; n > wordDigits; n -= wordDigits {
		u.mulAdd(tens[wordDigits], 0)
	}
	u.mulAdd(tens[n], 0)
}

func (u *uint128) mulAdd(m, d uint64) {
	over, lo := bits.Mul64(u.lo, m)
	lo, carry := bits.Add64(lo, d, 0)
	u.hi, u.lo = u.hi*m+over+carry, lo
}
