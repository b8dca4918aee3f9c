package fsm

import (
	"context"
	"maps"
	"slices"
	"strconv"

	bolt "go.etcd.io/bbolt"

	"colsum/csvsum"
)

// Document returns the result document of a work, with the sums so far of a running one; false for an unknown work and
// after Close. BytesPerSecond is the average from plan to end, 0 until then; StorageUnreachableSince is left nil. The file
// being damaged is a broken invariant: it panics.
func (f *FSM) Document(id string) (*csvsum.Document, bool) {
	for {
		f.mu.RLock()
		w := f.state.works[id]
		if w == nil || f.db == nil {
			f.mu.RUnlock()
			return nil, false
		}
		seq, index, ready := w.seq, w.changed, w.changed <= f.applied
		if ready {
			db := f.db.acquire()
			f.mu.RUnlock()
			d := db.document(seq)
			db.release()
			if d != nil {
				return d, true
			}
			continue // forgotten meanwhile: look again
		}
		f.mu.RUnlock()
		// The work's last change is on its way to the file: a matter of one transaction.
		if f.WaitApplied(context.Background(), index) != nil {
			return nil, false
		}
	}
}

// document reads the document of a work; nil if it is not there.
func (d *database) document(seq uint64) (doc *csvsum.Document) {
	err := d.bolt.View(func(tx *bolt.Tx) error {
		key := seqKey(seq)
		if b := tx.Bucket(bucketDocs).Get(key); b != nil {
			var err error
			doc, err = decodeDocument(b)
			return err
		}
		b := tx.Bucket(bucketWorks).Get(key)
		if b == nil {
			return nil
		}
		var h head
		if err := unmarshal(b, &h); err != nil {
			return err
		}
		if h.Plan == nil {
			doc = h.document(h.Progress, noResult())
			return nil
		}
		var r foldRecord
		if err := unmarshal(tx.Bucket(bucketFolds).Get(key), &r); err != nil {
			return err
		}
		h.Mtime = r.Mtime
		doc = h.document(r.Progress, r.Fold.Result(h.Plan, false))
		return nil
	})
	if err != nil {
		panic("fsm: read document of work " + strconv.FormatUint(seq, 10) + ": " + err.Error())
	}
	return doc
}

// Summaries lists works, newest first: those of one status, or all for "". It returns at most limit (at least 1) of those
// that follow the place `after` stands for: "" for the beginning, or the next of an earlier call, which stays good when
// works come, end or are forgotten. next is "" on the last page. An `after` that is neither lists nothing.
func (f *FSM) Summaries(status Status, limit int, after string) (list []Summary, next string) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	works := f.state.all.list
	if status != "" {
		o := f.state.byStatus[status]
		if o == nil {
			return nil, ""
		}
		works = o.list
	}
	n := len(works)
	if after != "" {
		seq, err := strconv.ParseUint(after, 10, 64)
		if err != nil {
			return nil, ""
		}
		n, _ = slices.BinarySearchFunc(works, &work{seq: seq}, bySeq)
	}
	stop := max(0, n-max(1, limit))
	for i := n - 1; i >= stop; i-- {
		list = append(list, works[i].summary())
	}
	if stop > 0 {
		next = strconv.FormatUint(works[stop].seq, 10)
	}
	return list, next
}

// Summary returns one work without its sums; false for an unknown one.
func (f *FSM) Summary(id string) (Summary, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	w := f.state.works[id]
	if w == nil {
		return Summary{}, false
	}
	return w.summary(), true
}

func (w *work) summary() Summary {
	h := &w.head
	progress := h.Progress.doc()
	progress.BytesPerSecond = h.speed()
	return Summary{
		ID:       h.ID,
		Path:     h.Path,
		Status:   h.Status,
		Ctime:    fromNanos(h.Ctime),
		Mtime:    fromNanos(h.Mtime),
		Error:    cloneError(h.Error),
		Progress: progress,
		Planned:  fromNanos(h.Planned),
	}
}

// Active returns a queued or running work; false for any other. The cost grows with the tasks done beyond the frontier.
func (f *FSM) Active(id string) (*Active, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	w := f.state.works[id]
	if w == nil || w.head.Status.Ended() {
		return nil, false
	}
	a := &Active{Summary: w.summary(), Options: *w.head.Options}
	a.Options.Quote = clone(a.Options.Quote)
	a.Options.Columns.List = slices.Clone(a.Options.Columns.List)
	if w.fold == nil {
		return a, true
	}
	a.Spec = w.head.Plan.Spec
	a.Spec.Selection.Numbers = slices.Clone(a.Spec.Selection.Numbers)
	a.Version, a.Chunk, a.Tasks = w.head.Version, w.head.Chunk, w.tasks
	a.Frontier, a.FrontierState = w.fold.Frontier, w.fold.FrontierState
	a.Known, a.KnownState = w.fold.Known, w.fold.KnownState
	a.Reruns = maps.Clone(w.fold.Reruns)
	a.Done = make([]int64, 0, w.fold.DoneCount())
	w.fold.Done(func(i int64, _ *csvsum.Partial) { a.Done = append(a.Done, i) })
	return a, true
}

// StartState returns the state a task of a running work must be run with; csvsum.Unknown while nobody knows, and for a work
// that does not run. Cheap.
func (f *FSM) StartState(id string, task int64) csvsum.State {
	f.mu.RLock()
	defer f.mu.RUnlock()
	w := f.state.works[id]
	if w == nil || w.fold == nil {
		return csvsum.Unknown
	}
	return w.fold.StartState(task)
}

// ActiveIDs returns the queued and running works, oldest first.
func (f *FSM) ActiveIDs() []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	ids := make([]string, len(f.state.active.list))
	for i, w := range f.state.active.list {
		ids[i] = w.head.ID
	}
	return ids
}

// Counts returns the counts; it does not walk the works.
func (f *FSM) Counts() Counts {
	f.mu.RLock()
	defer f.mu.RUnlock()
	n := func(s Status) int { return len(f.state.byStatus[s].list) }
	return Counts{
		Queued:       n(Queued),
		Running:      n(Running),
		Done:         n(Done),
		Failed:       n(Failed),
		Cancelled:    n(Cancelled),
		TasksDone:    f.state.tasksDone,
		TasksPending: f.state.tasksTotal - f.state.tasksDone,
	}
}

// Nodes returns the nodes that were announced, by id.
func (f *FSM) Nodes() []Node {
	f.mu.RLock()
	defer f.mu.RUnlock()
	list := make([]Node, 0, len(f.state.nodes))
	for _, id := range slices.Sorted(maps.Keys(f.state.nodes)) {
		list = append(list, f.state.nodes[id])
	}
	return list
}
