package fsm

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"colsum/csvsum"
)

func TestSubmit(t *testing.T) {
	f := open(t)
	h1, h2 := []byte("h1"), []byte("h2")
	for i, tt := range []struct {
		cmd  Submit
		want Response
	}{
		{Submit{ID: "a", Key: "k", Hash: h1}, Response{ID: "a"}},
		{Submit{ID: "b", Key: "k", Hash: h1}, Response{ID: "a"}}, // sent again by the client
		{Submit{ID: "c", Key: "k", Hash: h2}, Response{Outcome: Conflict, ID: "a"}},
		{Submit{ID: "a", Key: "k", Hash: h1}, Response{ID: "a"}}, // proposed again
		{Submit{ID: "a", Hash: h1}, Response{ID: "a"}},
		{Submit{ID: "a", Hash: h2}, Response{Outcome: Conflict, ID: "a"}},
		{Submit{ID: "d", Hash: h2, MaxActive: 2}, Response{ID: "d"}},
		{Submit{ID: "e", MaxActive: 2}, Response{Outcome: QueueFull}},
		{Submit{ID: "b", Key: "k", Hash: h1, MaxActive: 1}, Response{ID: "a"}}, // the work exists: nothing is added
		{Submit{ID: "e", MaxActive: 3}, Response{ID: "e"}},
		{Submit{ID: "f"}, Response{ID: "f"}},
	} {
		tt.cmd.Time, tt.cmd.Path = t0, "p"
		if got := do(t, f, &tt.cmd); fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("submit %d: got %+v, want %+v", i, got, tt.want)
		}
	}
	if got, want := f.ActiveIDs(), []string{"a", "d", "e", "f"}; !slices.Equal(got, want) {
		t.Errorf("active: got %v, want %v", got, want)
	}
	// The key lives as long as its work, ended or not.
	do(t, f, &Cancel{ID: "a", Time: at(1)})
	again := &Submit{ID: "x", Time: at(2), Path: "p", Key: "k", Hash: h1}
	if r := do(t, f, again); r.ID != "a" {
		t.Errorf("key of an ended work: got %+v", r)
	}
	if r := do(t, f, &Forget{Before: at(1)}); r.Removed != 1 {
		t.Errorf("forget: got %+v", r)
	}
	if r := do(t, f, again); r.Outcome != OK || r.ID != "x" {
		t.Errorf("key of a forgotten work: got %+v", r)
	}
}

