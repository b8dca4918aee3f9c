package fsm

import (
	"bytes"
	"slices"

	"colsum/csvsum"
)

// work is a work in memory. Ended works are a head alone; their documents stay in the file.
type work struct {
	seq   uint64 // the order of submission, and the key of the work in the file
	head  head
	tasks int64        // of the plan
	fold  *csvsum.Fold // while running
	// changed is the index of the last entry that changed the work: documents wait until that is in the file.
	changed uint64
	gone    bool // forgotten, and not yet out of every index
	// stored is how many partials of the work are in the file. Used by the applying goroutine alone.
	stored int64
}

// state is the whole replicated state in memory, but for documents of ended works. It is a mirror of the file.
type state struct {
	next     uint64 // sequence number of the next work
	works    map[string]*work
	keys     map[string]*work
	nodes    map[string]Node
	all      ordered             // by seq
	byStatus map[Status]*ordered // by seq
	active   ordered             // queued and running, by seq
	ended    ordered             // by Mtime, then seq
	// Over the running works.
	tasksDone, tasksTotal int64
}

func newState() *state {
	s := &state{
		next:     1,
		works:    map[string]*work{},
		keys:     map[string]*work{},
		nodes:    map[string]Node{},
		byStatus: map[Status]*ordered{},
		all:      ordered{cmp: bySeq},
		active:   ordered{cmp: bySeq},
		ended:    ordered{cmp: byEnd},
	}
	for _, status := range []Status{Queued, Running, Done, Failed, Cancelled} {
		s.byStatus[status] = &ordered{cmp: bySeq}
	}
	return s
}

// add takes a work into every index it belongs to. Its head is complete.
func (s *state) add(w *work) {
	s.works[w.head.ID] = w
	if w.head.Key != "" {
		s.keys[w.head.Key] = w
	}
	s.all.insert(w)
	s.enter(w)
}

// enter and leave put a work into, or take it out of, the indices that depend on its status, end and progress. Around any
// change of those stands leave, change, enter.
func (s *state) enter(w *work) {
	s.byStatus[w.head.Status].insert(w)
	if w.head.Status.Ended() {
		s.ended.insert(w)
	} else {
		s.active.insert(w)
	}
	if w.head.Status == Running {
		s.tasksDone += w.head.Progress.Tasks
		s.tasksTotal += w.tasks
	}
}

func (s *state) leave(w *work) {
	s.byStatus[w.head.Status].remove(w)
	if w.head.Status.Ended() {
		s.ended.remove(w)
	} else {
		s.active.remove(w)
	}
	if w.head.Status == Running {
		s.tasksDone -= w.head.Progress.Tasks
		s.tasksTotal -= w.tasks
	}
}

// forget takes ended works out of the state. The slice is a copy of part of the ended index.
func (s *state) forget(list []*work) {
	for _, w := range list {
		w.gone = true
		delete(s.works, w.head.ID)
		if w.head.Key != "" {
			delete(s.keys, w.head.Key)
		}
	}
	s.all.removeAll()
	s.ended.removeAll()
	for _, status := range []Status{Done, Failed, Cancelled} {
		s.byStatus[status].removeAll()
	}
}

// advance brings the progress of a running work in line with its fold.
func (s *state) advance(w *work) {
	before := w.head.Progress.Tasks
	w.head.Progress = w.progress()
	s.tasksDone += w.head.Progress.Tasks - before
}

func (w *work) progress() progress {
	size := w.head.Plan.Spec.Size
	f := w.fold
	p := progress{
		Bytes:      size,
		BytesTotal: size,
		Tasks:      f.Frontier + f.DoneCount(),
		TasksTotal: w.tasks,
		Rows:       f.Rows,
	}
	if f.Frontier < w.tasks {
		// All tasks are of one chunk but the last.
		p.Bytes = f.Frontier * w.head.Chunk
		if full := f.DoneCount(); full > 0 {
			if f.IsDone(w.tasks - 1) {
				full--
				p.Bytes += size - (w.tasks-1)*w.head.Chunk
			}
			p.Bytes += full * w.head.Chunk
		}
	}
	return p
}

// later returns the newer of the two times: a work's Mtime does not go back when a leader's clock is behind the last one's.
func later(a, b int64) int64 { return max(a, b) }

func sameHash(a, b []byte) bool { return bytes.Equal(a, b) }

// oldestEnded returns the works that ended at before or earlier, at most limit, 0 for no bound.
func (s *state) oldestEnded(before int64, limit int) []*work {
	list := s.ended.list
	n, _ := slices.BinarySearchFunc(list, before, func(w *work, t int64) int {
		if w.head.Mtime <= t {
			return -1
		}
		return 1
	})
	if limit > 0 {
		n = min(n, limit)
	}
	return slices.Clone(list[:n])
}
