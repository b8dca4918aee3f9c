package csvsum

import (
	"encoding/json"
	"fmt"

	"colsum/decimal"
)

// Doc returns the dialect as the document shows it.
func (d *Dialect) Doc() *DocDial {
	doc := &DocDial{
		Delimiter: byteText(d.Delimiter),
		Quote:     byteText(d.Quote),
		Decimal:   byteText(d.Decimal),
		Header:    d.Header,
		Newline:   d.NewlineText,
		BOM:       d.BOM,
	}
	if d.Comment != 0 {
		text := byteText(d.Comment)
		doc.Comment = &text
	}
	return doc
}

func byteText(c byte) string {
	if c == 0 {
		return ""
	}
	return string([]byte{c})
}

// Result returns the sums so far; with final set, the warnings and the digest as well (all tasks must be folded then).
func (f *Fold) Result(p *Plan, final bool) *Result {
	r := &Result{
		Rows:         f.Rows,
		ColumnsTotal: max(f.Width, p.HeaderWidth),
		Results:      []ColumnResult{},
		BadCells:     append([]BadCell{}, f.Bad...),
		Warnings:     []string{},
	}
	sel := &p.Spec.Selection
	n := len(sel.Numbers)
	if n == 0 {
		n = sel.count(r.ColumnsTotal)
	}
	var total decimal.Sum
	for i := range n {
		var none Column
		c := &none
		if i < len(f.Columns) {
			c = &f.Columns[i]
		}
		total.Add(&c.Sum)
		col := ColumnResult{
			Column:  sel.number(i),
			Sum:     json.Number(c.Sum.String()),
			Numeric: c.Numeric,
			Empty:   c.Empty,
			Invalid: c.Invalid,
			Missing: f.Rows - c.Numeric - c.Empty - c.Invalid,
		}
		if i < len(p.Names) {
			col.Name = &p.Names[i]
		}
		if c.Numeric > 0 {
			mean := json.Number(c.Sum.Mean(c.Numeric))
			col.Mean = &mean
		}
		r.Results = append(r.Results, col)
	}
	r.Total = json.Number(total.String())
	if final {
		r.Warnings = append(r.Warnings, warnings(p, r)...)
		r.Digest = digest(p, r)
	}
	return r
}

// warnings says in plain sentences what a reader of the sums should know.
func warnings(p *Plan, r *Result) []string {
	var w []string
	if r.Rows == 0 {
		w = append(w, "The file holds no data records.")
	}
	sel := &p.Spec.Selection
	if len(r.Results) == 0 {
		w = append(w, fmt.Sprintf("No column is selected: the first one asked for is column %d, and the widest record has %s.", sel.number(0), count(int64(r.ColumnsTotal), "field")))
	}
	var invalid, missing, columns int64
	for _, c := range r.Results {
		if c.Column > r.ColumnsTotal && r.Rows > 0 {
			w = append(w, fmt.Sprintf("Column %d is in no record: the widest has %s.", c.Column, count(int64(r.ColumnsTotal), "field")))
			continue
		}
		if c.Invalid > 0 {
			columns++
		}
		invalid += c.Invalid
		missing += c.Missing
	}
	if invalid > 0 {
		are := "are not numbers"
		if invalid == 1 {
			are = "is not a number"
		}
		w = append(w, fmt.Sprintf("%s in %s %s and not part of the sums.", count(invalid, "cell"), count(columns, "column"), are))
	}
	if missing > 0 {
		w = append(w, fmt.Sprintf("%s missing, because records are too short to have them.", count(missing, "selected cell")+isAre(missing)))
	}
	const most = 20
	if len(w) > most {
		w = append(w[:most], fmt.Sprintf("There are %d more warnings.", len(w)-most))
	}
	return w
}

func count(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func isAre(n int64) string {
	if n == 1 {
		return " is"
	}
	return " are"
}
