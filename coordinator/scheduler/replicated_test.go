package scheduler

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"

	"github.com/hashicorp/raft"
)

// replicated is a simulation over the real replicated state and the real engine, with a clock of its own: leaders come and go
// over one log, one that was deposed goes on leasing for a while, workers die, pause, forget and fail, what is said is lost,
// repeated and overtaken, the storage goes away, works are submitted and cancelled. After every step the scheduler is held
// against the state and against a ledger of its leases, and in the end every sum is that of the whole file in one task.
type replicated struct {
	rnd     *rand.Rand
	now     time.Time
	dir     string
	state   *fsm.FSM
	log     []*raft.Log
	lead    *simLeader
	deposed *simLeader // still answers workers; nil: there is none
	tokens  rpc.LeaseToken
	files   []*simFile
	workers []*simHand
	wire    []simMessage
	away    map[string]time.Time // until when a storage does not answer
	calm    bool                 // nothing goes wrong any more
	names   int
	strikes map[simTaskID]int // at least as many as any scheduler may have counted
	scanner *csvsum.Scanner
	stats   *simStats
	err     error // the first thing found

	// sabotage is the bug that a test of the simulation plants.
	sabotage sabotage
}

// simStats says how much of what can go wrong did.
type simStats struct {
	seeds, steps, grants, backups, adopted, commits, duplicates, dropped, wrong int
	elections, doomed, cancelled, done                                          int
}

func (s *simStats) add(o *simStats) {
	s.seeds, s.steps, s.grants, s.backups = s.seeds+o.seeds, s.steps+o.steps, s.grants+o.grants, s.backups+o.backups
	s.adopted, s.commits, s.duplicates = s.adopted+o.adopted, s.commits+o.commits, s.duplicates+o.duplicates
	s.dropped, s.wrong, s.elections = s.dropped+o.dropped, s.wrong+o.wrong, s.elections+o.elections
	s.doomed, s.cancelled, s.done = s.doomed+o.doomed, s.cancelled+o.cancelled, s.done+o.done
}

// simLeader is a leader's memory and the ledger of what it gave out.
type simLeader struct {
	s      *Scheduler
	leases ledger
}

// simStores are where the files lie.
var simStores = []string{"a", "b"}

type simFile struct {
	id        rpc.WorkID
	store     string
	text      []byte
	plan      *csvsum.Plan
	chunk     int64
	digest    string
	rows      int64
	submitted bool
	front     int64  // highest frontier seen
	ended     string // status it ended with
	poison    int64  // the task that breaks workers, while not all is calm; noTask: none
	partials  map[simScan]*csvsum.Partial
}

type simScan struct {
	task  int64
	state csvsum.State
}

// simHand is a worker with the tasks it is at.
type simHand struct {
	rpc.Worker
	beat   time.Time
	paused time.Time
	held   []Grant
}

// simMessage is on its way to the leader: results, or a failure. Its worker holds the tasks until it is answered.
type simMessage struct {
	who    rpc.Worker
	grants []Grant
	failed bool
	kind   rpc.FailureKind
}

const (
	simChaos = 120  // steps in which things go wrong, at most
	simCalm  = 3000 // steps after which works that have not ended never will
)

func newReplicated(dir string, seed uint64, bug sabotage, scanner *csvsum.Scanner) (*replicated, error) {
	m := &replicated{
		away: map[string]time.Time{},
		rnd:  rand.New(rand.NewPCG(seed, 7)), now: time.Unix(1e9, 0).UTC(), dir: dir,
		strikes: map[simTaskID]int{}, scanner: scanner, stats: &simStats{seeds: 1}, sabotage: bug,
	}
	var err error
	if m.state, err = m.open("a"); err != nil {
		return nil, err
	}
	for i := range 1 + m.rnd.IntN(3) {
		m.file(i)
	}
	m.elect()
	m.submit(m.files[0])
	return m, nil
}

func (m *replicated) open(name string) (*fsm.FSM, error) {
	return fsm.Open(fsm.Config{Dir: m.dir + "/" + name, Logger: slog.New(slog.DiscardHandler)})
}

