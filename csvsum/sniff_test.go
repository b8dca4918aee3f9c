package csvsum

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSniff(t *testing.T) {
	list := func(entries ...any) Columns {
		var refs []ColumnRef
		for _, e := range entries {
			n, _ := e.(int)
			name, _ := e.(string)
			refs = append(refs, ColumnRef{Number: n, Name: name})
		}
		return Columns{List: refs}
	}
	every := Columns{First: 1, Every: 1}
	for _, tt := range []struct {
		name, file string
		opt        Options
		want       string // what describe says
	}{
		{"empty", "", Options{}, `"," lf "\n" one at 0, columns 10+10`},
		{"header", "a,b\n1,2\n", Options{}, `"," lf "\n" header 2 at 4, columns 10+10`},
		{"header without an end", "a,b", Options{}, `"," lf "\n" header 2 at 3, columns 10+10`},
		{"no header", "1,b\n1,2\n", Options{}, `"," lf "\n" at 0, columns 10+10`},
		{"all empty", ",\n1,2\n", Options{}, `"," lf "\n" at 0, columns 10+10`},
		{"asked for", "1,2\n3,4\n", Options{Header: "yes", Columns: every}, `"," lf "\n" header 2 at 4, columns 1+1 ["1" "2"]`},
		{"asked not", "a,b\n3,4\n", Options{Header: "no"}, `"," lf "\n" at 0, columns 10+10`},
		{"quoted number", "\"1\",b\n", Options{}, `"," lf "\n" at 0, columns 10+10`},
		{"quoted names", "\"a\"\"\",\" b,c\"\r\n1,2\r\n", Options{Columns: every}, `"," lf "\r\n" header 2 at 14, columns 1+1 ["a\"" " b,c"]`},
		{"names in bad utf-8", "a\xff,b\n", Options{Columns: every}, `"," lf "\n" header 2 at 5, columns 1+1 ["a�" "b"]`},
		{"newline in a name", "\"a\nb\",c\n1,2\n", Options{Columns: every}, `"," lf "\n" header 2 at 8, columns 1+1 ["a\nb" "c"]`},
		{"bom", "\xef\xbb\xbfa,b\n1,2\n", Options{}, `"," lf "\n" bom header 2 at 7, columns 10+10`},
		{"only a bom", "\xef\xbb\xbf", Options{}, `"," lf "\n" one bom at 3, columns 10+10`},
		{"bom without header", "\xef\xbb\xbf1,2\n", Options{}, `"," lf "\n" bom at 3, columns 10+10`},
		{"blank lines first", "\n\r\na,b\n1,2\n", Options{}, `"," lf "\n" header 2 at 7, columns 10+10`},
		{"comments first", "#x,\"y\n\na,b\n", Options{Comment: "#"}, `"," lf "\n" header 2 at 11, columns 10+10`},
		{"only comments", "#x\n#y", Options{Comment: "#"}, `"," lf "\n" one at 0, columns 10+10`},
		{"cr", "a,b\r1,2\r", Options{}, `"," cr "\r" header 2 at 4, columns 10+10`},
		{"semicolon", "a;b\n1,5;2\n3,25;4\n", Options{}, `";" lf "\n" header 2 at 4, columns 10+10`},
		{"decimal comma", "a;b\n1,5;2,5\n3,25;4,5\n", Options{Decimal: ","}, `";" lf "\n" header 2 at 4, columns 10+10`},
		{"tab", "a\tb\n1,2\t3\n4\t5\n", Options{}, `"\t" lf "\n" header 2 at 4, columns 10+10`},
		{"bar", "a|b\n1|2\n", Options{}, `"|" lf "\n" header 2 at 4, columns 10+10`},
		{"more fields win", "a,b|c,d\n1,2|3,4\n", Options{}, `"," lf "\n" header 3 at 8, columns 10+10`},
		{"order decides", "a,b;c\n1,2;3\n", Options{}, `"," lf "\n" header 2 at 6, columns 10+10`},
		{"delimiter within quotes", "\"a,b,c\";d\n\"1,2,3\";4\n", Options{}, `";" lf "\n" header 2 at 10, columns 10+10`},
		{"quote is a candidate", "a;b\n", Options{Quote: ptr(";")}, `"," lf "\n" one header 1 at 4, columns 10+10`},
		{"one column", "a\n1\n\"\"\n", Options{}, `"," lf "\n" one header 1 at 2, columns 10+10`},
		{"given delimiter", "a:b\n1:2\n", Options{Delimiter: ":"}, `":" lf "\n" header 2 at 4, columns 10+10`},
		{"list", "a,b,c\n1,2,3\n", Options{Columns: list("c", 1, 3, 9)}, `"," lf "\n" header 3 at 6, columns [1 3 9] ["a" "c"]`},
		{"list without header", "1,2,3\n", Options{Columns: list(2)}, `"," lf "\n" at 0, columns [2]`},
		{"step of names", "a,b,c,d\n", Options{Columns: Columns{First: 2, Every: 2}}, `"," lf "\n" header 4 at 8, columns 2+2 ["b" "d"]`},
		{"unknown name", "a,b\n", Options{Columns: list("x")}, `unknown_column: column "x": the header has no such name`},
		{"name without header", "1,2\n", Options{Columns: list("x")}, `unknown_column: column "x": the file has no header`},
		{"twice", "a,b,a\n", Options{Columns: list("a")}, `ambiguous_column: column "a": the header has it twice, as columns 1 and 3`},
		{"utf-16", "\xff\xfea\x00", Options{}, `unsupported_encoding: the file begins like UTF-16 text, which is not supported`},
		{"utf-16 be", "\xfe\xff\x00a", Options{}, `unsupported_encoding: the file begins like UTF-16 text, which is not supported`},
		{"utf-32", "\xff\xfe\x00\x00a\x00\x00\x00", Options{}, `unsupported_encoding: the file begins like UTF-32 text, which is not supported`},
		{"gzip", "\x1f\x8b\x08", Options{}, `compressed: the file begins like gzip data, which is not supported`},
		{"zstd", "\x28\xb5\x2f\xfd", Options{}, `compressed: the file begins like zstd data, which is not supported`},
		{"bzip2", "BZh91AY&SY", Options{}, `compressed: the file begins like bzip2 data, which is not supported`},
		{"not bzip2", "BZh9,x\n1,2\n", Options{}, `"," lf "\n" header 2 at 7, columns 10+10`},
		{"xz", "\xfd7zXZ\x00", Options{}, `compressed: the file begins like xz data, which is not supported`},
		{"zip", "PK\x03\x04", Options{}, `compressed: the file begins like a zip archive, which is not supported`},
		{"lz4", "\x04\x22\x4d\x18", Options{}, `compressed: the file begins like lz4 data, which is not supported`},
		{"header never closes", "a,\"b\n1,2\n", Options{}, `unterminated_quote: the quote opened at byte 2 never closes`},
		{"too wide", strings.Repeat("a,", MaxSelected) + "b\n", Options{Columns: every}, `too_many_columns: the header has 65537 selected columns, more than 65536`},
		{"bad option", "a,b\n", Options{Header: "maybe"}, `header: must be one of auto yes no, got "maybe"`},
	} {
		plan, err := Sniff([]byte(tt.file), int64(len(tt.file)), tt.opt)
		if got := describe(plan, err); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func ptr(s string) *string { return &s }

func describe(p *Plan, err error) string {
	var format *FormatError
	if errors.As(err, &format) {
		return format.Code + ": " + format.Detail
	}
	if err != nil {
		return err.Error()
	}
	d := p.Spec.Dialect
	s := fmt.Sprintf("%q %s %q", string(d.Delimiter), []string{"lf", "cr"}[d.Newline], d.NewlineText)
	if d.OneColumn {
		s += " one"
	}
	if d.BOM {
		s += " bom"
	}
	if d.Header {
		s += fmt.Sprintf(" header %d", p.HeaderWidth)
	}
	s += fmt.Sprintf(" at %d, columns ", p.Spec.DataStart)
	if sel := p.Spec.Selection; len(sel.Numbers) > 0 {
		s += fmt.Sprint(sel.Numbers)
	} else {
		s += fmt.Sprintf("%d+%d", sel.First, sel.Every)
	}
	if p.Names != nil {
		s += fmt.Sprintf(" %q", p.Names)
	}
	return s
}

// Where a file is wrong in one place, its document says so in a field of its own too.
func TestSniffSaysWhere(t *testing.T) {
	for _, tt := range []struct {
		file string
		opt  Options
		code string
		at   int64 // -1: no one place
	}{
		{"\n\na,\"b\n1,2\n", Options{}, "unterminated_quote", 4},
		{"\n" + strings.Repeat("a", RecordLimit+1), Options{}, "record_too_long", 1},
		{"a,b\n", Options{Columns: Columns{List: []ColumnRef{{Name: "x"}}}}, "unknown_column", -1},
		{"a,b\n", Options{Quote: new(string), Comment: "long"}, "bad_option", -1},
	} {
		_, err := Sniff([]byte(tt.file), int64(len(tt.file)), tt.opt)
		d := Why(err)
		at := int64(-1)
		if d.Byte != nil {
			at = *d.Byte
		}
		if d.Code != tt.code || at != tt.at {
			t.Errorf("%.20q: got %s at %d, want %s at %d", tt.file, d.Code, at, tt.code, tt.at)
		}
	}
	if d := Why(errors.New("a defect")); d.Code != "internal" || d.Message != "a defect" {
		t.Errorf("got %+v, want an internal error", d)
	}
}

func TestSniffShortHead(t *testing.T) {
	long := []byte(strings.Repeat("a", HeadBytes+5) + ",b\n1,2\n")
	size := int64(len(long))
	for _, n := range []int{0, 100, HeadBytes - 1, HeadBytes, HeadBytes + 7} {
		if _, err := Sniff(long[:n], size, Options{}); !errors.Is(err, ErrShortHead) {
			t.Errorf("head of %d bytes: got %v, want ErrShortHead", n, err)
		}
	}
	// Whatever more is given, the plan is the same.
	want := describe(Sniff(long, size, Options{}))
	for _, n := range []int{HeadBytes + 8, HeadBytes + 10} {
		if got := describe(Sniff(long[:n], size, Options{})); got != want {
			t.Errorf("head of %d bytes: got %.100s, want %.100s", n, got, want)
		}
	}
	endless := []byte("\n" + strings.Repeat("a", HeadBytes+RecordLimit))
	for n, want := range map[int]string{
		HeadBytes:               ErrShortHead.Error(),
		1 + RecordLimit:         ErrShortHead.Error(),
		2 + RecordLimit:         "record_too_long: the record at byte 1 is longer than 16777216 bytes",
		HeadBytes + RecordLimit: "record_too_long: the record at byte 1 is longer than 16777216 bytes",
	} {
		if _, err := Sniff(endless[:n], 1<<40, Options{}); describe(nil, err) != want {
			t.Errorf("head of %d bytes: got %v, want %s", n, err, want)
		}
	}
	comments := []byte(strings.Repeat("#abcdef\n", (HeadBytes+RecordLimit)/8))
	if _, err := Sniff(comments[:HeadBytes], 1<<40, Options{Comment: "#"}); !errors.Is(err, ErrShortHead) {
		t.Errorf("a head of comments: got %v, want ErrShortHead", err)
	}
	if _, err := Sniff(comments, 1<<40, Options{Comment: "#"}); !strings.HasPrefix(describe(nil, err), "record_too_long") {
		t.Errorf("all that may be asked for, and only comments: got %v, want record_too_long", err)
	}
	// A cut between CR and LF must not leave the LF to the data.
	cr := []byte(strings.Repeat("a", HeadBytes+3) + "\r\n1\r\n")
	if _, err := Sniff(cr[:HeadBytes+4], int64(len(cr)), Options{}); !errors.Is(err, ErrShortHead) {
		t.Errorf("head cut between CR and LF: got %v, want ErrShortHead", err)
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		opt  Options
		want string
	}{
		{Options{}, ""},
		{Options{Header: "auto", Delimiter: "auto", Decimal: ".", Invalid: "report", Quote: ptr("")}, ""},
		{Options{Delimiter: "\t", Decimal: ",", Quote: ptr("'"), Comment: "#", Invalid: "fail", Header: "no"}, ""},
		{Options{Columns: Columns{Every: -1}}, "columns.every: must be at least 1, got -1"},
		{Options{Columns: Columns{First: -7}}, "columns.first: must be at least 1, got -7"},
		{Options{Columns: Columns{List: []ColumnRef{{Number: -1}}}}, "columns: must be at least 1, got -1"},
		{Options{Columns: Columns{List: make([]ColumnRef, MaxSelected+1)}}, "columns: must list at most 65536 columns, got 65537"},
		{Options{Header: "Yes"}, `header: must be one of auto yes no, got "Yes"`},
		{Options{Invalid: "ignore"}, `invalid: must be one of report fail, got "ignore"`},
		{Options{Decimal: ";"}, `decimal: must be one of . ,, got ";"`},
		{Options{Delimiter: "::"}, `delimiter: must be one byte, got "::"`},
		{Options{Delimiter: "é"}, `delimiter: must be one byte, got "é"`},
		{Options{Delimiter: "\n"}, `delimiter: must not be a line end or NUL, got "\n"`},
		{Options{Quote: ptr("\x00")}, `quote: must not be a line end or NUL, got "\x00"`},
		{Options{Quote: ptr("5")}, `quote: must not be a byte of a number, got "5"`},
		{Options{Quote: ptr("-")}, `quote: must not be a byte of a number, got "-"`},
		{Options{Delimiter: "5", Comment: "-"}, ""},
		{Options{Comment: "//"}, `comment: must be one byte, got "//"`},
		{Options{Delimiter: "."}, `delimiter: must differ from decimal, got "." for both`},
		{Options{Delimiter: ",", Decimal: ","}, `delimiter: must differ from decimal, got "," for both`},
		{Options{Delimiter: "\""}, `quote: must differ from delimiter, got "\"" for both`},
		{Options{Comment: "\""}, `comment: must differ from quote, got "\"" for both`},
		{Options{Delimiter: "#", Comment: "#"}, `comment: must differ from delimiter, got "#" for both`},
		{Options{ChunkBytes: -1}, "chunk_bytes: must be at least 0, got -1"},
	} {
		got := ""
		if err := tt.opt.Validate(); err != nil {
			got = err.Error()
			var option *OptionError
			if !errors.As(err, &option) {
				t.Errorf("%+v: %T, want *OptionError", tt.opt, err)
			}
		}
		if got != tt.want {
			t.Errorf("%+v: got %s, want %s", tt.opt, got, tt.want)
		}
	}
}

func TestColumnsJSON(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{}`, `{}`},
		{`null`, `{}`},
		{`{"first":2,"every":10}`, `{"first":2,"every":10}`},
		{`{"every":3}`, `{"every":3}`},
		{`[3, "price", 3]`, `[3,"price",3]`},
		{`["3"]`, `["3"]`},
		{`{"every":0}`, "columns.every: must be at least 1, got 0"},
		{`{"first":-1}`, "columns.first: must be at least 1, got -1"},
		{`{"first":1.5}`, "columns.first: must be a whole number of at least 1, got 1.5"},
		{`{"first":"1"}`, `columns.first: must be a whole number of at least 1, got "1"`},
		{`{"step":1}`, `columns: must have no members but first and every, got "step"`},
		{`[]`, "columns: must list at least 1 column, got 0"},
		{`[0]`, "columns: must be at least 1, got 0"},
		{`[1.5]`, "columns: must list whole numbers and names, got 1.5"},
		{`{"first":1,"first":2}`, "columns.first: given twice"},
		{`{"first":99999999999999999999}`, "columns.first: must be at most 9223372036854775807, got 99999999999999999999"},
		{`[-99999999999999999999]`, "columns: must be at least 1, got -99999999999999999999"},
		{`[null]`, "columns: must list whole numbers and names, got null"},
		{`5`, `columns: must be {"first":N,"every":N} or a list of numbers and names, got 5`},
	} {
		var opt Options
		got := ""
		if err := json.Unmarshal([]byte(`{"columns":`+tt.in+`}`), &opt); err != nil {
			got = err.Error()
		} else if b, err := json.Marshal(opt.Columns); err != nil {
			t.Fatal(err)
		} else {
			got = string(b)
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestTaskRange(t *testing.T) {
	spec := Spec{Size: 10, DataStart: 4}
	var got []string
	for i := range Tasks(spec.Size, 3) {
		start, end := spec.TaskRange(i, 3)
		got = append(got, fmt.Sprintf("%d-%d", start, end))
	}
	if want := []string{"4-4", "4-6", "6-9", "9-10"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := Tasks(0, 5); n != 1 {
		t.Errorf("an empty file has %d tasks, want 1", n)
	}
	for _, tt := range []struct {
		size   int64
		slots  int
		lo, hi int64
	}{{0, 2, 1, 1}, {1 << 20, 8, 1, 1}, {6 << 30, 2, 90, 100}, {1 << 40, 100, 16384, 16384}, {64 << 40, 100, 900_000, 1_000_000}} {
		if n := Tasks(tt.size, AutoChunk(tt.size, tt.slots)); n < tt.lo || n > tt.hi {
			t.Errorf("%d bytes for %d slots: %d tasks, want %d to %d", tt.size, tt.slots, n, tt.lo, tt.hi)
		}
	}
}
