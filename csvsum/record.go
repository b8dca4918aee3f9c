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
	for len(s.p.Columns) < n {
		s.p.Columns = append(s.p.Columns, Column{})
	}
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
	col := &s.p.Columns[i]
	content := s.text(from, to)
	switch col.Sum.AddCell(content, s.spec.Dialect.Decimal) {
	case decimal.Numeric:
		col.Numeric++
		return true
	case decimal.Empty:
		col.Empty++
		return true
	}
	bad := BadCell{Column: s.spec.Selection.number(i), Row: s.p.Rows + 1, Byte: s.base + int64(from)}
	if len(s.p.Bad) < MaxBadCells {
		bad.Text = badText(content)
		s.p.Bad = append(s.p.Bad, bad)
	}
	if s.spec.FailOnInvalid {
		s.p.Fault = &Fault{
			Code:   "invalid_cell",
			Detail: fmt.Sprintf("column %d of the record at byte %d holds %q at byte %d, which is not a number", bad.Column, s.base+int64(s.rec), badText(content), bad.Byte),
			Byte:   bad.Byte,
			Row:    bad.Row,
			Column: bad.Column,
		}
		return false
	}
	col.Invalid++
	return true
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
		col := &s.p.Columns[i]
		var v decimal.Sum
		switch v.AddCell(s.text(s.field(s.spec.Selection.number(i), ends, stop)), s.spec.Dialect.Decimal) {
		case decimal.Numeric:
			col.Sum.Sub(&v)
			col.Numeric--
		case decimal.Empty:
			col.Empty--
		}
	}
}
