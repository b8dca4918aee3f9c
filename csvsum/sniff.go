package csvsum

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"colsum/decimal"
)

// Sniff decides everything about a file of size bytes from its first bytes. Give it HeadBytes, or all of a smaller file;
// on ErrShortHead more of it, up to HeadBytes + RecordLimit. What is guessed rests on the first HeadBytes, however long
// head is. Errors: *OptionError, *FormatError, ErrShortHead.
func Sniff(head []byte, size int64, opt Options) (*Plan, error) {
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	if int64(len(head)) > size {
		head = head[:size]
	}
	if int64(len(head)) < min(size, HeadBytes) {
		return nil, ErrShortHead
	}
	if err := refuseEncoding(head); err != nil {
		return nil, err
	}
	d := Dialect{Quote: opt.quote(), Decimal: opt.decimal(), Comment: opt.comment(), NewlineText: "\n"}
	start := 0
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		d.BOM = true
		start = 3
	}
	sample := head[start:max(start, min(len(head), HeadBytes))]
	if bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(sample, '\r') >= 0 {
		d.Newline, d.NewlineText = NewlineCR, "\r"
	}
	if d.Delimiter = guessDelimiter(sample, int64(start+len(sample)) == size, &d); len(opt.Delimiter) == 1 {
		d.Delimiter = opt.Delimiter[0]
	}
	d.OneColumn = oneColumn(sample, &d)

	whole := int64(len(head)) == size
	rec, err := firstRecord(head, start, whole, &d)
	if err != nil {
		return nil, err
	}
	if rec.newline != "" {
		d.NewlineText = rec.newline
	}
	first, every := opt.Columns.step()
	p := &Plan{Spec: Spec{
		Size:          size,
		DataStart:     int64(start),
		Selection:     Selection{First: first, Every: every},
		FailOnInvalid: opt.Invalid == "fail",
	}}
	if rec.fields != nil && isHeader(opt.Header, rec.fields, d.Decimal) {
		if rec.open >= 0 {
			return nil, formatErrorAt("unterminated_quote", rec.open, unterminated(int64(rec.open)))
		}
		d.Header = true
		p.Spec.DataStart = int64(rec.next)
		p.HeaderWidth = len(rec.fields)
	}
	p.Spec.Dialect = d
	if err := p.selectColumns(opt.Columns.List, rec.fields); err != nil {
		return nil, err
	}
	return p, nil
}

// selectColumns resolves the list and takes over the names of the selected header cells.
func (p *Plan) selectColumns(list []ColumnRef, fields [][]byte) error {
	for _, ref := range list {
		n := ref.Number
		if n == 0 {
			if !p.Spec.Dialect.Header {
				return &FormatError{Code: "unknown_column", Detail: fmt.Sprintf("column %q: the file has no header", cut(ref.Name, 100))}
			}
			for i, f := range fields {
				if string(f) != ref.Name {
					continue
				}
				if n != 0 {
					return &FormatError{Code: "ambiguous_column", Detail: fmt.Sprintf("column %q: the header has it twice, as columns %d and %d", cut(ref.Name, 100), n, i+1)}
				}
				n = i + 1
			}
			if n == 0 {
				return &FormatError{Code: "unknown_column", Detail: fmt.Sprintf("column %q: the header has no such name", cut(ref.Name, 100))}
			}
		}
		p.Spec.Selection.Numbers = append(p.Spec.Selection.Numbers, n)
	}
	slices.Sort(p.Spec.Selection.Numbers)
	p.Spec.Selection.Numbers = slices.Compact(p.Spec.Selection.Numbers)
	if len(list) > 0 {
		p.Spec.Selection.First, p.Spec.Selection.Every = 0, 0
	}
	n := p.Spec.Selection.count(p.HeaderWidth)
	if n > MaxSelected {
		return &FormatError{Code: "too_many_columns", Detail: fmt.Sprintf("the header has %d selected columns, more than %d", n, MaxSelected)}
	}
	for i := range n {
		name := fields[p.Spec.Selection.number(i)-1]
		p.Names = append(p.Names, strings.ToValidUTF8(string(name), "\ufffd"))
	}
	return nil
}

