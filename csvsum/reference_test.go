package csvsum

import (
	"bytes"
	"fmt"
	"strings"

	"colsum/decimal"
)

// The reference reads a file the obvious way, field by field, with the whole of it at hand. It shares nothing with the
// scanner but the number parser, which has a reference of its own.

type refField struct {
	at      int
	content string
	quoted  bool
}

type refRecord struct {
	at     int
	length int // its end included, in NewlineCR files only the CR of it
	fields []refField
	open   int // of the quote that never closes, or -1
}

// refRecords returns the records of data[at:], blank lines and comments left out.
func refRecords(data []byte, at int, d *Dialect) []refRecord {
	newline := byte('\n')
	if d.Newline == NewlineCR {
		newline = '\r'
	}
	is := func(i int, c byte) bool { return c != 0 && i < len(data) && data[i] == c }
	var records []refRecord
	for i := at; i < len(data); {
		if d.Newline == NewlineCR && i > at && data[i-1] == '\r' && data[i] == '\n' {
			i++
			continue
		}
		if is(i, d.Comment) {
			for i < len(data) && data[i] != newline {
				i++
			}
			i++
			continue
		}
		rec := refRecord{at: i, open: -1}
		for more := true; more; {
			f := refField{at: i}
			if is(i, d.Quote) {
				f.quoted = true
				rec.open = i
				var inner []byte
				for i++; i < len(data); i++ {
					if data[i] == d.Quote {
						if !is(i+1, d.Quote) {
							rec.open = -1
							i++
							break
						}
						i++
					}
					inner = append(inner, data[i])
				}
				f.content = string(inner)
			}
			j := i
			for j < len(data) && data[j] != d.Delimiter && data[j] != newline {
				j++
			}
			rest := data[i:j]
			more = is(j, d.Delimiter)
			if d.Newline == NewlineLF && is(j, '\n') {
				rest = bytes.TrimSuffix(rest, []byte("\r"))
			}
			f.content += string(rest)
			rec.fields = append(rec.fields, f)
			i = j + 1
		}
		i = min(i, len(data))
		rec.length = i - rec.at
		lone := rec.fields[0]
		if len(rec.fields) == 1 && lone.content == "" && rec.open < 0 && (!lone.quoted || d.OneColumn) {
			continue
		}
		records = append(records, rec)
	}
	return records
}

// refSum does with the records what a fold of the whole file must come to. Of a fault it sets the place and the code.
func refSum(data []byte, spec *Spec) *Fold {
	f := &Fold{}
	for _, rec := range refRecords(data, int(spec.DataStart), &spec.Dialect) {
		n := spec.Selection.count(len(rec.fields))
		switch {
		case int64(rec.length) > spec.limit():
			f.Fault = &Fault{Code: "record_too_long", Byte: int64(rec.at), Row: f.Rows + 1}
		case rec.open >= 0:
			f.Fault = &Fault{Code: "unterminated_quote", Byte: int64(rec.open), Row: f.Rows + 1}
		case n > MaxSelected:
			f.Fault = &Fault{Code: "too_many_columns", Byte: int64(rec.at), Row: f.Rows + 1}
		}
		if f.Fault != nil {
			return f
		}
		if spec.FailOnInvalid {
			for i := range n {
				c := spec.Selection.number(i)
				cell := rec.fields[c-1]
				if decimal.Classify([]byte(cell.content), spec.Dialect.Decimal) == decimal.Invalid {
					f.Fault = &Fault{Code: "invalid_cell", Byte: int64(cell.at), Row: f.Rows + 1, Column: c}
					if len(f.Bad) < MaxBadCells {
						f.Bad = append(f.Bad, BadCell{c, f.Rows + 1, int64(cell.at), badText([]byte(cell.content))})
					}
					return f
				}
			}
		}
		f.Rows++
		f.Width = max(f.Width, len(rec.fields))
		for len(f.Columns) < n {
			f.Columns = append(f.Columns, Column{})
		}
		for i := range n {
			c := spec.Selection.number(i)
			cell := rec.fields[c-1]
			col := &f.Columns[i]
			switch col.Sum.AddCell([]byte(cell.content), spec.Dialect.Decimal) {
			case decimal.Numeric:
				col.Numeric++
			case decimal.Empty:
				col.Empty++
			default:
				col.Invalid++
				if len(f.Bad) < MaxBadCells {
					f.Bad = append(f.Bad, BadCell{c, f.Rows, int64(cell.at), badText([]byte(cell.content))})
				}
			}
		}
	}
	return f
}

// same compares a fold with the reference, the wording of a fault aside.
func same(plan *Plan, got, want *Fold) error {
	if (got.Fault == nil) != (want.Fault == nil) {
		return fmt.Errorf("fault: got %+v, want %+v", got.Fault, want.Fault)
	}
	if got.Fault != nil {
		g := *got.Fault
		if g.Detail == "" {
			return fmt.Errorf("fault %+v says nothing", g)
		}
		g.Detail = ""
		if g != *want.Fault {
			return fmt.Errorf("fault: got %+v, want %+v", g, *want.Fault)
		}
	}
	g, w := fmt.Sprintf("%+v", asText(got.Result(plan, true))), fmt.Sprintf("%+v", asText(want.Result(plan, true)))
	if g != w {
		return fmt.Errorf("got\n%s\nwant\n%s", g, w)
	}
	return nil
}

func asText(r *Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "rows %d of %d fields, total %s, bad %+v, warnings %q, %s", r.Rows, r.ColumnsTotal, r.Total, r.BadCells, r.Warnings, r.Digest)
	for _, c := range r.Results {
		fmt.Fprintf(&b, "\ncolumn %d: %s, %d+%d+%d+%d", c.Column, c.Sum, c.Numeric, c.Empty, c.Invalid, c.Missing)
	}
	return b.String()
}
