package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"colsum/coordinator/problem"
	"colsum/csvsum"
)

const small = "time,a,b\n0,1.5,x\n1,2.25,7\n2,0.0000000000000000000001,\n"

func TestAWorkFromSubmitToResult(t *testing.T) {
	s := newStack(t, 1, nil)
	s.ready()
	s.work()
	n := s.nodes[0]
	s.file("small.csv", small)

	for _, row := range []struct{ name, contentType, body string }{
		{"JSON", "application/json", `{"filepath":"small.csv","columns":{"first":2,"every":1}}`},
		{"JSON, flat, strings", "application/json", `{"filepath":"small.csv","first":"2","every":"1"}`},
		{"JSON, list", "application/json; charset=utf-8", `{"filepath":"small.csv","columns":["a",3],"quote":"","comment":null}`},
		{"JSON without a type", "", `{"filepath":"small.csv","columns":"2,b"}`},
		{"JSON under a form's type", formType, `{"filepath":"small.csv","columns":"[2,3]"}`},
		{"form", formType, "filepath=small.csv&first=2&every=1&header=yes&delimiter=%2C&chunk_bytes=7"},
		{"form, list", formType, "filepath=small.csv&columns=a,b&invalid=report&decimal=.&quote=%22"},
		{"form, JSON within", formType, `filepath=small.csv&columns={"first":2,"every":1}&chunk_bytes=auto`},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := s.do(n, "POST", "/api/schedule_work", row.contentType, row.body)
			var w struct {
				WorkID string `json:"work_id"`
			}
			a.into(t, &w)
			if a.status != http.StatusAccepted {
				t.Fatalf("schedule_work: %d %s", a.status, a.body)
			}
			got := s.get(n, "/api/get_result/"+w.WorkID+"?wait=50s")
			var doc struct {
				Status  string
				Rows    json.Number
				Results []struct {
					Column                           int
					Name                             string
					Sum                              json.Number
					Numeric, Empty, Invalid, Missing int
				}
				BadCells []any `json:"bad_cells"`
				Warnings []string
				Total    json.Number
				Digest   string
			}
			got.into(t, &doc)
			if got.status != 200 || doc.Status != "done" || doc.Rows != "3" || len(doc.Results) != 2 || doc.Warnings == nil {
				t.Fatalf("result: %d %s", got.status, got.body)
			}
			a0, b0 := doc.Results[0], doc.Results[1]
			if a0.Column != 2 || a0.Name != "a" || a0.Sum != "3.7500000000000000000001" || a0.Numeric != 3 {
				t.Errorf("column a: %+v", a0)
			}
			if b0.Column != 3 || b0.Sum != "7" || b0.Numeric != 1 || b0.Empty != 1 || b0.Invalid != 1 || len(doc.BadCells) != 1 {
				t.Errorf("column b: %+v", b0)
			}
			if doc.Total != "10.7500000000000000000001" || !strings.HasPrefix(doc.Digest, "sha256:") {
				t.Errorf("total %s, digest %s", doc.Total, doc.Digest)
			}
			if strings.Contains(got.body, "$schema") {
				t.Error("the document has a member of the framework's")
			}
		})
	}
}

