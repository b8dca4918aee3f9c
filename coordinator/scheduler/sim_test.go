package scheduler

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"
)

// sim is a cluster without sockets: the replicated state as far as the scheduler depends on it, and workers that die,
// pause, forget, repeat themselves and come back.
type sim struct {
	t       testing.TB
	rnd     *rand.Rand
	now     time.Time
	s       *Scheduler
	tokens  rpc.LeaseToken
	works   map[rpc.WorkID]*simWork
	workers []*simWorker
	late    []simLate // completions still on their way from workers that may be dead
	names   int
}

type simWork struct {
	tasks, frontier int64
	done            map[int64]bool // at or beyond frontier
	reruns          map[int64]csvsum.State
	upset           map[int64]bool // was dropped or refused for its state once: not again
	strikes         map[int64]int
	ended           bool
}

type simWorker struct {
	rpc.Worker
	beat   time.Time
	paused time.Time
	tasks  []simTask
}

type simTask struct {
	ref  rpc.TaskRef
	ends time.Time
}

type simLate struct {
	who rpc.Worker
	ref rpc.TaskRef
}

func newSim(t testing.TB, seed uint64) *sim {
	m := &sim{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0), works: map[rpc.WorkID]*simWork{}}
	m.elect()
	for i := range 1 + m.rnd.IntN(4) {
		m.works[rpc.WorkID(fmt.Sprint("w", i))] = &simWork{
			tasks: 1 + m.rnd.Int64N(30), done: map[int64]bool{}, reruns: map[int64]csvsum.State{},
			upset: map[int64]bool{}, strikes: map[int64]int{},
		}
	}
	m.addWorks(false)
	for range 1 + m.rnd.IntN(4) {
		m.hire()
	}
	return m
}

// elect gives the cluster a new leader with an empty memory.
func (m *sim) elect() {
	m.tokens += 1 << 20
	m.s = New(Config{FirstToken: m.tokens, BlindLimit: time.Hour})
}

func (m *sim) addWorks(inherited bool) {
	for i := range 10 {
		id := rpc.WorkID(fmt.Sprint("w", i))
		w := m.works[id]
		if w == nil || w.ended {
			continue
		}
		info := WorkInfo{
			ID: id, Tasks: w.tasks, Size: w.tasks * 100, Chunk: 100, Frontier: w.frontier,
			Reruns: w.reruns, Window: 1 + m.rnd.Int64N(12), Inherited: inherited,
		}
		for i := w.frontier; i < w.tasks; i++ {
			if w.done[i] {
				info.Done = append(info.Done, i)
			}
		}
		m.s.AddWork(m.now, info)
		if inherited { // strikes live in the leader's memory
			clear(w.strikes)
		}
	}
}

func (m *sim) hire() {
	m.names++
	m.workers = append(m.workers, &simWorker{Worker: rpc.Worker{ID: rpc.WorkerID(fmt.Sprint("k", m.names)), Slots: 1 + m.rnd.IntN(4)}})
}

// complete is the replicated state's part in a completion, and the scheduler's.
func (m *sim) complete(who rpc.Worker, ref rpc.TaskRef) {
	w := m.works[ref.Work]
	var res fsm.CompletionResult
	switch {
	case w.ended:
		res.Outcome = fsm.Ended
	case w.done[ref.Task] || ref.Task < w.frontier:
		res.Verdict = csvsum.Duplicate
	case !w.upset[ref.Task] && m.rnd.IntN(10) == 0:
		res.Verdict = csvsum.WrongState
		w.upset[ref.Task] = true
		w.reruns[ref.Task] = csvsum.Quoted
	default:
		delete(w.reruns, ref.Task)
		w.done[ref.Task] = true
		for w.done[w.frontier] {
			delete(w.done, w.frontier)
			w.frontier++
		}
		for i := w.frontier; i < w.tasks; i++ {
			if w.done[i] && i != ref.Task && !w.upset[i] && m.rnd.IntN(20) == 0 {
				delete(w.done, i)
				w.upset[i] = true
				w.reruns[i] = csvsum.Quoted
				res.Dropped = append(res.Dropped, i)
			}
		}
		if w.ended = w.frontier == w.tasks; w.ended {
			res.Status = fsm.Done
		}
	}
	m.s.Complete(m.now, who, ref, res, w.reruns)
}

func (m *sim) lease(k *simWorker) {
	held := map[rpc.LeaseToken]bool{}
	for _, t := range k.tasks {
		held[t.ref.Token] = true
	}
	for _, g := range m.s.Lease(m.now, k.Worker, 1+m.rnd.IntN(4)) {
		w := m.works[g.Work]
		if w.ended || w.done[g.Task] || g.Task < w.frontier {
			m.t.Fatalf("leased task %d of %s, which is done", g.Task, g.Work)
		}
		if held[g.Token] {
			m.t.Fatalf("token %d given twice", g.Token)
		}
		if want, ok := w.reruns[g.Task]; ok && g.State != want {
			m.t.Fatalf("task %d of %s leased with state %d, want %d", g.Task, g.Work, g.State, want)
		}
		if m.rnd.IntN(20) == 0 {
			w.strikes[g.Task]++ // should the worker die before the lease has run out
			continue            // the reply is lost
		}
		ends := m.now.Add(time.Duration(m.rnd.IntN(4000)) * time.Millisecond)
		if m.rnd.IntN(20) == 0 {
			ends = m.now.Add(time.Minute)
		}
		k.tasks = append(k.tasks, simTask{g.TaskRef, ends})
	}
}

