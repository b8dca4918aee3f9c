package csvsum

import (
	"slices"

	"colsum/decimal"
)

// minRegular is how many complete records in one block make it worth while to look whether all have the same fields.
const minRegular = 4

// regular sums the complete records from pos[i] on, if each of them has the same number of fields, column by column. It
// returns the index in pos of what follows them, or i where the records are not so regular and nothing was done.
//
// All of them begin within the range: the index has not been taken beyond its end.
func (s *scan) regular(i int) int {
	if s.records < minRegular || s.skip || s.newline != '\n' || s.spec.FailOnInvalid || s.base+int64(s.seen) > s.end {
		return i
	}
	pos := s.pos[i:]
	width := slices.IndexFunc(pos, func(p uint32) bool { return s.buf[p] == '\n' }) + 1
	sel := &s.spec.Selection
	n := sel.count(width)
	// A record of one field may be a blank line. The check is exact: as many newlines as records, each where it is due.
	if width < 2 || len(pos) < width*s.records || n > MaxSelected {
		return i
	}
	pos = pos[:width*s.records]
	for k := width - 1; k < len(pos); k += width {
		if s.buf[pos[k]] != '\n' {
			return i
		}
	}
	last := int(pos[len(pos)-1])
	if int64(last+1-s.rec) > s.spec.limit() {
		return i // one of them may be too long
	}
	s.widen(n)
	bad := s.bad[:0]
	for k := range n {
		bad = s.column(bad, pos, width, k)
	}
	s.listBad(bad, pos, width)
	s.bad = bad
	s.p.Rows += int64(s.records)
	s.p.Width = max(s.p.Width, width)
	s.records = 0
	s.rec = last + 1
	return i + len(pos)
}

// badAt is an invalid cell of a regular block.
type badAt struct{ row, index int }

// column sums selected column k of regular records, whose fields end at pos.
func (s *scan) column(bad []badAt, pos []uint32, width, k int) []badAt {
	number := s.spec.Selection.number(k)
	l := &s.lanes[k]
	point := s.spec.Dialect.Decimal
	buf := s.buf[:cap(s.buf)]
	listed := 0
	for at, row := number-1, 0; at < len(pos); at, row = at+width, row+1 {
		from, to := s.rec, int(pos[at])
		if at > 0 {
			from = int(pos[at-1]) + 1
		}
		if l.cells == laneCells {
			l.flush(&s.p.Columns[k])
		}
		if l.add(buf, from, to, point) {
			continue
		}
		if number == width && to > from && buf[to-1] == '\r' {
			to--
		}
		if s.odd(k, from, to) == decimal.Invalid && listed < MaxBadCells {
			bad = append(bad, badAt{row, k})
			listed++
		}
	}
	return bad
}

// listBad lists the bad cells of regular records in the order of the file, as far as there is room.
func (s *scan) listBad(bad []badAt, pos []uint32, width int) {
	if len(bad) == 0 || len(s.p.Bad) == MaxBadCells {
		return
	}
	slices.SortFunc(bad, func(a, b badAt) int {
		if a.row != b.row {
			return a.row - b.row
		}
		return a.index - b.index
	})
	for _, b := range bad[:min(len(bad), MaxBadCells-len(s.p.Bad))] {
		number := s.spec.Selection.number(b.index)
		at := b.row*width + number - 1
		from, to := s.rec, int(pos[at])
		if at > 0 {
			from = int(pos[at-1]) + 1
		}
		if number == width && to > from && s.buf[to-1] == '\r' {
			to--
		}
		cell := s.badCell(b.index, from, to)
		cell.Row += int64(b.row)
		s.p.Bad = append(s.p.Bad, cell)
	}
}