func TestListsAndCounts(t *testing.T) {
	s := newStack(t, 1, nil) // no worker: what is planned stays running
	s.ready()
	n := s.nodes[0]
	for _, f := range []string{"a.csv", "b/1.csv", "b/2.csv"} {
		s.file(f, small)
	}
	var files struct {
		Files []struct {
			Path string
			Size int
			Time int64
		}
		Next *string
	}
	s.get(n, "/api/list_files?limit=2").into(t, &files)
	if len(files.Files) != 2 || files.Files[0].Path != "a.csv" || files.Files[0].Size != len(small) || files.Files[0].Time == 0 || files.Next == nil {
		t.Fatalf("first page: %+v", files)
	}
	s.get(n, "/api/list_files?limit=2&after="+*files.Next).into(t, &files)
	if len(files.Files) != 1 || files.Files[0].Path != "b/2.csv" || files.Next != nil {
		t.Errorf("second page: %+v", files)
	}
	if a := s.get(n, "/api/list_files?prefix=c"); !strings.Contains(a.body, `"files":[]`) || !strings.Contains(a.body, `"next":null`) {
		t.Errorf("nothing found: %s", a.body)
	}

	type list struct {
		InProgress int `json:"in_progress"`
		Counts     map[string]int
		Tasks      map[string]int
		Works      []struct {
			WorkID   string `json:"work_id"`
			Filepath string
			Status   string
		}
		Next *string
	}
	var none list
	a := s.get(n, "/api/list_works")
	a.into(t, &none)
	if none.InProgress != 0 || len(none.Counts) != 5 || len(none.Tasks) != 3 || !strings.Contains(a.body, `"works":[]`) {
		t.Errorf("no works: %s", a.body)
	}
	var ids []string
	for range 3 {
		ids = append(ids, s.submit(n, `{"filepath":"a.csv","chunk_bytes":10}`))
	}
	var got list
	s.get(n, "/api/list_works?limit=2").into(t, &got)
	if got.InProgress != 3 || len(got.Works) != 2 || got.Works[0].WorkID != ids[2] || got.Works[0].Filepath != "a.csv" || got.Next == nil {
		t.Fatalf("first page: %+v, want the newest of %v first", got, ids)
	}
	got.Works = nil
	s.get(n, "/api/list_works?limit=2&after="+*got.Next).into(t, &got)
	if len(got.Works) != 1 || got.Works[0].WorkID != ids[0] || got.Next != nil {
		t.Errorf("second page: %+v", got)
	}

	for range 2 { // the second time changes nothing
		if a := s.post(n, "/api/cancel_work/"+ids[1], ""); a.status != 200 || !strings.Contains(a.body, `"cancelled"`) {
			t.Errorf("cancel: %d %s", a.status, a.body)
		}
	}
	got.Works = nil
	s.get(n, "/api/list_works?status=cancelled").into(t, &got)
	if got.InProgress != 2 || got.Counts["cancelled"] != 1 || len(got.Works) != 1 || got.Works[0].WorkID != ids[1] {
		t.Errorf("after cancel: %+v", got)
	}
	for _, row := range [][2]string{{`{"max_age":1200}`, `{"removed":0}`}, {`{"max_age":"0"}`, `{"removed":1}`}} {
		if a := s.post(n, "/api/clean_works", row[0]); a.status != 200 || strings.TrimSpace(a.body) != row[1] {
			t.Errorf("clean %s: %d %s, want %s", row[0], a.status, a.body, row[1])
		}
	}
	wantProblem(t, "cleaned work", s.get(n, "/api/get_result/"+ids[1]), 404, problem.UnknownWork, ids[1])
}

// Whatever a client says it accepts, it is given JSON.
func TestAccept(t *testing.T) {
	s := newStack(t, 1, nil)
	s.ready()
	for _, accept := range []string{"text/html", "application/cbor", "application/json;q=0", "garbage;;;,,", ";q=", ""} {
		a := s.do(s.nodes[0], "GET", "/api/list_works", "", "", "Accept", accept)
		if a.status != 200 || !json.Valid([]byte(a.body)) {
			t.Errorf("accept %q: got %d %.100s, want JSON", accept, a.status, a.body)
		}
	}
}