func isHeader(option string, fields [][]byte, point byte) bool {
	switch option {
	case "yes":
		return true
	case "no":
		return false
	}
	some := false
	for _, f := range fields {
		switch decimal.Classify(f, point) {
		case decimal.Numeric:
			return false
		case decimal.Invalid:
			some = true
		}
	}
	return some
}

// record is the first record of a file.
type record struct {
	fields  [][]byte // unquoted; nil if the file has no record
	next    int      // the byte after the record's end
	newline string   // what ended it, "" for the end of the file
	open    int      // where a quote opened that never closes, or -1
}

// firstRecord finds the first record that is neither a blank line nor a comment. head is the whole file if whole is set.
func firstRecord(head []byte, start int, whole bool, d *Dialect) (record, error) {
	a := newAutomaton(d)
	s := RecordStart
	begin, field := start, start
	rec := record{open: -1}
	for i := start; i < len(head); i++ {
		if s == AfterCR && head[i] == '\n' {
			begin, field = i+1, i+1
		}
		step := a.table[s][a.classes[head[i]]]
		commented := s == Comment
		s = step.next
		switch {
		case step.mark == endOfField:
			rec.fields = append(rec.fields, a.unquote(head[field:i], nil))
			field = i + 1
		case step.mark == endOfRecord:
			end := i
			rec.newline = string(head[i : i+1])
			if d.Newline == NewlineLF && end > field && head[end-1] == '\r' {
				end--
				rec.newline = "\r\n"
			}
			if commented || len(rec.fields) == 0 && a.blank(head[begin:end], d.OneColumn) {
				rec.fields = nil
				begin, field = i+1, i+1
				continue
			}
			rec.fields = append(rec.fields, a.unquote(head[field:end], nil))
			rec.next = i + 1
			if d.Newline == NewlineCR {
				// Only the byte after the CR tells whether an LF belongs to it. In the first MiB there is none, so this is
				// a header that reaches beyond it.
				if rec.next == len(head) && !whole {
					return rec, tooShort(head, begin)
				}
				if rec.next < len(head) && head[rec.next] == '\n' {
					rec.next++
					rec.newline = "\r\n"
				}
			}
			return rec, checkLength(i+1-begin, begin)
		}
	}
	if !whole {
		return rec, tooShort(head, begin)
	}
	rec.newline = ""
	rec.next = len(head)
	if between(s) || len(rec.fields) == 0 && a.blank(head[begin:], d.OneColumn) {
		rec.fields = nil
		return rec, nil
	}
	if s == Quoted {
		rec.open = field
	}
	rec.fields = append(rec.fields, a.unquote(head[field:], nil))
	return rec, checkLength(len(head)-begin, begin)
}

// tooShort says that the first record does not end within head, which is not the whole file.
func tooShort(head []byte, begin int) error {
	if err := checkLength(len(head)-begin, begin); err != nil {
		return err
	}
	if len(head) >= HeadBytes+RecordLimit {
		return formatErrorAt("record_too_long", begin, fmt.Sprintf("the first record does not end within the first %d bytes; what begins at byte %d is still open", HeadBytes+RecordLimit, begin))
	}
	return ErrShortHead
}

func checkLength(n, begin int) error {
	if n > RecordLimit {
		return formatErrorAt("record_too_long", begin, tooLong(int64(begin), RecordLimit))
	}
	return nil
}

func formatErrorAt(code string, at int, detail string) *FormatError {
	where := int64(at)
	return &FormatError{Code: code, Detail: detail, Byte: &where}
}

func tooLong(at, limit int64) string {
	return fmt.Sprintf("the record at byte %d is longer than %d bytes", at, limit)
}

func unterminated(at int64) string {
	return fmt.Sprintf("the quote opened at byte %d never closes", at)
}
