package csvsum

import (
	"errors"
	"fmt"
	"strings"
)

// previewCell bounds one cell of a preview in bytes; longer ones are cut.
const previewCell = 200

// Preview is how a file begins, read as the options ask: for people who choose options before they sum.
type Preview struct {
	Plan *Plan
	// Header is nil without a header record.
	Header []string
	// Records are the first data records, unquoted, cells cut at 200 bytes. They may differ in length.
	Records [][]string
	// Width is the widest of header and records seen, not those listed only.
	Width int
	// Selected are the numbers of the columns that would be summed: up to Width for a step, as given for a list.
	Selected []int
	// Rows of the whole file: counted where head holds all of it, else estimated from the records seen.
	Rows int64
	// Warnings are plain sentences, never nil.
	Warnings []string
}

// Look reads the first n records of a file of size bytes from its head. What it asks of head, and its errors, are Sniff's.
func Look(head []byte, size int64, opt Options, n int) (*Preview, error) {
	plan, err := Sniff(head, size, opt)
	if err != nil {
		return nil, err
	}
	head = head[:min(int64(len(head)), size)]
	whole := int64(len(head)) == size
	d := &plan.Spec.Dialect
	p := &Preview{Plan: plan, Records: [][]string{}, Selected: []int{}, Warnings: []string{}}
	if d.Header {
		start := 0
		if d.BOM {
			start = 3
		}
		rec, err := firstRecord(head, start, whole, d)
		if err != nil {
			return nil, err
		}
		p.Header = previewCells(rec.fields)
		p.Width = len(p.Header)
	}
	for at := int(plan.Spec.DataStart); len(p.Records) < n && at < len(head); {
		rec, err := firstRecord(head, at, whole, d)
		if errors.Is(err, ErrShortHead) || err == nil && rec.fields == nil {
			break
		}
		if err != nil {
			return nil, err
		}
		p.Records = append(p.Records, previewCells(rec.fields))
		if rec.open >= 0 {
			p.warn("%s", unterminated(int64(rec.open)))
			break
		}
		at = rec.next
	}
	p.measure(head[plan.Spec.DataStart:], whole)
	if err := p.choose(); err != nil {
		return nil, err
	}
	return p, nil
}

// measure counts the records in data, which follows the header, and finds the widest.
func (p *Preview) measure(data []byte, whole bool) {
	var complete, bytes int64
	short := 0
	eachRecord(data, &p.Plan.Spec.Dialect, func(raw []byte, fields int, all bool) bool {
		if all || whole {
			complete++
			bytes += int64(len(raw)) + 1
			if fields < len(p.Header) {
				short++
			}
		}
		p.Width = max(p.Width, fields)
		return true
	})
	p.Rows = complete
	if rest := p.Plan.Spec.Size - p.Plan.Spec.DataStart; !whole && complete > 0 {
		p.Rows = int64(float64(rest) / float64(bytes) * float64(complete))
	} else if !whole {
		p.Rows = 1
	}
	if short > 0 {
		p.warn("%d of the first %d records have fewer fields than the header: their cells count as missing", short, complete)
	}
	if p.Plan.Spec.Size == 0 {
		p.warn("the file is empty")
	}
}

// choose lists the selected columns.
func (p *Preview) choose() error {
	sel := &p.Plan.Spec.Selection
	if len(sel.Numbers) > 0 {
		p.Selected = append(p.Selected, sel.Numbers...)
		if last := sel.Numbers[len(sel.Numbers)-1]; last > p.Width {
			p.warn("column %d is beyond the widest record seen, which has %d fields", last, p.Width)
		}
		return nil
	}
	n := sel.count(p.Width)
	if n > MaxSelected {
		return &FormatError{Code: "too_many_columns", Detail: fmt.Sprintf("%d columns are selected, more than %d", n, MaxSelected)}
	}
	for i := range n {
		p.Selected = append(p.Selected, sel.number(i))
	}
	if n == 0 && p.Width > 0 {
		p.warn("no column is selected: the widest record seen has %d fields", p.Width)
	}
	return nil
}

func (p *Preview) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

// previewCells are fields as text, cut.
func previewCells(fields [][]byte) []string {
	list := make([]string, 0, len(fields))
	for _, f := range fields {
		list = append(list, strings.ToValidUTF8(cut(string(f), previewCell), "\ufffd"))
	}
	return list
}