func TestBadRequestsNameFieldAndBound(t *testing.T) {
	s := newStack(t, 1, nil)
	s.ready()
	n := s.nodes[0]
	s.file("a.csv", small)
	s.file("dir/b.csv", small)
	outside := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(outside, []byte(small), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(s.dir, "link.csv")); err != nil {
		t.Fatal(err)
	}
	const post, get, j = "POST", "GET", "application/json"
	schedule := "/api/schedule_work"
	for _, row := range []struct {
		name, method, path, contentType, body string
		status                                int
		code                                  problem.Code
		want                                  string
	}{
		{"no body", post, schedule, j, "", 400, problem.BadRequest, "filepath: required"},
		{"no filepath", post, schedule, j, `{}`, 400, problem.BadRequest, "filepath: required"},
		{"no filepath in a form", post, schedule, formType, "every=2", 400, problem.BadRequest, "filepath: required"},
		{"filepath a number", post, schedule, j, `{"filepath":5}`, 400, problem.BadRequest, "filepath: must be a string, got 5"},
		{"filepath too long", post, schedule, j, `{"filepath":"` + strings.Repeat("x", 5000) + `"}`, 400, problem.BadRequest, "filepath: must be at most 4096 bytes, got 5000"},
		{"unknown option", post, schedule, j, `{"filepath":"a.csv","evry":2}`, 400, problem.BadRequest, "evry: unknown field"},
		{"unknown option in a form", post, schedule, formType, "filepath=a.csv&evry=2", 400, problem.BadRequest, "evry: unknown field"},
		{"unknown query parameter", post, schedule + "?every=2", j, `{"filepath":"a.csv"}`, 400, problem.BadRequest, "every: unknown query parameter"},
		{"every 0", post, schedule, j, `{"filepath":"a.csv","columns":{"every":0}}`, 400, problem.BadRequest, "columns.every: must be at least 1, got 0"},
		{"every 0, flat", post, schedule, j, `{"filepath":"a.csv","every":0}`, 400, problem.BadRequest, "every: must be at least 1, got 0"},
		{"every 0 in a form", post, schedule, formType, "filepath=a.csv&every=0", 400, problem.BadRequest, "every: must be at least 1, got 0"},
		{"first -1", post, schedule, j, `{"filepath":"a.csv","first":"-1"}`, 400, problem.BadRequest, "first: must be at least 1, got -1"},
		{"every ten", post, schedule, j, `{"filepath":"a.csv","every":"ten"}`, 400, problem.BadRequest, `every: must be a whole number of at least 1, got "ten"`},
		{"every 1.5", post, schedule, j, `{"filepath":"a.csv","every":1.5}`, 400, problem.BadRequest, "every: must be a whole number of at least 1, got 1.5"},
		{"every huge", post, schedule, j, `{"filepath":"a.csv","every":99999999999}`, 400, problem.BadRequest, "every: must be at most 2147483647"},
		{"columns and every", post, schedule, j, `{"filepath":"a.csv","every":2,"columns":[1]}`, 400, problem.BadRequest, "every: give either columns or"},
		{"column 0", post, schedule, j, `{"filepath":"a.csv","columns":[0]}`, 400, problem.BadRequest, "columns"},
		{"column 0 in a list", post, schedule, formType, `filepath=a.csv&columns=0,price`, 400, problem.BadRequest, "columns: numbers must be at least 1, got 0"},
		{"empty item", post, schedule, formType, `filepath=a.csv&columns=1,,2`, 400, problem.BadRequest, "columns: must be a list such as 3,price"},
		{"columns of another kind", post, schedule, j, `{"filepath":"a.csv","columns":true}`, 400, problem.BadRequest, "columns: must be"},
		{"unknown member of columns", post, schedule, j, `{"filepath":"a.csv","columns":{"step":2}}`, 400, problem.BadRequest, `"step"`},
		{"step given twice", post, schedule, j, `{"filepath":"a.csv","columns":{"first":1,"first":2}}`, 400, problem.BadRequest, "columns.first: given twice"},
		{"column too large", post, schedule, j, `{"filepath":"a.csv","columns":[99999999999999999999]}`, 400, problem.BadRequest, "columns: must be at most 9223372036854775807, got 99999999999999999999"},
		{"column too large in a form", post, schedule, formType, `filepath=a.csv&columns=99999999999999999999`, 400, problem.BadRequest, "columns: numbers must be from 1 to 9223372036854775807"},
		{"columns not JSON", post, schedule, formType, `filepath=a.csv&columns=[1`, 400, problem.BadRequest, "columns: must be JSON"},
		{"quote of numbers", post, schedule, j, `{"filepath":"a.csv","quote":"5"}`, 400, problem.BadRequest, `quote: must not be a byte of a number, got "5"`},
		{"delimiter of two bytes", post, schedule, j, `{"filepath":"a.csv","delimiter":"||"}`, 400, problem.BadRequest, "delimiter: must be"},
		{"delimiter not ASCII", post, schedule, j, `{"filepath":"a.csv","delimiter":"§"}`, 400, problem.BadRequest, "delimiter: must be"},
		{"quote = delimiter", post, schedule, j, `{"filepath":"a.csv","delimiter":";","quote":";"}`, 400, problem.BadRequest, "quote"},
		{"decimal", post, schedule, j, `{"filepath":"a.csv","decimal":"x"}`, 400, problem.BadRequest, "decimal: must be"},
		{"header", post, schedule, j, `{"filepath":"a.csv","header":true}`, 400, problem.BadRequest, "header: must be a string, got true"},
		{"header word", post, schedule, j, `{"filepath":"a.csv","header":"maybe"}`, 400, problem.BadRequest, "header: must be"},
		{"invalid word", post, schedule, j, `{"filepath":"a.csv","invalid":"skip"}`, 400, problem.BadRequest, "invalid: must be"},
		{"chunk_bytes 0", post, schedule, j, `{"filepath":"a.csv","chunk_bytes":0}`, 400, problem.BadRequest, "chunk_bytes: must be at least 1, got 0"},
		{"not JSON", post, schedule, j, `{"filepath":`, 400, problem.BadRequest, "body: not a JSON object: it ends too early"},
		{"not JSON in the middle", post, schedule, j, `{"filepath":"a.csv",}`, 400, problem.BadRequest, "body: not a JSON object: wrong at byte 20"},
		{"a list", post, schedule, j, `["a.csv"]`, 400, problem.BadRequest, "body: not a JSON object"},
		{"two objects", post, schedule, j, `{"filepath":"a.csv"}{}`, 400, problem.BadRequest, "body: not a JSON object"},
		{"field twice", post, schedule, j, `{"filepath":"a.csv","filepath":"b.csv"}`, 400, problem.BadRequest, "filepath: given twice"},
		{"form field twice", post, schedule, formType, `filepath=a.csv&filepath=b.csv`, 400, problem.BadRequest, "filepath: given 2 times"},
		{"form damaged", post, schedule, formType, `filepath=%zz`, 400, problem.BadRequest, `body: not a form: "%zz" is no percent-encoded byte`},
		{"XML", post, schedule, "application/xml", `<x/>`, 415, problem.UnsupportedMedia, "application/xml"},
		{"body over 1 MiB", post, schedule, j, `{"filepath":"` + strings.Repeat("x", MaxBody) + `"}`, 413, problem.BodyTooLarge, "at most 1048576 bytes"},
		{"path with ..", post, schedule, j, `{"filepath":"../secret.csv"}`, 400, problem.BadRequest, "filepath: "},
		{"path with .. inside", post, schedule, j, `{"filepath":"dir/../../secret.csv"}`, 400, problem.BadRequest, "filepath: "},
		{"link out of the root", post, schedule, j, `{"filepath":"link.csv"}`, 400, problem.BadRequest, "filepath: "},
		{"absent file", post, schedule, j, `{"filepath":"nothing.csv"}`, 404, problem.FileNotFound, "nothing.csv"},
		{"directory", post, schedule, j, `{"filepath":"dir"}`, 400, problem.BadRequest, "directory"},
		{"file outside of the roots", post, schedule, j, `{"filepath":"file://` + outside + `"}`, 400, problem.BadRequest, "filepath: "},

		{"unknown work", get, "/api/get_result/nope", "", "", 404, problem.UnknownWork, `"nope"`},
		{"unknown work, waiting", get, "/api/get_result/nope?wait=60", "", "", 404, problem.UnknownWork, `"nope"`},
		{"unknown work, stale", get, "/api/get_result/nope?consistency=stale", "", "", 404, problem.UnknownWork, `"nope"`},
		{"work id too long", get, "/api/get_result/" + strings.Repeat("x", 100), "", "", 400, problem.BadRequest, "work_id: expected length <= 64"},
		{"wait -1", get, "/api/get_result/x?wait=-1", "", "", 400, problem.BadRequest, "wait: must be at least 0, got -1"},
		{"wait -1s", get, "/api/get_result/x?wait=-1s", "", "", 400, problem.BadRequest, "wait: must be at least 0, got -1s"},
		{"wait soon", get, "/api/get_result/x?wait=soon", "", "", 400, problem.BadRequest, `wait: must be a duration such as 30s, or seconds, got "soon"`},
		{"wait NaN", get, "/api/get_result/x?wait=NaN", "", "", 400, problem.BadRequest, `wait: must be a duration`},
		{"cancel unknown", post, "/api/cancel_work/nope", "", "", 404, problem.UnknownWork, `"nope"`},
		{"cancel with a field", post, "/api/cancel_work/nope", j, `{"why":1}`, 400, problem.BadRequest, "why: unknown field; this call takes none"},
		{"consistency", get, "/api/get_result/x?consistency=strong", "", "", 400, problem.BadRequest, `consistency: expected value to be one of "stale", got "strong"`},
		{"consistency of a list", get, "/api/list_works?consistency=1", "", "", 400, problem.BadRequest, "consistency: expected"},
		{"consistency of the cluster", get, "/api/cluster?consistency=x", "", "", 400, problem.BadRequest, "consistency: expected"},
		{"limit -1", get, "/api/list_works?limit=-1", "", "", 400, problem.BadRequest, "limit: expected number >= 1, got -1"},
		{"limit 0", get, "/api/list_works?limit=0", "", "", 400, problem.BadRequest, "limit: expected number >= 1, got 0"},
		{"limit too big", get, "/api/list_files?limit=1001", "", "", 400, problem.BadRequest, "limit: expected number <= 1000, got 1001"},
		{"limit x", get, "/api/list_files?limit=x", "", "", 400, problem.BadRequest, "limit: invalid integer"},
		{"status", get, "/api/list_works?status=asleep", "", "", 400, problem.BadRequest, `status: expected value to be one of "queued, running, done, failed, cancelled"`},
		{"query damaged", get, "/api/list_works?limit=%zz", "", "", 400, problem.BadRequest, `query: "%zz" is no percent-encoded byte`},
		{"query with a semicolon", get, "/api/list_works?limit=1;status=done", "", "", 400, problem.BadRequest, "query: a semicolon has to be written as %3B"},
		{"parameter given twice", get, "/api/list_works?status=done&status=failed", "", "", 400, problem.BadRequest, "status: given 2 times"},
		{"unknown parameter", get, "/api/list_works?limt=1", "", "", 400, problem.BadRequest, "limt: unknown query parameter"},
		{"prefix with ..", get, "/api/list_files?prefix=../", "", "", 400, problem.BadRequest, "prefix: "},
		{"max_age missing", post, "/api/clean_works", j, `{}`, 400, problem.BadRequest, "max_age: required"},
		{"max_age -1", post, "/api/clean_works", j, `{"max_age":-1}`, 400, problem.BadRequest, "max_age: must be at least 0, got -1"},
		{"max_age huge", post, "/api/clean_works", formType, `max_age=99999999999999999999`, 400, problem.BadRequest, "max_age: must be at most"},
		{"unknown path", get, "/api/nothing", "", "", 404, problem.NotFound, "/api/nothing"},
		{"unknown path, any method", "PATCH", "/nothing", "", "", 404, problem.NotFound, "no such path: /"},
		{"wrong method", get, schedule, "", "", 405, problem.MethodNotAllowed, "takes POST, not GET"},
		{"wrong method of a read", "DELETE", "/api/list_works", "", "", 405, problem.MethodNotAllowed, "takes GET, HEAD, not DELETE"},
	} {
		a := s.do(n, row.method, row.path, row.contentType, row.body)
		wantProblem(t, row.name, a, row.status, row.code, row.want)
		if row.status == 405 && a.header.Get("Allow") == "" {
			t.Errorf("%s: no Allow header", row.name)
		}
	}
	long := s.post(n, schedule, `{"filepath":"a.csv"}`, "Idempotency-Key", strings.Repeat("k", 256))
	wantProblem(t, "long key", long, 400, problem.BadRequest, "Idempotency-Key: expected length <= 255")
	var works struct {
		Counts map[string]int
	}
	s.get(n, "/api/list_works").into(t, &works)
	for status, count := range works.Counts {
		if count != 0 {
			t.Errorf("%d works are %s though every request was refused", count, status)
		}
	}
}

