package csvsum

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// slack is how many bytes in front of a buffer and behind it the kernels may read; their values do not matter.
const slack = 64

// laneDecimals is how many decimals the digit lanes have.
const laneDecimals = 24

// byteCells is how many cells a digit lane of 8 bits holds: 9·28 < 2^8; laneCells how many one of 16 bits: 9·7281 < 2^16.
const (
	byteCells = 28
	laneCells = 7281
)

// lanes sums the cells of one column that are written in the most usual ways: up to eight digits, or one to seven digits,
// the decimal sign and up to 24 decimals, either with a minus sign. Cells are not made into numbers: the digits at each place
// are added up, eight at a time, in lanes of 8 bits, which are spread to lanes of 16 bits every byteCells cells and become one
// number every laneCells cells. That is exact and needs no multiplication. The zero value is empty.
type lanes struct {
	// Of cells without and with a minus sign. [0] holds the digits of the integers, the last one in the top byte; [1+w] those
	// at decimals 8w+1 to 8w+8, the first in the low byte.
	fresh [2][4]uint64
	added int // cells since the last spread
	cells int // those before, since the last flush
	// places[i][2w] holds the low bytes of each 16 bits of fresh[i][w], places[i][2w+1] the high ones.
	places [2][8]uint64
}

// keeps[w][n] masks those of n decimals that fresh[i][1+w] holds.
var keeps = func() (keeps [3][laneDecimals + 1]uint64) {
	for w := range keeps {
		for n := range keeps[w] {
			keeps[w][n] = 1<<(8*min(max(n-8*w, 0), 8)) - 1
		}
	}
	return keeps
}()

// add adds the cell buf[from:to] and returns true, or returns false where it is written in another way; then nothing has
// changed. buf must go on for slack bytes after the cell. The caller sees to it that spread and flush come in time.
func (l *lanes) add(buf []byte, from, to int, point byte) bool {
	if from >= to {
		return false
	}
	fresh := &l.fresh[0]
	if buf[from] == '-' {
		fresh = &l.fresh[1]
		from++
	}
	// Valid, like the loads below: the last of them ends 33 bytes behind the cell's first at most, and slack follows it.
	cell := unsafe.Add(unsafe.Pointer(unsafe.SliceData(buf)), from)
	word := load(cell)
	// The number of digits before the decimal sign, or before the end.
	size := to - from
	n := bits.TrailingZeros64(^differ(word, uint64(point)*each)&high|0x80<<(8*size)) >> 3
	decimals := size - n - 1
	if n == 0 || decimals > laneDecimals || n == 8 && decimals >= 0 {
		return false
	}
	units := (word ^ '0'*each) << (64 - 8*n)
	if decimals <= 0 {
		if odd(units) != 0 {
			return false
		}
		fresh[0] += units
		l.added++
		return true
	}
	rest := unsafe.Add(cell, n+1)
	w0 := (load(rest) ^ '0'*each) & keeps[0][decimals]
	w1 := (load(unsafe.Add(rest, 8)) ^ '0'*each) & keeps[1][decimals]
	w2 := (load(unsafe.Add(rest, 16)) ^ '0'*each) & keeps[2][decimals]
	if odd(units)|odd(w0)|odd(w1)|odd(w2) != 0 {
		return false
	}
	fresh[0] += units
	fresh[1] += w0
	fresh[2] += w1
	fresh[3] += w2
	l.added++
	return true
}

// load reads eight bytes as a word, the first in the low lane.
func load(p unsafe.Pointer) uint64 { return binary.LittleEndian.Uint64((*[8]byte)(p)[:]) }

// odd is not 0 if a lane of x is above 9.
func odd(x uint64) uint64 { return (x + (0x7f-9)*each | x) & high }

// spread moves what was added to the lanes of 16 bits.
func (l *lanes) spread() {
	const evens = 0x00ff00ff00ff00ff
	for i := range l.fresh {
		for w, x := range l.fresh[i] {
			l.places[i][2*w] += x & evens
			l.places[i][2*w+1] += x >> 8 & evens
		}
	}
	l.fresh = [2][4]uint64{}
	l.cells += l.added
	l.added = 0
}

// flush moves what was added to the column.
func (l *lanes) flush(c *Column) {
	l.spread()
	if l.cells == 0 {
		return
	}
	c.Numeric += int64(l.cells)
	for i := range l.places {
		for w, word := range l.places[i] {
			for k := range 4 {
				n := int64(word >> (16 * k) & 0xffff)
				if n == 0 {
					continue
				}
				place := 2*k + w%2 // its byte in fresh[i][w/2]
				if w < 2 {
					n *= tens[7-place]
					place = 0
				} else {
					place += 8*(w/2-1) + 1
				}
				if i == 1 {
					n = -n
				}
				c.Sum.AddInt128(n>>63, uint64(n), place)
			}
		}
	}
	*l = lanes{}
}

// tens are powers of ten.
var tens = [8]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}
