package csvsum

import (
	"slices"

	"colsum/decimal"
)

// oddCell is a cell that the kernel left out: the index of its end in the run's positions, and its selected column.
type oddCell struct{ end, col uint32 }

// batch sums complete records from pos[i] on by the kernel's cells function, as many at a time as have the same number of
// fields, and returns how many positions they took. What it leaves is record's.
func (s *scan) batch(i int) (taken int) {
	if s.k.cells == nil || s.skip || s.feeds || s.doomed {
		return 0
	}
	if s.base+int64(s.seen) > s.end || int64(s.seen-s.rec) > s.spec.limit() {
		return 0 // a record may not be ours, or be too long
	}
	for s.records > 0 && !s.doomed {
		if s.comments && s.buf[s.rec] == s.comment {
			break
		}
		records, width := s.alike(i + taken)
		n := s.spec.Selection.count(width)
		if n > MaxSelected {
			break
		}
		rows, had := s.p.Rows, len(s.p.Columns)
		s.widen(n)
		s.pos[i+taken-1] = uint32(s.rec - 1) // for the first record of a buffer, ^0: one less than 0
		for left := records; left > 0; {
			some := min(left, pairCells)
			pos := s.pos[i+taken-1 : i+taken+some*width]
			if s.doomed = !s.add(pos, some, width, n); s.doomed {
				break
			}
			left -= some
			taken += some * width
			s.rec = int(pos[some*width]) + 1
			s.records -= some
		}
		switch {
		case s.p.Rows > rows:
			s.p.Width = max(s.p.Width, width)
		case !s.doomed: // nothing but blank lines
			s.p.Columns, s.lanes = s.p.Columns[:had], s.lanes[:min(had, len(s.lanes))]
		}
	}
	s.fresh = taken > 0 && s.newline == '\r'
	return taken
}

// alike returns how many of the complete records from pos[i] on have the same number of fields, width, and are no comments.
// The first is none.
func (s *scan) alike(i int) (records, width int) {
	buf, pos, newline := s.buf, s.pos, s.newline
	j := i
	for buf[pos[j]] != newline {
		j++
	}
	width = j + 1 - i
	// If all of them are alike, every width-th position is a newline, and these are as many as there are newlines.
	if all := s.records * width; i+all <= len(pos) && !s.comments {
		k := j + width
		for k < i+all && buf[pos[k]] == newline {
			k += width
		}
		if k >= i+all {
			return s.records, width
		}
	}
	for records = 1; records < s.records; records++ {
		from := j + 1
		if s.comments && buf[pos[j]+1] == s.comment {
			break
		}
		for j = from; buf[pos[j]] != newline; j++ {
		}
		if j+1-from != width {
			break
		}
	}
	return records, width
}

// add sums the n selected columns of a run of records. pos[0] is the end of what precedes them, the ends of their fields
// follow. It returns false if a cell ends the work; then it has added nothing.
func (s *scan) add(pos []uint32, records, width, n int) bool {
	rows, blanks := s.p.Rows, 0
	if n == 0 {
		for r := 0; width == 1 && r < records; r++ {
			if from, to := s.place(pos, width, r); s.blank(s.buf[from:to], s.spec.Dialect.OneColumn) {
				blanks++
			}
		}
		s.p.Rows += int64(records - blanks)
		return true
	}
	if len(s.left) < records*n {
		s.left = make([]oddCell, records*n)
	}
	left := s.left[:s.k.cells(s, pos, records, width, n)]
	if s.spec.FailOnInvalid && slices.ContainsFunc(left, func(o oddCell) bool { return s.bad(pos, width, o) }) {
		s.takeBack(pos, records, width, n, left)
		return false
	}
	for _, o := range left {
		from, to := s.place(pos, width, int(o.end))
		if width == 1 && s.blank(s.buf[from:to], s.spec.Dialect.OneColumn) {
			blanks++
			continue
		}
		s.p.Rows = rows + int64(int(o.end)/width-blanks)
		if s.odd(int(o.col), from, to) == decimal.Invalid && len(s.p.Bad) < MaxBadCells {
			s.p.Bad = append(s.p.Bad, s.badCell(int(o.col), from, to))
		}
	}
	s.p.Rows = rows + int64(records-blanks)
	return true
}

// bad reports whether a cell that was left out ends the work.
func (s *scan) bad(pos []uint32, width int, o oddCell) bool {
	from, to := s.place(pos, width, int(o.end))
	return decimal.Classify(s.text(from, to), s.spec.Dialect.Decimal) == decimal.Invalid
}

// takeBack subtracts the cells of a run again, save for those that were left out. It happens once in a scan at most.
func (s *scan) takeBack(pos []uint32, records, width, n int, left []oddCell) {
	for r := range records {
		for i := range n {
			end := r*width + s.spec.Selection.number(i) - 1
			if len(left) > 0 && int(left[0].end) == end {
				left = left[1:]
				continue
			}
			s.subtract(i, s.text(s.place(pos, width, end)))
		}
	}
}

// place returns where the cell lies that ends at pos[1+end] of a run.
func (s *scan) place(pos []uint32, width, end int) (from, to int) {
	from, to = int(pos[end]+1), int(pos[end+1])
	if end%width == width-1 && to > from && s.buf[to-1] == '\r' && s.newline == '\n' {
		to--
	}
	return from, to
}

// cellsPortable is kernel.cells. It goes column by column.
func cellsPortable(s *scan, pos []uint32, _, width, n int) int {
	if have := len(s.lanes); have < n {
		s.lanes = append(s.lanes, make([]lanes, n-have)...)
	}
	left := s.left[:0]
	point := s.spec.Dialect.Decimal
	buf := s.buf[:cap(s.buf)]
	for i := range n {
		l := &s.lanes[i]
		field := s.spec.Selection.number(i) - 1
		for end := field; end < len(pos)-1; end += width {
			if l.added == byteCells {
				if l.spread(); l.cells > laneCells-byteCells {
					l.flush(&s.p.Columns[i])
				}
			}
			if at := pos[end] + 1; buf[at] != s.quote && l.add(buf, int(at), int(pos[end+1]), point) {
				continue
			}
			from, to := s.trimmed(s.place(pos, width, end))
			switch {
			case from == to && width > 1:
				s.p.Columns[i].Empty++
			case !l.add(buf, from, to, point):
				left = append(left, oddCell{uint32(end), uint32(i)})
			}
		}
	}
	slices.SortFunc(left, func(a, b oddCell) int { return int(a.end) - int(b.end) })
	return len(left)
}

// trimmed returns where the content of a cell lies: without quotes around it and then without blanks. Other quotes in it are
// still to be seen to.
func (s *scan) trimmed(from, to int) (int, int) {
	if s.quote != 0 && to-from > 1 && s.buf[from] == s.quote && s.buf[to-1] == s.quote {
		from++
		to--
	}
	for from < to && (s.buf[from] == ' ' || s.buf[from] == '\t') {
		from++
	}
	for from < to && (s.buf[to-1] == ' ' || s.buf[to-1] == '\t') {
		to--
	}
	return from, to
}
