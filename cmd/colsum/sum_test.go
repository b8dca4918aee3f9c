package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const small = "time,a,\"b,c\",d\r\n" +
	"1,0.1,2,x\r\n" +
	"2,0.2,\"3\r\n\",-7e-3\r\n" +
	"\r\n" +
	"3,,1e2\r\n"

func TestSumTable(t *testing.T) {
	path := write(t, "small.csv", small)
	got := mustRun(t, "sum", "--every=1", path)
	for _, want := range []string{
		"3 rows of 4 columns", "0.3", "b,c", "-0.007", "column 4", "row 1", `"x"`, "digest sha256:", "total 108.293",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("table lacks %q:\n%s", want, got)
		}
	}
}

func TestSumJSON(t *testing.T) {
	path := write(t, "small.csv", small)
	d := sumOf(t, "--first=2", "--every=1", path)
	if d.Status != "done" || d.Rows != 3 || d.ColumnsTotal != 4 || d.Error != nil || d.File.Size != int64(len(small)) {
		t.Errorf("got status %s, rows %d, columns %d, error %v, size %d", d.Status, d.Rows, d.ColumnsTotal, d.Error, d.File.Size)
	}
	type row struct {
		column                           int
		name, sum                        string
		numeric, empty, invalid, missing int64
	}
	want := []row{
		{2, "a", "0.3", 2, 1, 0, 0},
		{3, "b,c", "102", 2, 0, 1, 0}, // "3\r\n" is no number: only spaces and tabs are trimmed
		{4, "d", "-0.007", 1, 0, 1, 1},
	}
	if len(d.Results) != len(want) {
		t.Fatalf("got %d results, want %d", len(d.Results), len(want))
	}
	for i, c := range d.Results {
		got := row{c.Column, *c.Name, c.Sum.String(), c.Numeric, c.Empty, c.Invalid, c.Missing}
		if got != want[i] {
			t.Errorf("got %v, want %v", got, want[i])
		}
	}
	if len(d.BadCells) != 2 || d.BadCells[0].Text != "x" || d.BadCells[1].Row != 2 {
		t.Errorf("bad cells %+v", d.BadCells)
	}
}

// A step that begins beyond the widest record selects nothing: a warning, not an error.
func TestSumNothingSelected(t *testing.T) {
	d := sumOf(t, "--first=50", write(t, "small.csv", small))
	if len(d.Results) != 0 || len(d.Warnings) == 0 || d.Total != "0" {
		t.Errorf("got results %v, warnings %q, total %s", d.Results, d.Warnings, d.Total)
	}
}

func TestSumSeveralFiles(t *testing.T) {
	a, b := write(t, "a.csv", "1\n2\n"), write(t, "b.csv", "3\n")
	got := invoke(t, "", nil, "sum", "--json", "--every=1", a, "absent.csv", b)
	if got.code != exitFailed {
		t.Errorf("exit status %d, want %d", got.code, exitFailed)
	}
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if len(lines) != 3 {
		t.Fatalf("got %d lines, want one for each of 3 files:\n%s", len(lines), got.stdout)
	}
	for i, want := range []string{"done 3", "failed 0", "done 3"} {
		d := document(t, lines[i])
		if s := d.Status + " " + d.Total.String(); s != want {
			t.Errorf("file %d: got %s, want %s", i, s, want)
		}
	}
	if d := document(t, lines[1]); d.Error == nil || d.Error.Code != "file_not_found" || d.Results == nil {
		t.Errorf("absent file: got error %+v, results %v", d.Error, d.Results)
	}
}

// The digest is the same whatever the chunk, the number of workers and the way to name the file.
func TestSumDigest(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "random.csv")
	mustRun(t, "generate", "--columns=23", "--rows=20000", "--out", path)
	want := sumOf(t, path)
	if want.Rows != 20000 || want.ColumnsTotal != 24 || len(want.Results) != 2 || want.Progress.TasksTotal != 1+(want.File.Size-1)>>22 {
		t.Fatalf("rows %d, columns %d, results %d, tasks %d", want.Rows, want.ColumnsTotal, len(want.Results), want.Progress.TasksTotal)
	}
	link := filepath.Join(t.TempDir(), "link.csv")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{path, "--chunk=1024"}, {path, "--chunk=65536"}, {path, "--chunk=1000003", "--workers=7"},
		{path, "--chunk=64KiB", "--workers=1"}, {link}, {path, "--columns=col9,20"}, {path, "--header=yes", "--delimiter=,"},
	} {
		got := sumOf(t, args...)
		if got.Digest != want.Digest || got.Total != want.Total {
			t.Errorf("%q: digest %s, total %s, want %s, %s", args, got.Digest, got.Total, want.Digest, want.Total)
		}
	}
}

func TestEnvironment(t *testing.T) {
	path := write(t, "a.csv", "1;2,5;4\n")
	got := invoke(t, "", []string{"COLSUM_EVERY=2", "COLSUM_DELIMITER=;", "COLSUM_DECIMAL=,", "COLSUM_JSON=true", "COLSUM_GENERATE_COLUMNS=7"}, "sum", path)
	if got.code != 0 {
		t.Fatalf("exit status %d: %s", got.code, got.stderr)
	}
	if d := document(t, got.stdout); d.Total != "2.5" {
		t.Errorf("total %s, want 2.5", d.Total)
	}
}

func TestVersion(t *testing.T) {
	var v versionInfo
	if err := json.Unmarshal([]byte(mustRun(t, "version", "--json")), &v); err != nil {
		t.Fatal(err)
	}
	if v.Version == "" || v.Go == "" || v.Kernel == "" {
		t.Errorf("got %+v", v)
	}
	got := invoke(t, "", []string{"COLSUM_KERNEL=portable"}, "version")
	if got.code != 0 || !strings.Contains(got.stdout, "kernel portable") {
		t.Errorf("exit status %d, %q, want the portable kernel", got.code, got.stdout)
	}
}

func TestGenerate(t *testing.T) {
	one := mustRun(t, "generate", "--columns=3", "--rows=40000")
	path := filepath.Join(t.TempDir(), "deep", "er", "a.csv")
	mustRun(t, "generate", "--columns=3", "--rows=40000", "--out", path)
	if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, []byte(one)) {
		t.Errorf("--out and standard output differ (%v)", err)
	}
	if other := mustRun(t, "generate", "--columns=3", "--rows=40000", "--seed=2"); other == one {
		t.Error("another seed gives the same file")
	}
	lines := strings.Split(strings.TrimSuffix(one, "\n"), "\n")
	if len(lines) != 40001 || lines[0] != ",col1,col2,col3" || !strings.HasPrefix(lines[40000], "2020-01-01 11:06:39,") {
		t.Errorf("got %d lines, first %q, last %q", len(lines), lines[0], lines[len(lines)-1])
	}
	d := sumOf(t, "--first=2", "--every=1", path)
	for _, c := range d.Results {
		mean, err := c.Mean.Float64()
		// 40000 uniform numbers: the mean is 0.5 with a deviation of 0.0015.
		if err != nil || c.Numeric != 40000 || mean < 0.49 || mean > 0.51 {
			t.Errorf("column %d: numeric %d, mean %v", c.Column, c.Numeric, mean)
		}
	}
	if got := mustRun(t, "generate", "--columns=1", "--rows=0"); got != ",col1\n" {
		t.Errorf("no rows: got %q", got)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the file: %v, %v", left, err)
	}
}
