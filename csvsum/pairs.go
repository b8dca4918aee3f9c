package csvsum

import (
	"math/bits"
	"slices"
	"unsafe"
)

// pairLanes adds up the cells of one column by digit pairs, without a multiplication per cell: lane k counts units of
// 10^(8-2k) for k < 5, the integer digits, and of 10^-(2k-9) from there on. A cell adds at most 99 to a lane, or takes away
// as much.
type pairLanes [16]int16

// pairCells is how many cells of a column pairLanes take: 330 * 99 < 2^15.
const pairCells = 330

// pairs are the running sums of the selected columns that a vector kernel adds to. The zero value is empty.
type pairs struct {
	lanes []pairLanes
	cells int         // that each of lanes has taken at most since the last flush
	total [][16]int64 // what was flushed; shorter than lanes while nothing was
	rows  []int64     // rows[i] records went into the first i+1 columns and no others
	empty []int64     // empty cells, which are counted by rows as well
	cols  []uint32    // index of the field of each selected column
}

// cellRun is a run of records that have the same number of fields, as the assembly reads it.
type cellRun struct {
	// buf is what positions count from. At least 32 bytes in front of the first cell and behind the last are readable.
	buf unsafe.Pointer
	// pos is the end of the first record's first field. The word in front of it is the end of what precedes the record.
	pos     unsafe.Pointer
	records int            // 1 to pairCells
	stride  int            // bytes of pos per record: 4 times the fields
	cols    unsafe.Pointer // *[ncols]uint32
	ncols   int            // at least 1
	lanes   unsafe.Pointer // *[ncols]pairLanes
	odd     unsafe.Pointer // *[records*ncols]oddCell, written
	point   uint32         // the decimal sign
	quote   uint32         // the quote byte; the delimiter where there is none: no cell begins with it
	// empty is where empty cells are counted, *[ncols]int64; nil where they are odd: a record that is one is no record.
	empty unsafe.Pointer
}

// need makes room for n selected columns of sel and records more cells of each.
func (p *pairs) need(sel *Selection, n, records int) {
	if have := len(p.lanes); have < n {
		p.lanes = append(p.lanes, make([]pairLanes, n-have)...)
		p.rows = append(p.rows, make([]int64, n-have)...)
		p.empty = append(p.empty, make([]int64, n-have)...)
		p.cols = slices.Grow(p.cols, n-have)
		for i := have; i < n; i++ {
			p.cols = append(p.cols, uint32(sel.number(i)-1))
		}
	}
	if p.cells+records > pairCells {
		p.flush()
	}
	p.cells += records
}

// flush moves lanes to total.
func (p *pairs) flush() {
	p.cells = 0
	if more := len(p.lanes) - len(p.total); more > 0 {
		p.total = append(p.total, make([][16]int64, more)...)
	}
	for i := range p.lanes {
		p.lanes[i].moveTo(&p.total[i])
	}
}

func (l *pairLanes) moveTo(t *[16]int64) {
	for k, v := range l {
		t[k] += int64(v)
	}
	*l = pairLanes{}
}

// drain moves all that was added to the columns.
func (p *pairs) drain(columns []Column) {
	rows := int64(0)
	for i := len(p.lanes) - 1; i >= 0; i-- {
		rows += p.rows[i]
		if i >= len(columns) {
			continue // there were only blank lines
		}
		c := &columns[i]
		c.Empty += p.empty[i]
		c.Numeric += rows - p.empty[i]
		var t [16]int64
		if i < len(p.total) {
			t = p.total[i]
		}
		p.lanes[i].moveTo(&t)
		if t == ([16]int64{}) {
			continue
		}
		var v int128 // integer digits
		for _, d := range t[:5] {
			v.shift(100)
			v.add(d)
		}
		c.Sum.AddInt128(v.hi, v.lo, 0)
		last := len(t)
		for last > 5 && t[last-1] == 0 {
			last--
		}
		v = int128{} // decimals: 10^-1, 10^-3, ... 10^-21
		for _, d := range t[5:last] {
			v.shift(100)
			v.add(d)
		}
		if last > 5 {
			c.Sum.AddInt128(v.hi, v.lo, 2*last-11)
		}
	}
	p.cells = 0
	p.lanes, p.total, p.rows, p.empty, p.cols = p.lanes[:0], p.total[:0], p.rows[:0], p.empty[:0], p.cols[:0]
}

// int128 is a two's complement integer. A lane total is at most 99 times the rows, so nothing here overflows.
type int128 struct {
	hi int64
	lo uint64
}

// shift multiplies by m.
func (v *int128) shift(m uint64) {
	hi, lo := bits.Mul64(v.lo, m)
	v.hi = v.hi*int64(m) + int64(hi)
	v.lo = lo
}

func (v *int128) add(d int64) {
	lo, carry := bits.Add64(v.lo, uint64(d), 0)
	v.lo = lo
	v.hi += d>>63 + int64(carry)
}
