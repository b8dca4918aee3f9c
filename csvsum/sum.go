package csvsum

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// Chunk sizes that AutoChunk chooses from.
const (
	minChunk = 4 << 20
	maxChunk = 64 << 20
	maxTasks = 1_000_000
)

// AutoChunk returns the task size for a file of size bytes that slots tasks can run on at once: one task for a small file,
// several for each slot otherwise, so that they end together. Only where that would make more than about a million tasks is
// a chunk larger than 64 MiB.
func AutoChunk(size int64, slots int) int64 {
	const each = 4 // tasks per slot
	slots = max(slots, 1)
	chunk := min(max(size/(int64(slots)*each), minChunk), maxChunk)
	chunk = max(chunk, size/maxTasks+1)
	const unit = 1 << 20
	return (chunk + unit - 1) / unit * unit
}

// Sum sums a whole file on this machine: workers goroutines run the tasks of chunk bytes each (0: AutoChunk). open returns a
// reader that begins at offset off and goes on to the end of the file; about want bytes of it will be read. progress, if not
// nil, is called after each task, from one goroutine at a time, with the bytes of the file that are folded.
//
// It returns the fold of all tasks, or of those up to the first fault of the file (Fold.Fault). Errors are open's and the
// readers', and ctx's.
func Sum(ctx context.Context, open func(ctx context.Context, off, want int64) (io.ReadCloser, error), plan *Plan, chunk int64, workers int, progress func(bytesDone int64)) (*Fold, error) {
	workers = max(workers, 1)
	if chunk == 0 {
		chunk = AutoChunk(plan.Spec.Size, workers)
	}
	if chunk < 0 {
		return nil, atLeastOne("chunk_bytes", int(chunk))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l := &local{
		spec:     &plan.Spec,
		chunk:    chunk,
		tasks:    Tasks(plan.Spec.Size, chunk),
		ahead:    int64(4 * workers),
		fold:     NewFold(plan),
		running:  map[int64]bool{},
		progress: progress,
	}
	l.wake.L = &l.mu
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.wake.Broadcast()
	})
	defer stop()
	var group sync.WaitGroup
	for range min(int64(workers), l.tasks) {
		group.Go(func() {
			if err := l.work(ctx, open); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return l.fold, nil
}

// local is the queue of Sum.
type local struct {
	spec  *Spec
	chunk int64
	tasks int64
	ahead int64 // how far beyond the frontier tasks may run, so that few partials wait

	mu       sync.Mutex // guards what follows
	wake     sync.Cond
	fold     *Fold
	next     int64 // the first task that never ran
	running  map[int64]bool
	progress func(int64)
}

// work runs tasks until none is left.
func (l *local) work(ctx context.Context, open func(ctx context.Context, off, want int64) (io.ReadCloser, error)) error {
	var sc Scanner
	for {
		i, task, ok := l.take(ctx)
		if !ok {
			return ctx.Err()
		}
		p, err := scanTask(ctx, &sc, l.spec, task, open)
		if err != nil {
			return fmt.Errorf("bytes %d to %d: %w", task.Start, task.End, err)
		}
		l.put(i, p)
	}
}

func scanTask(ctx context.Context, sc *Scanner, spec *Spec, task Task, open func(ctx context.Context, off, want int64) (io.ReadCloser, error)) (*Partial, error) {
	if task.Start == task.End {
		return sc.Scan(ctx, spec, task, nil)
	}
	off := task.ReadFrom(spec)
	r, err := open(ctx, off, min(task.End+firstRead, spec.Size)-off)
	if err != nil {
		return nil, err
	}
	p, err := sc.Scan(ctx, spec, task, r)
	if cerr := r.Close(); err == nil && cerr != nil {
		// A reader may find out only at its end that the file changed while it was read.
		return nil, cerr
	}
	return p, err
}

// take returns the next task to run, reruns first, and waits while the run-ahead is exhausted.
func (l *local) take(ctx context.Context) (int64, Task, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ctx.Err() == nil && l.fold.Fault == nil && l.fold.Frontier < l.tasks {
		i, ok := l.pick()
		if ok {
			l.running[i] = true
			start, end := l.spec.TaskRange(i, l.chunk)
			return i, Task{start, end, l.fold.StartState(i)}, true
		}
		l.wake.Wait()
	}
	return 0, Task{}, false
}

// pick chooses the first task that is neither done nor running: one that has to run again, or the next new one.
func (l *local) pick() (int64, bool) {
	for i := l.fold.Frontier; i < l.next; i++ {
		if !l.running[i] && !l.fold.IsDone(i) {
			return i, true
		}
	}
	if l.next < min(l.tasks, l.fold.Frontier+l.ahead) {
		l.next++
		return l.next - 1, true
	}
	return 0, false
}

func (l *local) put(i int64, p *Partial) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, i)
	l.fold.Offer(i, p)
	if l.progress != nil {
		l.progress(min(l.fold.Frontier*l.chunk, l.spec.Size))
	}
	l.wake.Broadcast()
}
