package fsm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"colsum/csvsum"
)

// t0 is when the works of tests begin.
var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

func open(t testing.TB) *FSM {
	t.Helper()
	f, err := Open(Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func entry(t testing.TB, index uint64, cmd Command) *raft.Log {
	t.Helper()
	b, err := Encode(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return &raft.Log{Index: index, Type: raft.LogCommand, Data: b}
}

// do applies one command after what was applied before.
func do(t testing.TB, f *FSM, cmd Command) Response {
	t.Helper()
	return f.Apply(entry(t, f.AppliedIndex()+1, cmd)).(Response)
}

func dumpOf(t testing.TB, f *FSM) string {
	t.Helper()
	var b bytes.Buffer
	if err := f.Dump(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sink keeps a snapshot in memory.
type sink struct {
	bytes.Buffer
	closed, cancelled bool
}

func (s *sink) ID() string    { return "test" }
func (s *sink) Close() error  { s.closed = true; return nil }
func (s *sink) Cancel() error { s.cancelled = true; return nil }

func snapshotOf(t testing.TB, f *FSM) []byte {
	t.Helper()
	s, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	var out sink
	if err := s.Persist(&out); err != nil {
		t.Fatal(err)
	}
	if !out.closed || out.cancelled {
		t.Fatal("the sink was not closed")
	}
	return out.Bytes()
}

func restore(f *FSM, snapshot []byte) error {
	return f.Restore(io.NopCloser(bytes.NewReader(snapshot)))
}

// file is a CSV file of a test.
type file struct {
	data    string
	options csvsum.Options
	plan    csvsum.Plan
	chunk   int64
}

func newFile(t testing.TB, data string, chunk int64, opt csvsum.Options) *file {
	t.Helper()
	plan, err := csvsum.Sniff([]byte(data), int64(len(data)), opt)
	if err != nil {
		t.Fatal(err)
	}
	return &file{data, opt, *plan, chunk}
}

// scan runs one task with the state given at its start.
func (f *file) scan(t testing.TB, task int64, state csvsum.State) *csvsum.Partial {
	t.Helper()
	start, end := f.plan.Spec.TaskRange(task, f.chunk)
	tk := csvsum.Task{Start: start, End: end, State: state}
	var sc csvsum.Scanner
	p, err := sc.Scan(context.Background(), &f.plan.Spec, tk, bytes.NewReader([]byte(f.data)[tk.ReadFrom(&f.plan.Spec):]))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// whole is the result that the engine alone gives for the file.
func (f *file) whole(t testing.TB) *csvsum.Result {
	t.Helper()
	one := *f
	one.chunk = int64(len(f.data)) + 1
	fold := csvsum.NewFold(&f.plan)
	fold.Offer(0, one.scan(t, 0, csvsum.RecordStart))
	return fold.Result(&f.plan, fold.Fault == nil)
}

// start submits and plans a work for the file.
func (f *file) start(t testing.TB, s *FSM, id string) {
	t.Helper()
	if r := do(t, s, &Submit{ID: id, Time: t0, Path: id + ".csv", Options: f.options}); r.Outcome != OK || r.ID != id {
		t.Fatalf("submit: got %+v", r)
	}
	if r := do(t, s, &Plan{ID: id, Time: at(1), Plan: f.plan, Version: "v1", Chunk: f.chunk}); r.Outcome != OK {
		t.Fatalf("plan: got %+v", r)
	}
}

// run finishes a started work task by task and returns the last result.
func (f *file) run(t testing.TB, s *FSM, id string) CompletionResult {
	t.Helper()
	for {
		a, ok := s.Active(id)
		if !ok {
			t.Fatalf("work %s is not active", id)
		}
		r := do(t, s, &Complete{Time: at(2), Done: []Completion{{id, a.Frontier, "v1", f.scan(t, a.Frontier, a.FrontierState)}}})
		if r.Done[0].Status.Ended() {
			return r.Done[0]
		}
		if b, _ := s.Active(id); b.Frontier == a.Frontier {
			t.Fatalf("task %d of work %s does not advance it: %+v", a.Frontier, id, r.Done[0])
		}
	}
}

// randomFile makes a small file with quotes, bad cells and now and then a defect.
func randomFile(t testing.TB, r *rand.Rand) *file {
	t.Helper()
	var b bytes.Buffer
	columns := 2 + r.IntN(4)
	if r.IntN(2) == 0 {
		for i := range columns {
			fmt.Fprintf(&b, "name%d,", i)
		}
		b.WriteString("\n")
	}
	for range r.IntN(12) {
		for i := range columns + r.IntN(2) {
			if i > 0 {
				b.WriteByte(',')
			}
			switch r.IntN(9) {
			case 0:
			case 1:
				b.WriteString("\"a\nb,\"\"c\"")
			case 2:
				b.WriteString("oops")
			case 3:
				fmt.Fprintf(&b, "\"%d\"", r.IntN(1000)-500)
			default:
				fmt.Fprintf(&b, "%d.%02d", r.IntN(2000)-1000, r.IntN(100))
			}
		}
		b.WriteString([]string{"\n", "\r\n"}[r.IntN(2)])
	}
	if r.IntN(6) == 0 {
		b.WriteString("1,\"never closed\n2,3\n")
	}
	opt := csvsum.Options{Columns: csvsum.Columns{First: 1 + r.IntN(2), Every: 1 + r.IntN(2)}}
	if r.IntN(5) == 0 {
		opt.Invalid = "fail"
	}
	return newFile(t, b.String(), int64(1+r.IntN(60)), opt)
}

// script makes random commands that fit the state they are applied to, for the most part.
type script struct {
	t     testing.TB
	r     *rand.Rand
	f     *FSM // where the commands have been applied up to now
	files map[string]*file
	now   int
}

func newScript(t testing.TB, seed uint64, f *FSM) *script {
	return &script{t: t, r: rand.New(rand.NewPCG(seed, 1)), f: f, files: map[string]*file{}}
}

func (s *script) anyID() string {
	ids := s.f.ActiveIDs()
	if len(ids) == 0 || s.r.IntN(10) == 0 {
		return fmt.Sprintf("w%d", s.r.IntN(len(s.files)+2))
	}
	return ids[s.r.IntN(len(ids))]
}

func (s *script) next() Command {
	s.now += s.r.IntN(3) - s.r.IntN(2) // clocks may go back
	now := at(s.now)
	switch n := s.r.IntN(40); {
	case n < 5:
		return s.submit(now)
	case n < 10:
		id := s.anyID()
		f := s.files[id]
		if f == nil {
			f = randomFile(s.t, s.r)
		}
		return &Plan{ID: id, Time: now, Plan: f.plan, Version: "v1", Chunk: f.chunk}
	case n == 10:
		return &Cancel{ID: s.anyID(), Time: now}
	case n == 11:
		row := int64(s.r.IntN(5))
		return &Fail{ID: s.anyID(), Time: now, Error: csvsum.DocError{Code: "file_changed", Message: "the file has changed", Row: &row}}
	case n == 12:
		return &Forget{Before: at(s.now - s.r.IntN(30)), Limit: s.r.IntN(3)}
	case n == 13:
		id := fmt.Sprintf("node%d", s.r.IntN(3))
		return &Announce{Node{ID: id, Raft: id + ":5001", HTTP: id + ":5000", RPC: id + ":5002", Version: fmt.Sprint(s.r.IntN(3))}}
	}
	c := &Complete{Time: now}
	for range 1 + s.r.IntN(4) {
		c.Done = append(c.Done, s.completion())
	}
	return c
}

func (s *script) submit(now time.Time) Command {
	id := fmt.Sprintf("w%d", len(s.files))
	if len(s.files) > 0 && s.r.IntN(8) == 0 {
		id = s.anyID() // proposed again
	}
	f := s.files[id]
	if f == nil {
		f = randomFile(s.t, s.r)
		s.files[id] = f
	}
	c := &Submit{ID: id, Time: now, Path: id + ".csv", Options: f.options, MaxActive: 8}
	h := sha256.Sum256([]byte(id))
	c.Hash = h[:8]
	if s.r.IntN(3) == 0 {
		c.Key = fmt.Sprintf("key%d", s.r.IntN(20))
	}
	return c
}

func (s *script) completion() Completion {
	id := s.anyID()
	c := Completion{Work: id, Version: "v1"}
	a, ok := s.f.Active(id)
	f := s.files[id]
	if !ok || a.Tasks == 0 || f == nil {
		return c
	}
	c.Task = a.Frontier
	if s.r.IntN(2) == 0 {
		c.Task += int64(s.r.IntN(6))
	}
	if s.r.IntN(12) == 0 {
		c.Task = s.r.Int64N(a.Tasks + 1)
	}
	state := csvsum.State(csvsum.Unknown)
	if st, ok := a.Reruns[c.Task]; ok {
		state = st
	} else if c.Task == a.Frontier {
		state = a.FrontierState
	}
	if s.r.IntN(6) == 0 {
		state = []csvsum.State{csvsum.RecordStart, csvsum.Quoted, csvsum.Unquoted}[s.r.IntN(3)]
	}
	if c.Task < a.Tasks {
		g := *f
		g.plan.Spec, g.chunk = a.Spec, a.Chunk
		if a.Spec.Size != int64(len(f.data)) {
			return c // planned by a command for an id that had no file yet
		}
		c.Partial = g.scan(s.t, c.Task, state)
	}
	switch s.r.IntN(30) {
	case 0:
		c.Version = "v2"
	case 1:
		c.Partial = nil
	case 2:
		if c.Partial != nil {
			c.Partial.Rows = -1
		}
	}
	return c
}

var everyColumn = csvsum.Options{Columns: csvsum.Columns{First: 1, Every: 1}}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