// fail records that something is wrong. The first counts.
func (m *replicated) fail(format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf(format, args...)
	}
}

// apply puts a command into the log and applies it.
func (m *replicated) apply(cmd fsm.Command) fsm.Response {
	data, err := fsm.Encode(cmd)
	if err != nil {
		m.fail("encode: %w", err)
		return fsm.Response{}
	}
	m.stats.commits++
	entry := &raft.Log{Index: uint64(len(m.log) + 1), Type: raft.LogCommand, Data: data}
	m.log = append(m.log, entry)
	return m.state.Apply(entry).(fsm.Response)
}

// table is a file with quoted newlines and quotes, so that guesses at a task's state go wrong.
func (m *replicated) table() []byte {
	var b bytes.Buffer
	b.WriteString("a,b,c\n")
	for i := range 3 + m.rnd.IntN(30) {
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

// file makes a file, and finds the truth about it: the same file as one task of another work.
func (m *replicated) file(i int) {
	f := &simFile{id: rpc.WorkID(fmt.Sprint("w", i)), store: simStores[m.rnd.IntN(len(simStores))], text: m.table(), partials: map[simScan]*csvsum.Partial{}}
	size := int64(len(f.text))
	var err error
	if f.plan, err = csvsum.Sniff(f.text, size, csvsum.Options{Columns: csvsum.Columns{First: 1, Every: 2}}); err != nil {
		m.fail("sniff: %w", err)
		return
	}
	f.chunk = max(1, size/(2+m.rnd.Int64N(24)))
	f.poison = noTask
	if m.rnd.IntN(4) == 0 {
		f.poison = m.rnd.Int64N(size / f.chunk)
	}
	whole := fmt.Sprint("whole", i)
	m.begin(whole, f, size)
	m.apply(&fsm.Complete{Time: m.now, Done: []fsm.Completion{{Work: whole, Version: "v", Partial: m.scan(f, 0, size, csvsum.Unknown)}}})
	d, ok := m.state.Document(whole)
	if !ok || d.Status != "done" {
		m.fail("the whole file in one task: %+v", d)
		return
	}
	f.digest, f.rows = d.Digest, d.Rows
	m.files = append(m.files, f)
}

func (m *replicated) scan(f *simFile, start, end int64, state csvsum.State) *csvsum.Partial {
	task := csvsum.Task{Start: start, End: end, State: state}
	p, err := m.scanner.Scan(context.Background(), &f.plan.Spec, task, bytes.NewReader(f.text[task.ReadFrom(&f.plan.Spec):]))
	if err != nil {
		m.fail("scan: %w", err)
	}
	return p
}

// partial is what a worker makes of a task. Its guess at the state may be any.
func (m *replicated) partial(f *simFile, g Grant) *csvsum.Partial {
	at := simScan{g.Task, g.State}
	if g.State == csvsum.Unknown && m.rnd.IntN(3) == 0 {
		at.state = []csvsum.State{csvsum.RecordStart, csvsum.Quoted}[m.rnd.IntN(2)]
	}
	p := f.partials[at]
	if p == nil {
		start, end := f.plan.Spec.TaskRange(g.Task, f.chunk)
		p = m.scan(f, start, end, at.state)
		f.partials[at] = p
	}
	return p
}

func (m *replicated) begin(id string, f *simFile, chunk int64) {
	m.apply(&fsm.Submit{ID: id, Time: m.now, Path: id})
	m.apply(&fsm.Plan{ID: id, Time: m.now, Plan: *f.plan, Version: "v", Chunk: chunk})
}

func (m *replicated) submit(f *simFile) {
	f.submitted = true
	m.begin(string(f.id), f, f.chunk)
	m.adopt(f, false)
}

// adopt makes the leader know a work as the state has it.
func (m *replicated) adopt(f *simFile, inherited bool) {
	if a, ok := m.state.Active(string(f.id)); ok {
		m.lead.s.AddWork(m.now, WorkInfo{
			ID: f.id, Store: f.store, Tasks: a.Tasks, Size: a.Spec.Size, Chunk: a.Chunk, Frontier: a.Frontier, Done: a.Done,
			Reruns: a.Reruns, Window: 1 + m.rnd.Int64N(12), Inherited: inherited,
		})
	}
}

// elect gives the cluster a new leader, who knows what the state says and no more. The old one may go on for a while, and its
// last proposal may have been committed without anybody having been told.
func (m *replicated) elect() {
	m.stats.elections++
	if m.lead != nil && len(m.wire) > 0 && m.rnd.IntN(3) == 0 {
		if msg := m.wire[m.rnd.IntN(len(m.wire))]; !msg.failed {
			m.apply(m.command(msg))
		}
	}
	m.deposed = m.lead
	if m.rnd.IntN(2) == 0 {
		m.deposed = nil
	}
	m.tokens += 1 << 20
	m.lead = &simLeader{s: New(Config{FirstToken: m.tokens, BlindLimit: time.Hour}), leases: ledger{}}
	for _, f := range m.files {
		m.adopt(f, true)
	}
}

// command is the log entry of results.
func (m *replicated) command(msg simMessage) *fsm.Complete {
	cmd := &fsm.Complete{Time: m.now}
	for _, g := range msg.grants {
		f := m.fileOf(g.Work)
		cmd.Done = append(cmd.Done, fsm.Completion{Work: string(g.Work), Task: g.Task, Version: "v", Partial: m.sabotage.partial(m, f, g)})
	}
	return cmd
}

func (m *replicated) fileOf(id rpc.WorkID) *simFile {
	i := slices.IndexFunc(m.files, func(f *simFile) bool { return f.id == id })
	return m.files[i]
}

// isAway reports whether the storage of a task's file does not answer.
func (m *replicated) isAway(g Grant) bool { return m.now.Before(m.away[m.fileOf(g.Work).store]) }

// deliver brings a message to the leader.
func (m *replicated) deliver(msg simMessage) {
	l := m.lead
	if msg.failed {
		for _, g := range msg.grants {
			if l.s.Fail(m.now, msg.who, g.TaskRef, msg.kind, "") && msg.kind == rpc.Broke {
				m.strikes[simTaskID{g.Work, g.Task}]++
			}
			l.leases.end(msg.who.ID, g.TaskRef)
		}
		return
	}
	res := m.apply(m.command(msg))
	for i, g := range msg.grants {
		r := m.sabotage.answer(res.Done[i])
		var reruns map[int64]csvsum.State
		if a, ok := m.state.Active(string(g.Work)); ok {
			reruns = a.Reruns
		}
		l.s.Complete(m.now, msg.who, g.TaskRef, r, reruns)
		m.stats.dropped += len(r.Dropped)
		switch {
		case r.Outcome != fsm.OK && r.Outcome != fsm.Ended:
			m.fail("a result of task %d of %s: outcome %d", g.Task, g.Work, r.Outcome)
		case r.Outcome == fsm.Ended || r.Status.Ended():
			l.leases.done(g.Work, noTask)
		case r.Verdict == csvsum.WrongState:
			m.stats.wrong++
			l.leases.end(msg.who.ID, g.TaskRef)
		default:
			if r.Verdict == csvsum.Duplicate {
				m.stats.duplicates++
			}
			l.leases.done(g.Work, g.Task)
		}
	}
}

// answered tells a worker, if it still lives, that its message has arrived.
func (m *replicated) answered(msg simMessage) {
	for _, k := range m.workers {
		if k.ID == msg.who.ID {
			k.held = slices.DeleteFunc(k.held, func(g Grant) bool {
				return slices.ContainsFunc(msg.grants, func(o Grant) bool { return o.TaskRef == g.TaskRef })
			})
		}
	}
}

// chance is true once in n times, unless all is calm.
func (m *replicated) chance(n int) bool { return m.rnd.IntN(n) == 0 && !m.calm }

// lease has a worker ask for tasks.
func (m *replicated) lease(k *simHand) {
	l := m.lead
	if m.deposed != nil && m.chance(4) {
		l = m.deposed
	}
	lost := m.chance(16)
	ttl, _ := l.s.Timing()
	for _, g := range l.s.Lease(m.now, k.Worker, 1+m.rnd.IntN(3)) {
		m.stats.grants++
		if g.Backup {
			m.stats.backups++
		}
		if err := l.leases.grant(m.now, ttl, k.ID, g); err != nil {
			m.fail("%w", err)
		}
		if a, ok := m.state.Active(string(g.Work)); l == m.lead {
			state, again := csvsum.Unknown, false
			if ok {
				state, again = a.Reruns[g.Task]
			}
			switch {
			case !ok:
				m.fail("a task of %s was leased, which has ended", g.Work)
			case g.Task < a.Frontier || slices.Contains(a.Done, g.Task):
				m.fail("task %d of %s was leased, which is done", g.Task, g.Work)
			case again && g.State != state:
				m.fail("task %d of %s was leased with state %d, not %d", g.Task, g.Work, g.State, state)
			}
		}
		m.sabotage.granted(m, l, g)
		if !lost {
			k.held = append(k.held, g)
		}
	}
}

// heartbeat has a worker name its tasks.
func (m *replicated) heartbeat(k *simHand) {
	k.beat = m.now
	if m.chance(10) {
		return // lost
	}
	l := m.lead
	if m.deposed != nil && m.chance(8) {
		l = m.deposed
	}
	var running []rpc.Running
	for _, g := range k.held {
		r := rpc.Running{TaskRef: g.TaskRef, BytesDone: m.rnd.Int64N(20)}
		if m.isAway(g) {
			r.BytesDone, r.Waiting = 0, silentAfter+time.Second
		}
		running = append(running, r)
	}
	stop := l.s.Heartbeat(m.now, k.Worker, running, false)
	ttl, _ := l.s.Timing()
	for _, r := range running {
		if !slices.Contains(stop, r.TaskRef) {
			if l.leases[r.Token] == nil {
				m.stats.adopted++
			}
			l.leases.name(m.now, ttl, k.ID, r.TaskRef)
		}
	}
	k.held = slices.DeleteFunc(k.held, func(g Grant) bool { return slices.Contains(stop, g.TaskRef) })
}

// turn lets a worker do something about its tasks.
func (m *replicated) turn(k *simHand) {
	if m.now.Before(k.paused) {
		return
	}
	if len(k.held) == 0 || (len(k.held) < k.Slots+1 && m.rnd.IntN(2) == 0) {
		m.lease(k)
		return
	}
	msg := simMessage{who: k.Worker}
	for _, i := range m.rnd.Perm(len(k.held)) {
		if g := k.held[i]; !m.sent(g) && m.rnd.IntN(2) == 0 {
			msg.grants = append(msg.grants, g)
		}
	}
	if out := slices.DeleteFunc(slices.Clone(msg.grants), func(g Grant) bool { return !m.isAway(g) }); len(out) > 0 {
		if msg.grants, msg.failed, msg.kind = out, true, rpc.StorageAway; m.rnd.IntN(3) == 0 { // else it waits for the storage
			m.wire = append(m.wire, msg)
		}
		return
	}
	poison := slices.IndexFunc(msg.grants, func(g Grant) bool { return m.fileOf(g.Work).poison == g.Task })
	switch {
	case len(msg.grants) == 0:
		return
	case poison >= 0 && !m.calm:
		msg.grants, msg.failed, msg.kind = msg.grants[poison:poison+1], true, rpc.Broke
	case m.chance(25):
		msg.failed, msg.kind = true, []rpc.FailureKind{rpc.Broke, rpc.Returned, rpc.NotHere}[m.rnd.IntN(3)]
	}
	m.wire = append(m.wire, msg)
}

// sent reports whether a worker waits for the answer to a message about a task. Now and then it has lost patience.
func (m *replicated) sent(g Grant) bool {
	return !m.chance(8) && slices.ContainsFunc(m.wire, func(msg simMessage) bool {
		return slices.ContainsFunc(msg.grants, func(o Grant) bool { return o.TaskRef == g.TaskRef })
	})
}

// arrive takes a message off the wire, if it is not to come a second time.
func (m *replicated) arrive() {
	i := m.rnd.IntN(len(m.wire))
	msg := m.wire[i]
	if !m.chance(6) {
		m.wire = slices.Delete(m.wire, i, i+1)
	}
	if m.chance(10) {
		return // lost
	}
	m.deliver(msg)
	if !m.chance(8) { // else the answer is lost, and it will be sent again
		m.answered(msg)
	}
}

func (m *replicated) step() {
	m.stats.steps++
	k := m.workers
	switch n := m.rnd.IntN(100); {
	case len(k) == 0 || (n < 4 && len(k) < 5):
		m.names++
		id := rpc.WorkerID(fmt.Sprint("k", m.names))
		m.workers = append(m.workers, &simHand{Worker: rpc.Worker{ID: id, Slots: 1 + m.rnd.IntN(4)}})
	case n < 50:
		m.turn(k[m.rnd.IntN(len(k))])
	case n < 80 && len(m.wire) > 0:
		m.arrive()
	case n < 95 || m.calm:
		m.turn(k[m.rnd.IntN(len(k))])
	default:
		m.trouble()
	}
	m.pass(time.Duration(m.rnd.IntN(250)) * time.Millisecond)
}

// trouble is what happens more rarely.
func (m *replicated) trouble() {
	i := m.rnd.IntN(len(m.workers))
	k := m.workers[i]
	switch m.rnd.IntN(8) {
	case 0: // dies; what it sent may still arrive
		m.workers = slices.Delete(m.workers, i, i+1)
	case 1: // starts anew under its name
		k.held = nil
	case 2:
		k.paused = m.now.Add(time.Duration(m.rnd.IntN(12)) * time.Second)
	case 3, 4:
		m.elect()
	case 5:
		m.away[simStores[m.rnd.IntN(len(simStores))]] = m.now.Add(time.Duration(m.rnd.IntN(8)) * time.Second)
	case 6: // the leader stands still
		m.pass(time.Duration(m.rnd.IntN(8)) * time.Second)
	case 7:
		f := m.files[m.rnd.IntN(len(m.files))]
		switch {
		case !f.submitted:
			m.submit(f)
		case m.rnd.IntN(2) > 0:
			m.lead.s.SetWindow(m.now, f.id, 1+m.rnd.Int64N(12))
		case m.apply(&fsm.Cancel{ID: string(f.id), Time: m.now}).Outcome == fsm.OK:
			m.stats.cancelled++
			m.lead.s.RemoveWork(f.id)
			m.lead.leases.done(f.id, noTask)
		}
	}
}

// pass lets time go by.
func (m *replicated) pass(d time.Duration) {
	m.now = m.now.Add(d)
	for _, l := range []*simLeader{m.lead, m.deposed} {
		if l != nil {
			l.leases.expire(m.now, m.strikes)
			l.s.Expire(m.now)
		}
	}
	for _, k := range m.workers {
		if !m.now.Before(k.paused) && m.now.Sub(k.beat) >= time.Second {
			m.heartbeat(k)
		}
	}
	for _, d := range m.lead.s.TakeDoomed() {
		m.doom(d)
	}
	m.sabotage.passed(m)
	m.check()
}

// doom ends a work as the leader would, and looks whether there was a reason.
func (m *replicated) doom(d Doom) {
	m.stats.doomed++
	id := simTaskID{d.Work, *d.Error.Byte / m.fileOf(d.Work).chunk}
	if d.Error.Code != "task_poisoned" || m.strikes[id] < strikeLimit {
		m.fail("work %s doomed (%s) after %d strikes on task %d", d.Work, d.Error.Code, m.strikes[id], id.task)
	}
	m.apply(&fsm.Fail{ID: string(d.Work), Time: m.now, Error: d.Error})
	m.lead.s.RemoveWork(d.Work)
	m.lead.leases.done(d.Work, noTask)
}

// check looks at what must hold after every step.
func (m *replicated) check() {
	if err := m.lead.s.check(m.now); err != nil {
		m.fail("%w", err)
	}
	for _, f := range m.files {
		w := m.lead.s.works[f.id]
		a, active := m.state.Active(string(f.id))
		if active != (w != nil) {
			m.fail("work %s: active %v, known to the leader %v", f.id, active, w != nil)
			continue
		}
		if !active {
			if s, ok := m.state.Summary(string(f.id)); ok {
				if f.ended != "" && f.ended != string(s.Status) {
					m.fail("work %s was %s and is %s", f.id, f.ended, s.Status)
				}
				f.ended = string(s.Status)
			}
			continue
		}
		if f.ended != "" {
			m.fail("work %s was %s and is %s", f.id, f.ended, a.Status)
		}
		if a.Frontier < f.front {
			m.fail("work %s: the frontier went back from %d to %d", f.id, f.front, a.Frontier)
		}
		f.front = a.Frontier
		done := 0
		for i := range w.Tasks {
			if w.isDone(i) {
				done++
				if i >= a.Frontier && !slices.Contains(a.Done, i) {
					m.fail("work %s: task %d is not done, and the leader takes it for done", f.id, i)
				}
			}
		}
		if want := int(a.Frontier) + len(a.Done); done != want {
			m.fail("work %s: %d tasks are done, the leader knows of %d", f.id, want, done)
		}
	}
}

func (m *replicated) over() bool {
	return !slices.ContainsFunc(m.files, func(f *simFile) bool { return f.ended == "" })
}

// run lets things go wrong for a while, then until all works have ended, and checks their sums and that another node comes to
// the same state.
func (m *replicated) run() error {
	defer m.state.Close()
	for range simChaos/4 + m.rnd.IntN(simChaos*3/4) {
		if m.err != nil || m.over() {
			break
		}
		m.step()
	}
	m.calm, m.away, m.deposed = true, nil, nil
	for _, f := range m.files {
		if !f.submitted {
			m.submit(f)
		}
	}
	for _, k := range m.workers {
		k.paused = time.Time{}
	}
	m.check()
	for steps := 0; m.err == nil && !m.over(); steps++ {
		if steps == simCalm {
			m.fail("works do not end: %+v", m.lead.s.Stats())
		}
		m.step()
	}
	for _, f := range m.files {
		d, ok := m.state.Document(string(f.id))
		if !ok {
			m.fail("work %s has no document", f.id)
			break
		}
		if d.Status == "done" {
			m.stats.done++
			if d.Digest != f.digest || d.Rows != f.rows {
				m.fail("work %s: digest %s of %d rows, want %s of %d", f.id, d.Digest, d.Rows, f.digest, f.rows)
			}
		}
	}
	if m.err == nil {
		m.replay()
	}
	return m.err
}

// replay gives the log to another node, in batches, some of them followed by a snapshot.
func (m *replicated) replay() {
	other, err := m.open("b")
	if err != nil {
		m.fail("%w", err)
		return
	}
	defer other.Close()
	log := m.sabotage.replayed(m.log)
	for at, snapshot := 0, m.rnd.IntN(len(log)); at < len(log); {
		n := min(1+m.rnd.IntN(16), len(log)-at)
		other.ApplyBatch(log[at : at+n])
		if at <= snapshot && snapshot < at+n { // goes on from a snapshot
			var archive bytes.Buffer
			if err := other.Backup(&archive); err != nil {
				m.fail("backup: %w", err)
			}
			if err := other.Restore(io.NopCloser(&archive)); err != nil {
				m.fail("restore: %w", err)
			}
		}
		at += n
	}
	_, got, err := other.Hash()
	_, want, err2 := m.state.Hash()
	if err != nil || err2 != nil || got != want {
		m.fail("another node's state is %x, want %x (%v, %v)", got, want, err, err2)
	}
}
