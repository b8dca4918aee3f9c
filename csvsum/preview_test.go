package csvsum

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestLook(t *testing.T) {
	step := func(first, every int) Options { return Options{Columns: Columns{First: first, Every: every}} }
	for _, tt := range []struct {
		name, file string
		opt        Options
		header     []string
		records    [][]string
		width      int
		selected   []int
		rows       int64
		warnings   []string
	}{
		{name: "empty", file: "", opt: step(1, 1), records: [][]string{}, selected: []int{}, warnings: []string{"the file is empty"}},
		{
			name: "header and quotes", file: "a,\"b\"\"c\",d\r\n1,\"2\n3\",4\r\n\r\n5,6,7", opt: step(2, 1),
			header: []string{"a", `b"c`, "d"}, records: [][]string{{"1", "2\n3", "4"}, {"5", "6", "7"}}, width: 3, selected: []int{2, 3}, rows: 2,
		},
		{
			name: "ragged", file: "a,b\n1\n1,2,3\n", opt: step(1, 2), header: []string{"a", "b"}, records: [][]string{{"1"}, {"1", "2", "3"}},
			width: 3, selected: []int{1, 3}, rows: 2, warnings: []string{"1 of the first 2 records have fewer fields"},
		},
		{
			name: "list beyond the width", file: "1,2\n", opt: Options{Columns: Columns{List: []ColumnRef{{Number: 9}, {Number: 1}}}},
			records: [][]string{{"1", "2"}}, width: 2, selected: []int{1, 9}, rows: 1, warnings: []string{"column 9 is beyond"},
		},
		{
			name: "nothing selected", file: "1,2\n3,4\n", records: [][]string{{"1", "2"}, {"3", "4"}}, width: 2, selected: []int{}, rows: 2,
			warnings: []string{"no column is selected"},
		},
		{
			name: "comments, CR, BOM", file: "\xef\xbb\xbf#x\rp;q\r1,5;2\r", opt: Options{Comment: "#", Decimal: ",", Columns: Columns{Every: 2}},
			header: []string{"p", "q"}, records: [][]string{{"1,5", "2"}}, width: 2, selected: []int{2}, rows: 1,
		},
		{
			name: "a quote that never closes", file: "1,2\n3,\"4\n", opt: step(1, 1), records: [][]string{{"1", "2"}, {"3", "4\n"}}, width: 2,
			selected: []int{1, 2}, rows: 2, warnings: []string{"byte 6 never closes"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Look([]byte(tt.file), int64(len(tt.file)), tt.opt, 20)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(p.Header, tt.header) || !reflect.DeepEqual(p.Records, tt.records) {
				t.Errorf("header %q, records %q, want %q, %q", p.Header, p.Records, tt.header, tt.records)
			}
			if p.Width != tt.width || !reflect.DeepEqual(p.Selected, tt.selected) || p.Rows != tt.rows {
				t.Errorf("width %d, selected %v, rows %d, want %d, %v, %d", p.Width, p.Selected, p.Rows, tt.width, tt.selected, tt.rows)
			}
			if len(p.Warnings) != len(tt.warnings) {
				t.Fatalf("warnings %q, want %q", p.Warnings, tt.warnings)
			}
			for i, w := range tt.warnings {
				if !strings.Contains(p.Warnings[i], w) {
					t.Errorf("warning %q, want %q in it", p.Warnings[i], w)
				}
			}
		})
	}
}

// A head that is not the whole file gives complete records only, and rows in proportion.
func TestLookAtTheHeadOfABigFile(t *testing.T) {
	line := "12345678,2\n" // 11 bytes
	size := int64(len(line)) * 1_000_000
	head := []byte(strings.Repeat(line, HeadBytes/len(line)+1)[:HeadBytes])
	p, err := Look(head, size, Options{}, 20)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Records) != 20 || p.Rows != 1_000_000 {
		t.Errorf("%d records, about %d rows, want 20 and 1000000", len(p.Records), p.Rows)
	}
	if _, err := Look(head[:100], size, Options{}, 20); !errors.Is(err, ErrShortHead) {
		t.Errorf("short head: %v, want ErrShortHead", err)
	}
	long := "a," + strings.Repeat("x", 5000) + "\n"
	if p, err := Look([]byte(long), int64(len(long)), Options{}, 20); err != nil || len(p.Header[1]) > 210 {
		t.Errorf("a long cell is not cut: %v", err)
	}
}
