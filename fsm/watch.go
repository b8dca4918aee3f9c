package fsm

import "context"

// watchers are the channels that are closed at a change. A work that nobody watches has none.
type watchers struct {
	works map[string]chan struct{}
	index chan struct{} // closed when the applied index moves; nil while nobody waits
}

func newWatchers() watchers { return watchers{works: map[string]chan struct{}{}} }

func (w *watchers) changed(id string) {
	if ch, ok := w.works[id]; ok {
		close(ch)
		delete(w.works, id)
	}
}

func (w *watchers) applied() {
	if w.index != nil {
		close(w.index)
		w.index = nil
	}
}

func (w *watchers) closeAll() {
	for id := range w.works {
		w.changed(id)
	}
	w.applied()
}

// closedChan is what a watcher of nothing gets.
var closedChan = func() chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}()

// Changed returns a channel that is closed at the next change of the work, at its removal, when the state is restored and
// by Close. For an unknown work (and after Close) the channel is closed already. Take the channel first, then the
// document: so no change is missed. All watchers of a work share one channel; abandoning it costs nothing.
func (f *FSM) Changed(id string) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.state.works[id]
	if f.db == nil || w == nil {
		return closedChan
	}
	ch, ok := f.watch.works[id]
	if !ok {
		ch = make(chan struct{})
		f.watch.works[id] = ch
	}
	return ch
}

// AppliedIndex returns the index of the last log entry that the queries show; 0 for none. Entries that raft keeps to
// itself (no-ops, barriers) do not move it: it may stay behind the commit index for good while nothing else comes.
func (f *FSM) AppliedIndex() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.applied
}

// WaitApplied returns nil once AppliedIndex is at least index, ctx's error when that ends first, ErrClosed after Close.
func (f *FSM) WaitApplied(ctx context.Context, index uint64) error {
	for {
		f.mu.Lock()
		if f.applied >= index {
			f.mu.Unlock()
			return nil
		}
		if f.watch.index == nil {
			f.watch.index = make(chan struct{})
		}
		moved := f.watch.index
		f.mu.Unlock()
		select {
		case <-moved:
		case <-f.closed:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
