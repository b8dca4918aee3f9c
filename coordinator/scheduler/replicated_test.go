package scheduler

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"

	"github.com/hashicorp/raft"
)

// replicated is a simulation over the real replicated state and the real engine: leaders come and go over one log, workers
// die and hand in late, twice, or for leaders of the past, and in the end every sum is that of the whole file in one task.
type replicated struct {
	t       testing.TB
	rnd     *rand.Rand
	now     time.Time
	state   *fsm.FSM
	log     []*raft.Log
	s       *Scheduler
	tokens  rpc.LeaseToken
	files   map[string]*simFile
	workers []rpc.Worker
	held    []simHeld // leases whose partials are under way
	late    []simHeld // those of dead workers and of earlier leaders, which may still arrive
	names   int
}

type simFile struct {
	text   []byte
	plan   *csvsum.Plan
	chunk  int64
	digest string
	rows   int64
	front  int64 // highest frontier seen
}

type simHeld struct {
	who   rpc.Worker
	grant Grant
}

func openState(t testing.TB) *fsm.FSM {
	t.Helper()
	f, err := fsm.Open(fsm.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// apply puts a command into the log and applies it.
func (m *replicated) apply(cmd fsm.Command) fsm.Response {
	m.t.Helper()
	data, err := fsm.Encode(cmd)
	if err != nil {
		m.t.Fatal(err)
	}
	entry := &raft.Log{Index: uint64(len(m.log) + 1), Type: raft.LogCommand, Data: data}
	m.log = append(m.log, entry)
	return m.state.Apply(entry).(fsm.Response)
}

// table is a file with quoted newlines and quotes, so that guesses at a task's state go wrong.
func (m *replicated) table() []byte {
	var b bytes.Buffer
	b.WriteString("a,b,c\n")
	for i := range 5 + m.rnd.IntN(60) {
		fmt.Fprintf(&b, "%d.%d,", m.rnd.IntN(1000), m.rnd.IntN(1000))
		if m.rnd.IntN(3) == 0 {
			fmt.Fprintf(&b, "\"x\n\"\"%d\"\",\n1,2,3\n\",", i)
		} else {
			b.WriteString("x,")
		}
		fmt.Fprintf(&b, "%d\n", m.rnd.IntN(100)-50)
	}
	return b.Bytes()
}

func (m *replicated) partial(f *simFile, start, end int64, state csvsum.State) *csvsum.Partial {
	m.t.Helper()
	task := csvsum.Task{Start: start, End: end, State: state}
	p, err := new(csvsum.Scanner).Scan(context.Background(), &f.plan.Spec, task, bytes.NewReader(f.text[task.ReadFrom(&f.plan.Spec):]))
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

func newReplicated(t testing.TB, seed uint64) *replicated {
	m := &replicated{
		t: t, rnd: rand.New(rand.NewPCG(seed, 7)), now: time.Unix(1e9, 0).UTC(), state: openState(t),
		files: map[string]*simFile{},
	}
	for i := range 1 + m.rnd.IntN(3) {
		f := &simFile{text: m.table()}
		size := int64(len(f.text))
		var err error
		if f.plan, err = csvsum.Sniff(f.text, size, csvsum.Options{Columns: csvsum.Columns{First: 1, Every: 2}}); err != nil {
			t.Fatal(err)
		}
		f.chunk = 1 + m.rnd.Int64N(size/4)
		// The truth: the same file, one task, another work.
		whole, id := fmt.Sprint("whole", i), fmt.Sprint("w", i)
		m.begin(whole, f, size)
		m.apply(&fsm.Complete{Time: m.now, Done: []fsm.Completion{{Work: whole, Version: "v", Partial: m.partial(f, 0, size, csvsum.Unknown)}}})
		d, ok := m.state.Document(whole)
		if !ok || d.Status != "done" {
			t.Fatalf("the whole file in one task: %+v", d)
		}
		f.digest, f.rows = d.Digest, d.Rows
		m.begin(id, f, f.chunk)
		m.files[id] = f
	}
	m.elect()
	return m
}

func (m *replicated) begin(id string, f *simFile, chunk int64) {
	m.apply(&fsm.Submit{ID: id, Time: m.now, Path: id})
	m.apply(&fsm.Plan{ID: id, Time: m.now, Plan: *f.plan, Version: "v", Chunk: chunk})
}

// elect gives the cluster a new leader, who knows what the state says and no more.
func (m *replicated) elect() {
	m.tokens += 1 << 20
	m.s = New(Config{FirstToken: m.tokens, BlindLimit: time.Hour})
	m.late = append(m.late, m.held...)
	m.held = nil
	for _, id := range m.state.ActiveIDs() {
		a, _ := m.state.Active(id)
		m.s.AddWork(m.now, WorkInfo{
			ID: rpc.WorkID(id), Tasks: a.Tasks, Size: a.Spec.Size, Chunk: a.Chunk, Frontier: a.Frontier, Done: a.Done,
			Reruns: a.Reruns, Window: 1 + m.rnd.Int64N(12), Inherited: true,
		})
	}
}

// hand hands in the partials of some leases, as one log entry or several, and tells the scheduler.
func (m *replicated) hand(list []simHeld) {
	cmd := &fsm.Complete{Time: m.now}
	for _, h := range list {
		f := m.files[string(h.grant.Work)]
		start, end := f.plan.Spec.TaskRange(h.grant.Task, f.chunk)
		cmd.Done = append(cmd.Done, fsm.Completion{
			Work: string(h.grant.Work), Task: h.grant.Task, Version: "v", Partial: m.partial(f, start, end, h.grant.State),
		})
	}
	res := m.apply(cmd)
	for i, h := range list {
		var reruns map[int64]csvsum.State
		if a, ok := m.state.Active(string(h.grant.Work)); ok {
			reruns = a.Reruns
		}
		m.s.Complete(m.now, h.who, h.grant.TaskRef, res.Done[i], reruns)
	}
}

func (m *replicated) step() {
	switch n := m.rnd.IntN(100); {
	case n < 10 || len(m.workers) == 0:
		m.names++
		id := rpc.WorkerID(fmt.Sprint("k", m.names))
		m.workers = append(m.workers, rpc.Worker{ID: id, Slots: 1 + m.rnd.IntN(4)})
	case n < 45:
		k := m.workers[m.rnd.IntN(len(m.workers))]
		for _, g := range m.s.Lease(m.now, k, 1+m.rnd.IntN(3)) {
			m.held = append(m.held, simHeld{k, g})
		}
	case n < 80 && len(m.held) > 0:
		m.rnd.Shuffle(len(m.held), func(i, j int) { m.held[i], m.held[j] = m.held[j], m.held[i] })
		k := 1 + m.rnd.IntN(min(4, len(m.held)))
		m.hand(m.held[:k])
		if m.rnd.IntN(4) == 0 {
			m.late = append(m.late, m.held[:k]...) // its answer was lost: it will be sent again
		}
		m.held = m.held[k:]
	case n < 86 && len(m.late) > 0:
		i := m.rnd.IntN(len(m.late))
		m.hand(m.late[i : i+1])
		m.late = append(m.late[:i], m.late[i+1:]...)
	case n < 90:
		i := m.rnd.IntN(len(m.workers)) // dies, with all it holds
		var left []simHeld
		for _, h := range m.held {
			if h.who.ID != m.workers[i].ID {
				left = append(left, h)
			} else if m.rnd.IntN(2) == 0 {
				m.late = append(m.late, h)
			}
		}
		m.held = left
		m.workers = append(m.workers[:i], m.workers[i+1:]...)
	case n < 93:
		m.elect()
	default:
		m.now = m.now.Add(time.Duration(m.rnd.IntN(3000)) * time.Millisecond)
	}
	for _, k := range m.workers {
		var running []rpc.Running
		for _, h := range m.held {
			if h.who.ID == k.ID {
				running = append(running, rpc.Running{TaskRef: h.grant.TaskRef})
			}
		}
		m.s.Heartbeat(m.now, k, running, false)
	}
	m.s.Expire(m.now)
}

// check looks at what must hold after every step.
func (m *replicated) check() {
	m.t.Helper()
	if err := m.s.check(m.now); err != nil {
		m.t.Fatal(err)
	}
	for id, f := range m.files { // in any order: nothing is drawn
		if a, ok := m.state.Active(id); ok {
			if a.Frontier < f.front {
				m.t.Fatalf("work %s: the frontier went back from %d to %d", id, f.front, a.Frontier)
			}
			f.front = a.Frontier
		}
	}
}

// run goes on until all works have ended, and checks their sums and that another node comes to the same state.
func (m *replicated) run() {
	m.t.Helper()
	for steps := 0; len(m.state.ActiveIDs()) > 0; steps++ {
		if steps > 20_000 {
			m.t.Fatalf("works %v do not end", m.state.ActiveIDs())
		}
		m.step()
		m.check()
		for _, d := range m.s.TakeDoomed() { // its workers died too often: a new leader forgives
			m.t.Logf("work %s: %s", d.Work, d.Error.Message)
			m.elect()
		}
	}
	for id, f := range m.files {
		if d, ok := m.state.Document(id); !ok || d.Status != "done" || d.Digest != f.digest || d.Rows != f.rows {
			m.t.Fatalf("work %s: %+v, want digest %s of %d rows", id, d, f.digest, f.rows)
		}
	}
	other := openState(m.t)
	for at := 0; at < len(m.log); {
		n := min(1+m.rnd.IntN(9), len(m.log)-at)
		other.ApplyBatch(m.log[at : at+n])
		at += n
		if m.rnd.IntN(40) == 0 { // and goes on from a snapshot
			var archive bytes.Buffer
			if err := other.Backup(&archive); err != nil {
				m.t.Fatal(err)
			}
			if err := other.Restore(io.NopCloser(&archive)); err != nil {
				m.t.Fatal(err)
			}
		}
	}
	_, got, err := other.Hash()
	_, want, err2 := m.state.Hash()
	if err != nil || err2 != nil || got != want {
		m.t.Fatalf("another node's state is %x, want %x (%v, %v)", got, want, err, err2)
	}
}

// Thousands of seeds a minute: -run Replicated -count 1 with COLSUM_SEEDS in the environment for more.
func TestReplicatedSimulation(t *testing.T) {
	for seed := range uint64(seeds(t, 200)) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { newReplicated(t, seed).run() })
	}
}

// seeds is how many seeds to try: n, or COLSUM_SEEDS.
func seeds(t testing.TB, n int) int {
	t.Helper()
	text := os.Getenv("COLSUM_SEEDS")
	if text == "" {
		return n
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("COLSUM_SEEDS: must be a number from 1, got %q", text)
	}
	return n
}