func TestIdempotencyKey(t *testing.T) {
	s := newStack(t, 1, nil)
	s.ready()
	n := s.nodes[0]
	s.file("a.csv", small)
	id := s.submit(n, `{"filepath":"a.csv","every":2}`, "Idempotency-Key", "k1")
	if again := s.submit(n, `{"every":"2","filepath":"a.csv"}`, "Idempotency-Key", "k1"); again != id {
		t.Errorf("same key, same request: got work %s, want %s", again, id)
	}
	if other := s.submit(n, `{"filepath":"a.csv","every":2}`, "Idempotency-Key", "k2"); other == id {
		t.Error("another key gave the same work")
	}
	a := s.post(n, "/api/schedule_work", `{"filepath":"a.csv","every":3}`, "Idempotency-Key", "k1")
	wantProblem(t, "same key, other request", a, 409, problem.KeyConflict, "Idempotency-Key")
}

// One request sent to every node at once, several times over, is one work.
func TestOneKeyAtAllNodesAtOnce(t *testing.T) {
	s := newStack(t, 3, nil)
	s.ready()
	s.file("a.csv", small)
	for round := range 10 {
		answers := make([]answer, 9)
		var group sync.WaitGroup
		for i := range answers {
			group.Go(func() {
				var err error
				answers[i], err = s.try(s.nodes[i%3], "POST", "/api/schedule_work", "application/json", `{"filepath":"a.csv"}`, "Idempotency-Key", fmt.Sprint("k", round))
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		for _, a := range answers {
			if a.status != http.StatusAccepted || a.body != answers[0].body {
				t.Errorf("round %d: got %d %s, want %s", round, a.status, a.body, answers[0].body)
			}
		}
	}
	for _, n := range s.nodes {
		var list struct {
			InProgress int `json:"in_progress"`
		}
		s.get(n, "/api/list_works").into(t, &list)
		if list.InProgress != 10 {
			t.Errorf("%s: %d works, want 10", n.id, list.InProgress)
		}
	}
}

// A long poll ends when its work does, when its time is up, and when the server is told to end.
func TestLongPoll(t *testing.T) {
	s := newStack(t, 1, func(c *Config) { c.MaxWait = time.Second })
	s.ready()
	n := s.nodes[0]
	s.file("a.csv", small)
	id := s.submit(n, `{"filepath":"a.csv"}`)
	var doc struct{ Status string }
	s.get(n, "/api/get_result/"+id+"?wait=0.01").into(t, &doc)
	if doc.Status != "queued" && doc.Status != "running" {
		t.Errorf("status %s when the time was up, want it unfinished", doc.Status)
	}
	s.get(n, "/api/get_result/"+id+"?wait=9999h").into(t, &doc) // MaxWait caps it
	if doc.Status != "queued" && doc.Status != "running" {
		t.Errorf("status %s when the longest wait was over, want it unfinished", doc.Status)
	}
}

func TestLongPollEndsWithTheWorkAndWithTheServer(t *testing.T) {
	s := newStack(t, 1, nil)
	s.ready()
	n := s.nodes[0]
	s.file("a.csv", small)
	poll := func(id string) <-chan answer {
		got := make(chan answer, 1)
		go func() {
			a, err := s.try(n, "GET", "/api/get_result/"+id+"?wait=10m", "", "")
			if err != nil {
				a.body = err.Error()
			}
			got <- a
		}()
		return got
	}
	cancelled, open := s.submit(n, `{"filepath":"a.csv"}`), s.submit(n, `{"filepath":"a.csv"}`)
	first, second := poll(cancelled), poll(open)
	if a := s.post(n, "/api/cancel_work/"+cancelled, ""); a.status != 200 {
		t.Fatalf("cancel: %d %s", a.status, a.body)
	}
	var doc struct{ Status string }
	(<-first).into(t, &doc)
	if doc.Status != "cancelled" {
		t.Errorf("status %s after the work was cancelled", doc.Status)
	}
	n.stop() // returns only when every request is answered
	a := <-second
	a.into(t, &doc)
	if a.status != 200 || (doc.Status != "running" && doc.Status != "queued") {
		t.Errorf("at the server's end: %d %s", a.status, a.body)
	}
}

func TestClusterAndHealth(t *testing.T) {
	s := newStack(t, 3, nil)
	lead := s.ready()
	s.work()
	s.file("a.csv", small)
	id := s.submit(s.nodes[0], `{"filepath":"a.csv"}`)
	s.get(s.nodes[0], "/api/get_result/"+id+"?wait=50s") // by now the leader knows the worker
	type view struct {
		Version, Node string
		Leader        *string
		Raft          struct{ Term, Commit, Applied int }
		Nodes         []struct {
			ID, Raft, HTTP, RPC, Role string
			Voter                     bool
			Reachable                 *bool
		}
		Workers []struct {
			ID, Host string
			Slots    int
		}
	}
	for _, n := range s.nodes {
		var v view
		s.get(n, "/api/cluster").into(t, &v)
		if v.Version != "test" || v.Leader == nil || *v.Leader != s.nodes[lead].id || v.Node != *v.Leader || len(v.Nodes) != 3 {
			t.Errorf("by way of %s: %+v", n.id, v)
		}
		for i, m := range v.Nodes {
			if m.ID != s.nodes[i].id || m.Raft == "" || !m.Voter || m.Reachable == nil || !*m.Reachable || (m.Role == "leader") != (i == lead) {
				t.Errorf("by way of %s: node %+v", n.id, m)
			}
		}
		if v.Raft.Term == 0 || v.Raft.Applied == 0 || v.Raft.Commit < v.Raft.Applied {
			t.Errorf("by way of %s: raft indices %+v", n.id, v.Raft)
		}
		if len(v.Workers) != 1 || v.Workers[0].Slots != 2 {
			t.Errorf("by way of %s: workers %+v", n.id, v.Workers)
		}
		var stale view
		s.get(n, "/api/cluster?consistency=stale").into(t, &stale)
		if stale.Node != n.id || len(stale.Nodes) != 3 {
			t.Errorf("stale view of %s: %+v", n.id, stale)
		}
		if a := s.get(n, "/healthz"); a.status != 200 {
			t.Errorf("%s: healthz %d", n.id, a.status)
		}
	}
}

func TestOpenAPIDocument(t *testing.T) {
	s := newStack(t, 1, nil)
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]json.RawMessage
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Type any }
			}
		}
	}
	a := s.get(s.nodes[0], "/openapi.json")
	a.into(t, &doc)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version %q", doc.OpenAPI)
	}
	for _, path := range []string{
		"/api/list_files", "/api/schedule_work", "/api/list_works", "/api/get_result/{work_id}", "/api/cancel_work/{work_id}",
		"/api/clean_works", "/api/cluster", "/healthz", "/readyz",
	} {
		if len(doc.Paths[path]) != 1 {
			t.Errorf("path %s: %v", path, doc.Paths[path])
		}
	}
	if sum := doc.Components.Schemas["ColumnResult"].Properties["sum"]; fmt.Sprint(sum.Type) != "number" {
		t.Errorf("sum is a %v, want a number", sum.Type)
	}
	if body := string(doc.Paths["/api/schedule_work"]["post"]); !strings.Contains(body, formType) || !strings.Contains(body, "ScheduleBody") {
		t.Errorf("schedule_work: %s", body)
	}
}

