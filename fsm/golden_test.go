package fsm

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"colsum/csvsum"
	"colsum/decimal"
)

var update = flag.Bool("update", false, "write the files of testdata anew")

// commands has one command of each kind, every field set to something.
func commands(t testing.TB) map[string]Command {
	t.Helper()
	quote, row, column, offset := "'", int64(7), 3, int64(99)
	all := csvsum.Options{
		Columns: csvsum.Columns{List: []csvsum.ColumnRef{{Number: 3}, {Name: "price"}}},
		Header:  "yes", Delimiter: ";", Quote: &quote, Decimal: ",", Comment: "#", Invalid: "fail", ChunkBytes: 1 << 20,
	}
	plan := csvsum.Plan{
		Spec: csvsum.Spec{
			Size: 1000, DataStart: 10,
			Dialect: csvsum.Dialect{
				Delimiter: ';', Quote: '\'', Decimal: ',', Comment: '#', Newline: csvsum.NewlineCR, NewlineText: "\r",
				BOM: true, Header: true, OneColumn: true,
			},
			Selection:     csvsum.Selection{First: 1, Every: 2, Numbers: []int{3, 70000}},
			FailOnInvalid: true,
			RecordLimit:   1 << 20,
		},
		HeaderWidth: 5,
		Names:       []string{"price", "caf\xc3\xa9"},
	}
	// Made by hand, so that these files do not change with the scanner.
	unknown := csvsum.State(csvsum.Unknown)
	partial := &csvsum.Partial{
		Start: 10, End: 100, Assumed: csvsum.Quoted,
		Ends: [csvsum.NumStates]csvsum.State{csvsum.Quoted, unknown, unknown, csvsum.RecordStart, csvsum.Unquoted, unknown, csvsum.Comment},
		Rows: 9, Width: 300,
		Columns: []csvsum.Column{
			{Sum: sumOf("12345678901234567890.5", "-0.001"), Numeric: 5, Empty: 1, Invalid: 1},
			{Sum: sumOf("1e300", "-1e-300"), Numeric: 9},
			{Invalid: 9},
		},
		Bad: []csvsum.BadCell{{Column: 3, Row: 1, Byte: 50, Text: "n/a \u00e9"}},
	}
	faulty := &csvsum.Partial{
		Start: 100, End: 200,
		Ends:  [csvsum.NumStates]csvsum.State{unknown, unknown, unknown, unknown, unknown, unknown, unknown},
		Fault: &csvsum.Fault{Code: "unterminated_quote", Detail: "a quote that opens at byte 120 never closes", Byte: 120, Row: 1, Column: 3},
	}
	failure := csvsum.DocError{Code: "file_changed", Message: "the file has changed", Byte: &offset, Row: &row, Column: &column}
	return map[string]Command{
		"submit":         &Submit{"0199-w", at(0).Add(123456789), "s3://b/k.csv", all, "key-1", []byte{0, 1, 254, 255}, 100000},
		"submit-minimal": &Submit{ID: "w", Time: at(0), Path: "p"},
		"plan":           &Plan{"0199-w", at(1), plan, "\"etag\"", 100},
		"plan-minimal":   &Plan{ID: "w", Time: at(1), Plan: csvsum.Plan{Spec: csvsum.Spec{Selection: csvsum.Selection{First: 1, Every: 1}}}, Chunk: 1},
		"complete": &Complete{at(2), []Completion{
			{"0199-w", 0, "v1", partial},
			{"0199-w", 1, "v1", faulty},
			{"gone", 5, "", nil},
		}},
		"fail":         &Fail{"0199-w", at(3), failure},
		"fail-minimal": &Fail{ID: "w", Time: at(3), Error: csvsum.DocError{Code: "c"}},
		"cancel":       &Cancel{"0199-w", at(4)},
		"forget":       &Forget{at(5), 12},
		"announce":     &Announce{Node{"n1", "h:5001", "h:5000", "h:5002", "1.0"}},
	}
}

func sumOf(cells ...string) (s decimal.Sum) {
	for _, c := range cells {
		s.AddCell([]byte(c), '.')
	}
	return s
}

// Log entries of every kind stay readable, and are still written as they were.
func TestGoldenEntries(t *testing.T) {
	for name, cmd := range commands(t) {
		t.Run(name, func(t *testing.T) {
			got, err := Encode(cmd)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "entry-v1-"+name+".hex")
			want := golden(t, path, got)
			if !bytes.Equal(got, want) {
				t.Errorf("written otherwise than before:\ngot  %q\nwant %q", got, want)
			}
			back, err := Decode(want)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(normal(t, back), normal(t, cmd)) {
				t.Errorf("read:\ngot  %+v\nwant %+v", back, cmd)
			}
		})
	}
}

// normal clears what only looks different: a decoded sum may hold its value in another way, which its encoding does not show.
func normal(t testing.TB, cmd Command) Command {
	c, ok := cmd.(*Complete)
	if !ok {
		return cmd
	}
	n := &Complete{Time: c.Time}
	for _, d := range c.Done {
		if d.Partial != nil {
			p := *d.Partial
			p.Columns = nil
			for _, col := range d.Partial.Columns {
				b, err := col.Sum.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				if err := col.Sum.UnmarshalBinary(b); err != nil {
					t.Fatal(err)
				}
				p.Columns = append(p.Columns, col)
			}
			d.Partial = &p
		}
		n.Done = append(n.Done, d)
	}
	return n
}

// A snapshot of the first version restores, is written as it was, and its documents stay what they were.
func TestGoldenSnapshot(t *testing.T) {
	want := golden(t, filepath.Join("testdata", "snapshot-v1.hex"), snapshotOf(t, smallState(t)))
	f := open(t)
	if err := restore(f, want); err != nil {
		t.Fatal(err)
	}
	if got := snapshotOf(t, f); !bytes.Equal(got, want) {
		t.Errorf("written otherwise than before:\ngot  %x\nwant %x", got, want)
	}
	var text []byte
	for _, id := range []string{"done", "runs", "q"} {
		d, ok := f.Document(id)
		if !ok {
			t.Fatalf("no document of %s", id)
		}
		text = append(text, asJSON(t, d)+"\n"...)
	}
	path := filepath.Join("testdata", "snapshot-v1.json")
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	docs, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(docs) {
		t.Errorf("documents:\ngot  %s\nwant %s", text, docs)
	}
}

// golden returns the bytes kept at path, in hex lines that a diff can show.
func golden(t testing.TB, path string, got []byte) []byte {
	t.Helper()
	if *update {
		var b strings.Builder
		for i := 0; i < len(got); i += 32 {
			b.WriteString(hex.EncodeToString(got[i:min(i+32, len(got))]) + "\n")
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