func TestOutcomes(t *testing.T) {
	f := open(t)
	csv := newFile(t, "1,2\n3,4\n5,6\n", 4, everyColumn)
	csv.start(t, f, "w")
	do(t, f, &Submit{ID: "q", Time: t0, Path: "q"})
	do(t, f, &Submit{ID: "ended", Time: t0, Path: "e"})
	do(t, f, &Cancel{ID: "ended", Time: t0})

	failure := csvsum.DocError{Code: "c", Message: "m"}
	for _, tt := range []struct {
		name string
		cmd  Command
		want Outcome
	}{
		{"plan unknown", &Plan{ID: "x", Time: t0, Plan: csv.plan, Chunk: 4}, UnknownWork},
		{"plan ended", &Plan{ID: "ended", Time: t0, Plan: csv.plan, Chunk: 4}, Ended},
		{"plan again", &Plan{ID: "w", Time: t0, Plan: csv.plan, Chunk: 8}, NotQueued},
		{"fail unknown", &Fail{ID: "x", Time: t0, Error: failure}, UnknownWork},
		{"fail ended", &Fail{ID: "ended", Time: t0, Error: failure}, Ended},
		{"cancel unknown", &Cancel{ID: "x", Time: t0}, UnknownWork},
		{"cancel ended", &Cancel{ID: "ended", Time: t0}, Ended},
	} {
		before := dumpOf(t, f)
		if got := do(t, f, tt.cmd); got.Outcome != tt.want {
			t.Errorf("%s: got %+v, want outcome %d", tt.name, got, tt.want)
		}
		if dumpOf(t, f) != before {
			t.Errorf("%s: changed the state", tt.name)
		}
	}

	with := func(change func(p *csvsum.Partial)) *csvsum.Partial {
		p := csv.scan(t, 1, csvsum.RecordStart)
		change(p)
		return p
	}
	good := with(func(*csvsum.Partial) {})
	for _, tt := range []struct {
		name string
		c    Completion
		want Outcome
	}{
		{"unknown work", Completion{"x", 1, "v1", good}, UnknownWork},
		{"ended work", Completion{"ended", 1, "v1", good}, Ended},
		{"queued work", Completion{"q", 1, "v1", good}, BadTask},
		{"other version", Completion{"w", 1, "v2", good}, WrongVersion},
		{"negative task", Completion{"w", -1, "v1", good}, BadTask},
		{"task too high", Completion{"w", 3, "v1", good}, BadTask},
		{"highest task", Completion{"w", math.MaxInt64, "v1", good}, BadTask},
		{"range of another task", Completion{"w", 2, "v1", good}, BadTask},
		{"no partial", Completion{"w", 1, "v1", nil}, BadTask},
		{"start", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.Start-- })}, BadTask},
		{"end", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.End++ })}, BadTask},
		{"assumed", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.Assumed = csvsum.Unknown })}, BadTask},
		{"no such state", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.Ends[2] = csvsum.NumStates })}, BadTask},
		{"end unknown", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.Ends[0] = csvsum.Unknown })}, BadTask},
		{"negative rows", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.Rows = -1 })}, BadTask},
		{"more rows than bytes", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.Rows = 5 })}, BadTask},
		{"more cells than rows", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.Columns[0].Empty = 1 })}, BadTask},
		{"overflow of cells", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) {
			p.Columns[0].Numeric, p.Columns[0].Empty = math.MaxInt64, math.MaxInt64
		})}, BadTask},
		{"negative cells", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.Columns[0].Invalid = -1 })}, BadTask},
		{"wider than the file", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.Width = 100 })}, BadTask},
		{"sum of nothing", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.Columns[0].Numeric = 0 })}, BadTask},
		{"too many columns", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) {
			p.Columns = make([]csvsum.Column, csvsum.MaxSelected+1)
		})}, BadTask},
		{"bad cell outside", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) {
			p.Bad = []csvsum.BadCell{{Column: 1, Row: 1, Byte: 99}}
		})}, BadTask},
		{"bad cell text", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) {
			p.Bad = []csvsum.BadCell{{Column: 1, Row: 1, Byte: 5, Text: strings.Repeat("x", 65)}}
		})}, BadTask},
		{"fault without code", Completion{"w", 1, "v1", with(func(p *csvsum.Partial) { p.Fault = &csvsum.Fault{} })}, BadTask},
	} {
		before := dumpOf(t, f)
		if got := do(t, f, &Complete{Time: t0, Done: []Completion{tt.c}}).Done; got[0].Outcome != tt.want {
			t.Errorf("%s: got %+v, want outcome %d", tt.name, got, tt.want)
		}
		if dumpOf(t, f) != before {
			t.Errorf("%s: changed the state", tt.name)
		}
	}
	// The good one counts, once, beside bad ones.
	got := do(t, f, &Complete{Time: t0, Done: []Completion{{"w", 1, "v2", good}, {"w", 1, "v1", good}, {"w", 1, "v1", good}}}).Done
	want := []CompletionResult{{Outcome: WrongVersion, Status: Running}, {Status: Running}, {Verdict: csvsum.Duplicate, Status: Running}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The document of a done work holds what the engine alone makes of the file, whatever happened on the way.
func TestResultIsTheEngines(t *testing.T) {
	f := open(t)
	s := newScript(t, 77, f)
	ended := map[string]bool{}
	for range 3000 {
		cmd := s.next()
		if _, ok := cmd.(*Forget); ok {
			continue
		}
		do(t, f, cmd)
		list, _ := f.Summaries(Done, 1000, "")
		for _, sum := range list {
			if ended[sum.ID] {
				continue
			}
			ended[sum.ID] = true
			d, _ := f.Document(sum.ID)
			want := s.files[sum.ID].whole(t)
			if int(d.File.Size) != len(s.files[sum.ID].data) {
				continue // planned before it was submitted: on another file
			}
			if g, w := asJSON(t, d.Result), asJSON(t, want); g != w {
				t.Errorf("work %s of %q\ngot  %s\nwant %s", sum.ID, s.files[sum.ID].data, g, w)
			}
			if p := d.Progress; p.BytesDone != d.File.Size || p.TasksDone != p.TasksTotal || p.Rows != d.Rows || p.BytesTotal != d.File.Size {
				t.Errorf("work %s: progress %+v", sum.ID, p)
			}
			if _, ok := f.Active(sum.ID); ok {
				t.Errorf("work %s has ended and is active", sum.ID)
			}
		}
	}
	if len(ended) < 20 {
		t.Errorf("only %d works were done", len(ended))
	}
}

func TestFaultFailsTheWork(t *testing.T) {
	f := open(t)
	csv := newFile(t, "a,b\n1,2\n3,\"open\n4,5\n", 4, everyColumn)
	csv.start(t, f, "w")
	if r := csv.run(t, f, "w"); r.Status != Failed {
		t.Fatalf("got %+v, want status failed", r)
	}
	d, _ := f.Document("w")
	if d.Status != "failed" || d.Error == nil || d.Error.Code != "unterminated_quote" || *d.Error.Byte != 10 || d.Digest != "" {
		t.Errorf("got %s", asJSON(t, d))
	}
	if s, _ := f.Summary("w"); s.Error == nil || s.Error.Code != "unterminated_quote" {
		t.Errorf("summary: got %+v", s)
	}
	if strings.Contains(dumpOf(t, f), "\npartials") || strings.Contains(dumpOf(t, f), "\nfolds") {
		t.Error("an ended work has a fold or partials in the file")
	}
}

func TestDocuments(t *testing.T) {
	f := open(t)
	csv := newFile(t, "1,2\n3,4\n5,6\n", 4, everyColumn)
	csv.start(t, f, "w")
	show := func(id, want string) {
		t.Helper()
		d, ok := f.Document(id)
		if !ok {
			t.Fatalf("no document of %s", id)
		}
		p := d.Progress
		got := fmt.Sprintf("%s rows %d total %s bytes %d/%d tasks %d/%d rate %v", d.Status, d.Rows, d.Total, p.BytesDone, p.BytesTotal, p.TasksDone, p.TasksTotal, p.BytesPerSecond)
		if got != want {
			t.Errorf("%s: got %s\nwant %s", id, got, want)
		}
		s, _ := f.Summary(id)
		if string(s.Status) != d.Status || s.Progress != p || !s.Ctime.Equal(d.Ctime) || !s.Mtime.Equal(d.Mtime) || s.Path != d.Filepath {
			t.Errorf("%s: summary %+v, document %+v", id, s, d)
		}
		if d.Results == nil || d.BadCells == nil || d.Warnings == nil {
			t.Errorf("%s: a list is null: %s", id, asJSON(t, d))
		}
	}
	complete := func(second int, task int64) {
		do(t, f, &Complete{Time: at(second), Done: []Completion{{"w", task, "v1", csv.scan(t, task, 0)}}})
	}
	show("w", "running rows 0 total 0 bytes 0/12 tasks 0/3 rate 0")
	complete(3, 2)
	show("w", "running rows 0 total 0 bytes 4/12 tasks 1/3 rate 0")
	complete(4, 0)
	show("w", "running rows 1 total 3 bytes 8/12 tasks 2/3 rate 0")
	if c := f.Counts(); c != (Counts{Running: 1, TasksDone: 2, TasksPending: 1}) {
		t.Errorf("counts: got %+v", c)
	}
	complete(5, 1)
	show("w", "done rows 3 total 21 bytes 12/12 tasks 3/3 rate 3")
	if c := f.Counts(); c != (Counts{Done: 1}) {
		t.Errorf("counts: got %+v", c)
	}
	do(t, f, &Submit{ID: "q", Time: at(6), Path: "q.csv"})
	show("q", "queued rows 0 total 0 bytes 0/0 tasks 0/0 rate 0")
	// The clock of another leader is behind: no work changes before it began.
	do(t, f, &Cancel{ID: "q", Time: at(1)})
	show("q", "cancelled rows 0 total 0 bytes 0/0 tasks 0/0 rate 0")
	if s, _ := f.Summary("q"); s.Mtime.Before(s.Ctime) {
		t.Errorf("mtime %v before ctime %v", s.Mtime, s.Ctime)
	}
	if _, ok := f.Document("nobody"); ok {
		t.Error("a document of an unknown work")
	}
}

// A huge work costs what is in flight, not what it has tasks.
func TestHugeWork(t *testing.T) {
	f := open(t)
	csv := newFile(t, "1\n2\n", 2, everyColumn)
	csv.plan.Spec.Size = 1 << 46
	do(t, f, &Submit{ID: "w", Time: t0, Path: "p"})
	do(t, f, &Plan{ID: "w", Time: t0, Plan: csv.plan, Chunk: 1 << 26})
	if c := f.Counts(); c.TasksPending != 1<<20 {
		t.Errorf("counts: got %+v", c)
	}
	if n := len(snapshotOf(t, f)); n > 2000 {
		t.Errorf("the snapshot has %d bytes", n)
	}
}

func TestSummariesPages(t *testing.T) {
	f := open(t)
	for i := range 10 {
		do(t, f, &Submit{ID: fmt.Sprint(i), Time: at(i), Path: "p"})
		if i%2 == 0 {
			do(t, f, &Cancel{ID: fmt.Sprint(i), Time: at(i)})
		}
	}
	page := func(status Status, limit int, after string) (string, string) {
		list, next := f.Summaries(status, limit, after)
		ids := ""
		for _, s := range list {
			ids += s.ID
		}
		return ids, next
	}
	walk := func(status Status, limit int, between func()) (all string) {
		after := ""
		for {
			ids, next := page(status, limit, after)
			all += ids + " "
			if next == "" {
				return strings.TrimSpace(all)
			}
			between()
			after = next
		}
	}
	for _, tt := range []struct {
		status Status
		limit  int
		want   string
	}{
		{"", 100, "9876543210"}, {"", 10, "9876543210"}, {"", 4, "9876 5432 10"}, {"", 0, "9 8 7 6 5 4 3 2 1 0"},
		{Queued, 2, "97 53 1"}, {Cancelled, 5, "86420"}, {Running, 5, ""}, {"nonsense", 5, ""},
	} {
		if got := walk(tt.status, tt.limit, func() {}); got != tt.want {
			t.Errorf("status %q limit %d: got %q, want %q", tt.status, tt.limit, got, tt.want)
		}
	}
	for _, after := range []string{"0", "-1", "x", "99999999999999999999"} {
		if ids, next := page("", 5, after); ids != "" || next != "" {
			t.Errorf("after %q: got %q, %q", after, ids, next)
		}
	}
	// Works that come and go between the pages.
	n := 0
	got := walk("", 3, func() {
		n++
		do(t, f, &Submit{ID: fmt.Sprint("new", n), Time: at(50), Path: "p"})
		do(t, f, &Forget{Before: at(100), Limit: 1})
	})
	if want := "987 654 31"; got != want { // 0 and 2 are forgotten before their page
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestForgetOldestFirst(t *testing.T) {
	f := open(t)
	for i := range 6 {
		do(t, f, &Submit{ID: fmt.Sprint(i), Time: t0, Path: "p"})
	}
	for _, i := range []int{4, 2, 0, 1} { // in the order of their ends
		do(t, f, &Cancel{ID: fmt.Sprint(i), Time: at(10 - i)})
	}
	left := func() (ids []string) {
		list, _ := f.Summaries("", 100, "")
		for _, s := range list {
			ids = append(ids, s.ID)
		}
		return ids
	}
	for _, tt := range []struct {
		cmd     Forget
		removed int
		want    string
	}{
		{Forget{Before: at(5)}, 0, "[5 4 3 2 1 0]"},
		{Forget{Before: at(6)}, 1, "[5 3 2 1 0]"},
		{Forget{Before: at(100), Limit: 2}, 2, "[5 3 0]"}, // 2 ended at 8, 1 at 9, 0 at 10
		{Forget{Before: at(100)}, 1, "[5 3]"},
		{Forget{Before: at(100)}, 0, "[5 3]"},
	} {
		if r := do(t, f, &tt.cmd); r.Removed != tt.removed || fmt.Sprint(left()) != tt.want {
			t.Errorf("%+v: removed %d, left %v; want %d, %s", tt.cmd, r.Removed, left(), tt.removed, tt.want)
		}
	}
	if _, ok := f.Document("0"); ok {
		t.Error("a forgotten work has a document")
	}
	if strings.Contains(dumpOf(t, f), "\ndocs") {
		t.Error("a document of a forgotten work is in the file")
	}
}

func TestNodes(t *testing.T) {
	f := open(t)
	for _, n := range []Node{{ID: "b"}, {ID: "a"}, {ID: "b", HTTP: "new"}} {
		do(t, f, &Announce{n})
	}
	if got, want := f.Nodes(), []Node{{ID: "a"}, {ID: "b", HTTP: "new"}}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Active shares nothing with the state.
func TestActiveIsACopy(t *testing.T) {
	f := open(t)
	quote := "'"
	csv := newFile(t, "1,2\n", 4, csvsum.Options{Quote: &quote, Columns: csvsum.Columns{List: []csvsum.ColumnRef{{Number: 2}}}})
	csv.start(t, f, "w")
	a, _ := f.Active("w")
	*a.Options.Quote, a.Options.Columns.List[0].Number, a.Spec.Selection.Numbers[0] = "x", 9, 9
	b, _ := f.Active("w")
	if *b.Options.Quote != "'" || b.Options.Columns.List[0].Number != 2 || b.Spec.Selection.Numbers[0] != 2 {
		t.Errorf("changed from outside: %+v", b)
	}
}

func TestPanics(t *testing.T) {
	good := func() *raft.Log { return entry(t, 5, &Cancel{ID: "w", Time: t0}) }
	for _, tt := range []struct {
		name string
		log  *raft.Log
		want []string
	}{
		{"newer version", &raft.Log{Index: 5, Data: []byte{9, 1, 0x80}}, []string{"entry 5", "version 9", "kind 1", "upgrade this node"}},
		{"newer kind", &raft.Log{Index: 5, Data: []byte{1, 99, 0x80}}, []string{"entry 5", "version 1", "kind 99", "upgrade this node"}},
		{"empty", &raft.Log{Index: 5}, []string{"entry 5", "version -1"}},
		{"old index", &raft.Log{Index: 3, Data: good().Data}, []string{"entry 3", "last applied one, 4"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t)
			f.Apply(entry(t, 3, &Submit{ID: "w", Time: t0, Path: "p"}))
			before := dumpOf(t, f)
			defer func() {
				got := fmt.Sprint(recover())
				for _, want := range tt.want {
					if !strings.Contains(got, want) {
						t.Errorf("got %q, want %q in it", got, want)
					}
				}
				if dumpOf(t, f) != before {
					t.Error("a part of the batch was applied")
				}
			}()
			cancel := good()
			cancel.Index = 4
			f.ApplyBatch([]*raft.Log{cancel, tt.log})
		})
	}
}

func TestValidate(t *testing.T) {
	long := strings.Repeat("x", 5000)
	plan := func(change func(p *Plan)) *Plan {
		p := &Plan{ID: "w", Time: t0, Chunk: 1, Plan: csvsum.Plan{Spec: csvsum.Spec{Size: 10, Selection: csvsum.Selection{First: 1, Every: 1}}}}
		change(p)
		return p
	}
	if err := Validate(plan(func(*Plan) {})); err != nil {
		t.Fatal(err)
	}
	for want, cmd := range map[string]Command{
		"command: unknown type <nil>":                                       nil,
		"submit.id: required":                                               &Submit{Time: t0, Path: "p"},
		"submit.id: must be at most 64 bytes, got 5000":                     &Submit{ID: long, Time: t0, Path: "p"},
		"submit.time: must lie within the years 1970 and 2261":              &Submit{ID: "w", Path: "p"},
		"submit.path: required":                                             &Submit{ID: "w", Time: t0},
		"submit.path: must be at most 4096 bytes":                           &Submit{ID: "w", Time: t0, Path: long},
		"submit.key: must be at most 255 bytes":                             &Submit{ID: "w", Time: t0, Path: "p", Key: long, Hash: []byte("h")},
		"submit.hash: required with a key":                                  &Submit{ID: "w", Time: t0, Path: "p", Key: "k"},
		"submit.hash: must be at most 64 bytes":                             &Submit{ID: "w", Time: t0, Path: "p", Hash: []byte(long)},
		"submit.max_active: must be at least 0, got -1":                     &Submit{ID: "w", Time: t0, Path: "p", MaxActive: -1},
		"submit.options: header":                                            &Submit{ID: "w", Time: t0, Path: "p", Options: csvsum.Options{Header: "maybe"}},
		"plan.chunk: must be at least 1, got 0":                             plan(func(p *Plan) { p.Chunk = 0 }),
		"plan.chunk: makes more than":                                       plan(func(p *Plan) { p.Plan.Spec.Size = math.MaxInt64 }),
		"plan.spec.size: must be at least 0":                                plan(func(p *Plan) { p.Plan.Spec.Size = -1 }),
		"plan.spec.data_start: must lie":                                    plan(func(p *Plan) { p.Plan.Spec.DataStart = 11 }),
		"plan.spec.record_limit: must be at least 0":                        plan(func(p *Plan) { p.Plan.Spec.RecordLimit = -1 }),
		"plan.spec.selection.first: must be at least 1":                     plan(func(p *Plan) { p.Plan.Spec.Selection.First = 0 }),
		"plan.spec.selection.every: must be at least 1":                     plan(func(p *Plan) { p.Plan.Spec.Selection.Every = 0 }),
		"plan.spec.selection.numbers: must be ascending from 1, got 2 aft":  plan(func(p *Plan) { p.Plan.Spec.Selection.Numbers = []int{2, 2} }),
		"plan.spec.selection.numbers: must be ascending from 1, got 0 afte": plan(func(p *Plan) { p.Plan.Spec.Selection.Numbers = []int{0} }),
		"plan.spec.selection.numbers: must be at most 65536":                plan(func(p *Plan) { p.Plan.Spec.Selection.Numbers = make([]int, 65537) }),
		"plan.names: must be at most 65536":                                 plan(func(p *Plan) { p.Plan.Names = make([]string, 65537) }),
		"plan.header_width: must be at least 0":                             plan(func(p *Plan) { p.Plan.HeaderWidth = -1 }),
		"plan.header_width: 99 fields in 10 bytes":                          plan(func(p *Plan) { p.Plan.HeaderWidth = 99 }),
		"plan.spec.dialect.newline: unknown value 9":                        plan(func(p *Plan) { p.Plan.Spec.Dialect.Newline = 9 }),
		"plan.version: must be at most":                                     plan(func(p *Plan) { p.Version = long }),
		"complete.time: must lie":                                           &Complete{},
		"complete.done.work: must be at most":                               &Complete{Time: t0, Done: []Completion{{Work: long}}},
		"complete.done.version: must be at most":                            &Complete{Time: t0, Done: []Completion{{Version: long}}},
		"fail.error.code: required":                                         &Fail{ID: "w", Time: t0},
		"fail.error.message: must be at most":                               &Fail{ID: "w", Time: t0, Error: csvsum.DocError{Code: "c", Message: long + long + long + long}},
		"cancel.id: required":                                               &Cancel{Time: t0},
		"cancel.time: must lie":                                             &Cancel{ID: "w", Time: time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)},
		"forget.limit: must be at least 0":                                  &Forget{Before: t0, Limit: -1},
		"forget.before: must lie":                                           &Forget{},
		"announce.node.id: required":                                        &Announce{},
		"announce.node.http: must be at most 512 bytes":                     &Announce{Node{ID: "n", HTTP: long}},
	} {
		if err := Validate(cmd); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if _, err := Encode(cmd); err == nil {
			t.Errorf("encoded in spite of: %s", want)
		}
	}
}

func TestDocumentIsPlainJSON(t *testing.T) {
	f := open(t)
	csv := newFile(t, "caf\xe9\n12345678901234567890123456789.000000000000000000001\n", 100, everyColumn)
	csv.start(t, f, "w")
	csv.run(t, f, "w")
	d, _ := f.Document("w")
	if got := d.Results[0].Sum; got != json.Number("12345678901234567890123456789.000000000000000000001") {
		t.Errorf("a sum has lost digits: %s", got)
	}
	if got := *d.Results[0].Name; got != "caf\ufffd" {
		t.Errorf("name: got %q", got)
	}
}

// StartState says of every task what Active says of all, and nothing of works that do not run.
func TestStartState(t *testing.T) {
	f := open(t)
	csv := newFile(t, "1,\"a\n,\n,\n,\n\",2\n3,4,5\n", 3, csvsum.Options{Columns: csvsum.Columns{First: 1, Every: 1}})
	do(t, f, &Submit{ID: "queued", Time: t0, Path: "p"})
	csv.start(t, f, "w")
	// The middle of the quoted field first, by a wrong guess; then the beginning, which shows that it was wrong.
	do(t, f, &Complete{Time: at(2), Done: []Completion{{"w", 1, "v1", csv.scan(t, 1, csvsum.RecordStart)}}})
	r := do(t, f, &Complete{Time: at(2), Done: []Completion{{"w", 0, "v1", csv.scan(t, 0, csvsum.RecordStart)}}})
	if !slices.Equal(r.Done[0].Dropped, []int64{1}) {
		t.Fatalf("got %+v, want task 1 dropped", r.Done[0])
	}
	if got := f.StartState("w", 1); got != csvsum.Quoted {
		t.Errorf("state of the dropped task: got %d, want quoted", got)
	}
	a, _ := f.Active("w")
	for i := a.Frontier; i < a.Tasks; i++ {
		want, known := a.Reruns[i]
		switch {
		case known:
		case i == a.Known:
			want = a.KnownState
		case i == a.Frontier:
			want = a.FrontierState
		default:
			want = csvsum.Unknown
		}
		if got := f.StartState("w", i); got != want {
			t.Errorf("task %d: got %d, want %d", i, got, want)
		}
	}
	csv.run(t, f, "w")
	for _, id := range []string{"w", "queued", "unknown"} {
		if got := f.StartState(id, 0); got != csvsum.Unknown {
			t.Errorf("%s: got %d, want unknown", id, got)
		}
	}
}