func TestConfigErrors(t *testing.T) {
	for want, cfg := range map[string]Config{
		"HoldLeader: must be at least 1ms, got -1s": {HoldLeader: -time.Second},
		"MaxWait: must be at least 1s, got 1ms":     {MaxWait: time.Millisecond},
	} {
		if _, err := New(cfg, nil, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestParseWait(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"": 0, "0": 0, "30": 30 * time.Second, "1.5": 1500 * time.Millisecond, "30s": 30 * time.Second, "1m30s": 90 * time.Second,
	} {
		if got, err := parseWait(in); err != nil || got != want {
			t.Errorf("parseWait(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"1e300", "+Inf", "9999999999999"} {
		if got, err := parseWait(in); err != nil || got < 1000*time.Hour {
			t.Errorf("parseWait(%q) = %v, %v, want a very long time", in, got, err)
		}
	}
}

func TestParseScheduleIsExact(t *testing.T) {
	req, err := parseSchedule(sent{data: []byte(`{"filepath":" a ","columns":["x,y","3",4],"header":"no","delimiter":"\t","quote":"'","decimal":",","comment":"#","invalid":"fail","chunk_bytes":"5"}`)})
	if err != nil {
		t.Fatal(err)
	}
	o := req.Options
	if req.Path != " a " || o.Header != "no" || o.Delimiter != "\t" || *o.Quote != "'" || o.Decimal != "," || o.Comment != "#" || o.Invalid != "fail" || o.ChunkBytes != 5 {
		t.Errorf("got %+v", req)
	}
	want := []csvsum.ColumnRef{{Name: "x,y"}, {Name: "3"}, {Number: 4}}
	if !slices.Equal(o.Columns.List, want) {
		t.Errorf("columns %+v, want %+v", o.Columns.List, want)
	}
}