func (m *sim) heartbeat(k *simWorker) {
	k.beat = m.now
	var running []rpc.Running
	for _, t := range k.tasks {
		running = append(running, rpc.Running{TaskRef: t.ref, BytesDone: m.rnd.Int64N(200)})
	}
	for _, ref := range m.s.Heartbeat(m.now, k.Worker, running, false) {
		for i, t := range k.tasks {
			if t.ref == ref {
				k.tasks = append(k.tasks[:i], k.tasks[i+1:]...)
				break
			}
		}
	}
}

// step lets a little time pass. Without chaos workers only work.
func (m *sim) step(chaos bool) {
	m.now = m.now.Add(time.Duration(m.rnd.IntN(400)) * time.Millisecond)
	m.s.Expire(m.now)
	live := m.workers[:0]
	for _, k := range m.workers {
		if chaos && m.rnd.IntN(80) == 0 { // dies; what it finished may still arrive
			for _, t := range k.tasks {
				m.works[t.ref.Work].strikes[t.ref.Task]++
				if m.rnd.IntN(2) == 0 {
					m.late = append(m.late, simLate{k.Worker, t.ref})
				}
			}
			continue
		}
		live = append(live, k)
		if chaos && m.rnd.IntN(80) == 0 {
			k.paused = m.now.Add(time.Duration(m.rnd.IntN(12)) * time.Second)
			for _, t := range k.tasks { // it may be taken for dead
				m.works[t.ref.Work].strikes[t.ref.Task]++
			}
		}
		if m.now.Before(k.paused) {
			continue
		}
		if m.now.Sub(k.beat) >= time.Second {
			m.heartbeat(k)
		}
		m.work(k, chaos)
		if len(k.tasks) < k.Slots+1 {
			m.lease(k)
		}
	}
	m.workers = live
	if chaos {
		m.trouble()
	}
	for _, d := range m.s.TakeDoomed() {
		m.doomed(d)
	}
	if err := m.s.check(m.now); err != nil {
		m.t.Fatal(err)
	}
	m.compare()
}

// work ends the tasks of a worker whose time is up.
func (m *sim) work(k *simWorker, chaos bool) {
	var left []simTask
	for _, t := range k.tasks {
		if m.now.Before(t.ends) {
			left = append(left, t)
			continue
		}
		switch n := m.rnd.IntN(40); {
		case chaos && n == 0:
			m.works[t.ref.Work].strikes[t.ref.Task]++
			m.s.Fail(m.now, k.Worker, t.ref, rpc.Broke, "broke")
		case chaos && n == 1:
			m.s.Fail(m.now, k.Worker, t.ref, rpc.Returned, "")
		case chaos && n < 4:
			m.s.Fail(m.now, k.Worker, t.ref, rpc.StorageAway, "")
		case chaos && n == 4:
			m.s.Fail(m.now, k.Worker, t.ref, rpc.NotHere, "")
		case chaos && n == 5: // forgotten: a worker that restarted under its name
			m.works[t.ref.Work].strikes[t.ref.Task]++
		default:
			m.complete(k.Worker, t.ref)
			if chaos && n == 6 {
				m.complete(k.Worker, t.ref)
			}
		}
	}
	k.tasks = left
}

func (m *sim) trouble() {
	if len(m.late) > 0 && m.rnd.IntN(5) == 0 {
		l := m.late[0]
		m.late = m.late[1:]
		m.complete(l.who, l.ref)
	}
	if m.rnd.IntN(60) == 0 && len(m.workers) < 6 {
		m.hire()
	}
	if m.rnd.IntN(100) == 0 {
		m.elect()
		m.addWorks(true)
	}
}

// doomed ends a work as the leader would, and looks whether there was a reason.
func (m *sim) doomed(d Doom) {
	w := m.works[d.Work]
	task := *d.Error.Byte / 100
	if d.Error.Code != "task_poisoned" || w.strikes[task] < strikeLimit {
		m.t.Fatalf("work %s doomed (%s) after %d strikes on task %d", d.Work, d.Error.Code, w.strikes[task], task)
	}
	w.ended = true
	m.s.RemoveWork(d.Work)
}

// compare holds the scheduler's idea of what is done against the state.
func (m *sim) compare() {
	for id, w := range m.works {
		k := m.s.works[id]
		if (k == nil) != w.ended {
			m.t.Fatalf("work %s: ended %v, known %v", id, w.ended, k != nil)
		}
		for i := int64(0); k != nil && i < w.tasks; i++ {
			if want := w.done[i] || i < w.frontier; k.isDone(i) != want {
				m.t.Fatalf("work %s: task %d done %v, want %v", id, i, k.isDone(i), want)
			}
		}
	}
}

func (m *sim) finished() bool {
	for _, w := range m.works {
		if !w.ended {
			return false
		}
	}
	return true
}

// Whatever workers and leaders do, no task is lost or leased twice, and the works end as soon as one worker lives.
func TestSimulation(t *testing.T) {
	seeds := 3000
	if testing.Short() {
		seeds = 300
	}
	poisoned, done := 0, 0
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := newSim(t, uint64(seed))
			for range 250 {
				m.step(true)
			}
			m.hire()
			for n := 0; !m.finished(); n++ {
				if n == 5000 {
					t.Fatalf("works do not end: %+v", m.s.Stats())
				}
				m.step(false)
			}
			for _, w := range m.works {
				if w.frontier == w.tasks {
					done++
				} else {
					poisoned++
				}
			}
		})
	}
	t.Logf("%d works done, %d poisoned", done, poisoned)
	if !t.Failed() && (done == 0 || poisoned == 0) {
		t.Errorf("%d works done, %d poisoned: the simulation is too tame", done, poisoned)
	}
}
