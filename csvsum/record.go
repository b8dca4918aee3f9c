package csvsum

import (
	"fmt"

	"colsum/decimal"
)

// record sums the selected cells of the record that begins at buf[rec]. ends are the ends of its fields but the last, which
// ends at buf[stop].
func (s *scan) record(ends []uint32, stop int) {
	width := len(ends) + 1
	if width == 1 && s.blank(s.buf[s.rec:stop], s.spec.Dialect.OneColumn) {
		return
	}
	sel := &s.spec.Selection
	n := sel.count(width)
	if n > MaxSelected {
		at := s.base + int64(s.rec)
		s.p.Fault = &Fault{
			Code:   "too_many_columns",
			Detail: fmt.Sprintf("the record at byte %d has %d selected columns, more than %d", at, n, MaxSelected),
			Byte:   at,
			Row:    s.p.Rows + 1,
		}
		return
	}
	s.widen(n)
	for i := range n {
		from, to := s.field(sel.number(i), ends, stop)
		if !s.cell(i, from, to) {
			s.undo(i, ends, stop)
			return
		}
	}
	s.p.Rows++
	s.p.Width = max(s.p.Width, width)
}

// widen makes room for n selected columns.
func (s *scan) widen(n int) {
	if have := len(s.p.Columns); have < n {
		s.p.Columns = append(s.p.Columns, make([]Column, n-have)...)
	}
}

// flush moves what waits in lanes and pairs to the columns, at the end.
func (s *scan) flush() {
	for i := range s.lanes {
		s.lanes[i].flush(&s.p.Columns[i])
	}
	s.lanes = s.lanes[:0]
	s.pairs.drain(s.p.Columns)
	for i := range s.p.Columns {
		s.p.Columns[i].Sum.Compact() // partials wait by the thousand
	}
}

// field returns where field number lies in the buffer.
func (s *scan) field(number int, ends []uint32, stop int) (from, to int) {
	from, to = s.rec, stop
	if number > 1 {
		from = int(ends[number-2]) + 1
	}
	if number <= len(ends) {
		to = int(ends[number-1])
	}
	return from, to
}

// cell adds one cell to selected column i. It returns false if that ends the work.
func (s *scan) cell(i, from, to int) bool {
	if !s.spec.FailOnInvalid {
		if s.odd(i, from, to) == decimal.Invalid && len(s.p.Bad) < MaxBadCells {
			s.p.Bad = append(s.p.Bad, s.badCell(i, from, to))
		}
		return true
	}
	// The bad cell that ends the work is listed, but it is not counted: its record is none of the rows.
	if decimal.Classify(s.text(from, to), s.spec.Dialect.Decimal) != decimal.Invalid {
		s.odd(i, from, to)
		return true
	}
	bad := s.badCell(i, from, to)
	s.p.Bad = append(s.p.Bad, bad)
	s.p.Fault = &Fault{
		Code:   "invalid_cell",
		Detail: fmt.Sprintf("column %d of the record at byte %d holds %q at byte %d, which is not a number", bad.Column, s.base+int64(s.rec), bad.Text, bad.Byte),
		Byte:   bad.Byte,
		Row:    bad.Row,
		Column: bad.Column,
	}
	return false
}

// badCell describes a cell of the record that comes after the Rows so far.
func (s *scan) badCell(i, from, to int) BadCell {
	return BadCell{
		Column: s.spec.Selection.number(i),
		Row:    s.p.Rows + 1,
		Byte:   s.base + int64(from),
		Text:   badText(s.text(from, to)),
	}
}

// odd adds one cell that is not written in the most usual way, and counts it.
func (s *scan) odd(i, from, to int) decimal.Kind {
	col := &s.p.Columns[i]
	if from == to {
		col.Empty++
		return decimal.Empty
	}
	kind := col.Sum.AddCell(s.text(from, to), s.spec.Dialect.Decimal)
	switch kind {
	case decimal.Numeric:
		col.Numeric++
	case decimal.Empty:
		col.Empty++
	default:
		col.Invalid++
	}
	return kind
}

// text returns the content of the field buf[from:to], valid until the next call.
func (s *scan) text(from, to int) []byte {
	raw := s.buf[from:to]
	if len(raw) == 0 || s.quote == 0 || raw[0] != s.quote {
		return raw
	}
	if cap(s.content) < len(raw) {
		s.content = make([]byte, 0, 2*len(raw))
	}
	return s.unquote(raw, s.content)
}

// undo takes back the first n cells of a record that turned out to have a fault.
func (s *scan) undo(n int, ends []uint32, stop int) {
	for i := range n {
		s.subtract(i, s.text(s.field(s.spec.Selection.number(i), ends, stop)))
	}
}

// subtract takes back a cell that is a number or empty.
func (s *scan) subtract(i int, text []byte) {
	col := &s.p.Columns[i]
	var v decimal.Sum
	switch v.AddCell(text, s.spec.Dialect.Decimal) {
	case decimal.Numeric:
		col.Sum.Sub(&v)
		col.Numeric--
	case decimal.Empty:
		col.Empty--
	}
}
