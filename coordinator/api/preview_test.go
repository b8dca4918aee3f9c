package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"colsum/coordinator/problem"
)

func TestPreviewFile(t *testing.T) {
	s := newStack(t, 1, nil)
	s.ready()
	n := s.nodes[0]
	s.file("small.csv", small)
	s.file("big.csv", strings.Repeat("1;2,5;'x;y'\n", 200_000))
	s.file("utf16.csv", "\xff\xfe1\x00,\x002\x00\n\x00")
	s.file("dir/x.csv", small)

	var p struct {
		Filepath, Version string
		Size              int
		Dialect           struct{ Delimiter, Quote string }
		ColumnsTotal      int `json:"columns_total"`
		Header            []string
		Records           [][]string
		Selected          []int
		EstimatedRows     int `json:"estimated_rows"`
		Warnings          []string
	}
	a := s.get(n, "/api/preview_file?filepath=small.csv&first=2&every=1")
	a.into(t, &p)
	if a.status != 200 || p.Filepath != "small.csv" || p.Size != len(small) || p.Version == "" || p.Dialect.Delimiter != "," || p.ColumnsTotal != 3 {
		t.Errorf("small: %d %s", a.status, a.body)
	}
	if fmt.Sprint(p.Header, p.Records[0], len(p.Records), p.Selected, p.EstimatedRows) != "[time a b] [0 1.5 x] 3 [2 3] 3" || p.Warnings == nil {
		t.Errorf("small: %s", a.body)
	}
	a = s.get(n, "/api/preview_file?filepath=big.csv&columns=3&quote=%27&decimal=,")
	a.into(t, &p)
	if a.status != 200 || len(p.Records) != 20 {
		t.Fatalf("big: %d %.300s", a.status, a.body)
	}
	if fmt.Sprint(p.Records[19], len(p.Records), p.Selected, p.EstimatedRows) != "[1 2,5 x;y] 20 [3] 200000" || !strings.Contains(a.body, `"header":null`) {
		t.Errorf("big: %.300s", a.body)
	}
	s.get(n, "/api/preview_file?filepath=big.csv&quote=&every=2").into(t, &p)
	if p.ColumnsTotal != 4 || p.Dialect.Quote != "" {
		t.Errorf("an empty quote means none: %d columns, quote %q", p.ColumnsTotal, p.Dialect.Quote)
	}

	for _, row := range []struct {
		query  string
		status int
		code   problem.Code
		want   string
	}{
		{"", 400, problem.BadRequest, "filepath"},
		{"filepath=", 400, problem.BadRequest, "filepath"},
		{"filepath=none.csv", 404, problem.FileNotFound, "none.csv"},
		{"filepath=dir", 400, problem.BadRequest, "dir"},
		{"filepath=../x", 400, problem.BadRequest, "filepath"},
		{"filepath=small.csv&every=0", 400, problem.BadRequest, "every: "},
		{"filepath=small.csv&every=2&every=3", 400, problem.BadRequest, "every: given 2 times"},
		{"filepath=small.csv&columns=2&first=3", 400, problem.BadRequest, "first: give either"},
		{"filepath=small.csv&columns=nope", 400, "unknown_column", "nope"},
		{"filepath=small.csv&delimiter=ab", 400, problem.BadRequest, "delimiter: must be one byte"},
		{"filepath=small.csv&header=maybe", 400, problem.BadRequest, "header: "},
		{"filepath=small.csv&evry=2", 400, problem.BadRequest, "evry"},
		{"filepath=utf16.csv", 400, "unsupported_encoding", "UTF-16"},
	} {
		wantProblem(t, row.query, s.get(n, "/api/preview_file?"+row.query), row.status, row.code, row.want)
	}
}

func TestThePageIsServedBesideTheAPI(t *testing.T) {
	s := newStack(t, 1, func(c *Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "colsum_up 1\n") })
	})
	n := s.nodes[0]
	for path, kind := range map[string]string{"/": "text/html", "/api.js": "text/javascript", "/metrics": "text/plain", "/openapi.json": "application/"} {
		if a := s.get(n, path); a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), kind) || a.body == "" {
			t.Errorf("%s: %d %s", path, a.status, a.header.Get("Content-Type"))
		}
	}
	again := s.do(n, "GET", "/", "", "", "If-None-Match", s.get(n, "/").header.Get("ETag"))
	if again.status != http.StatusNotModified {
		t.Errorf("the page again: %d, want 304", again.status)
	}
	wantProblem(t, "no such file", s.get(n, "/nothing.js"), 404, problem.NotFound, "/nothing.js")
	wantProblem(t, "no such call", s.get(n, "/api/nothing"), 404, problem.NotFound, "/api/nothing")
	wantProblem(t, "POST to the page", s.post(n, "/", "{}"), 405, problem.MethodNotAllowed, "GET")
}
