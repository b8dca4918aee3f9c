package worker

import (
	"context"
	"io"
	"runtime/debug"
	"sync/atomic"

	"colsum/csvsum"
	"colsum/rpc"
	"colsum/storage"
)

// runSlot runs one task after another until ctx ends.
func (w *Worker) runSlot(ctx context.Context) {
	scanner := new(csvsum.Scanner)
	for {
		task, cancel := context.WithCancelCause(ctx)
		it := w.board.take(cancel)
		if it == nil {
			cancel(nil)
			select {
			case <-w.board.work:
				continue
			case <-ctx.Done():
				return
			}
		}
		p, err := w.runTask(task, scanner, it)
		if err == nil {
			w.board.finish(it, p, rpc.Failure{})
		} else {
			if _, broken := err.(*panicError); broken {
				// Nobody knows what state it is in.
				scanner = new(csvsum.Scanner)
			}
			w.board.finish(it, nil, w.report(task, it, err))
		}
		cancel(nil)
	}
}

// runTask reads and sums one range. A panic is returned as a *panicError.
func (w *Worker) runTask(ctx context.Context, scanner *csvsum.Scanner, it *item) (p *csvsum.Partial, err error) {
	defer func() {
		if v := recover(); v != nil {
			p, err = nil, &panicError{v, debug.Stack()}
		}
	}()
	// The board may change the token meanwhile, and nothing else of the task.
	spec := &it.task.Spec
	task := csvsum.Task{Start: it.task.Start, End: it.task.End, State: it.task.State}
	from := task.ReadFrom(spec)
	r, err := w.store.Open(ctx, storage.Info{Path: it.task.Path, Size: spec.Size, Version: it.task.Version}, from, task.End-from)
	if err != nil {
		return nil, err
	}
	defer func() {
		// A store may check only here that it read one version all along: without that there is no result.
		if e := r.Close(); e != nil && err == nil {
			p, err = nil, e
		}
	}()
	return scanner.Scan(ctx, spec, task, &counter{r, &it.read})
}

// report logs a task's error and says what to tell the leader.
func (w *Worker) report(ctx context.Context, it *item, err error) rpc.Failure {
	if cause := context.Cause(ctx); cause == errDropped || cause == errGraceOver {
		err = cause // whatever the reader made of it
	}
	f := failureOf(err)
	log := w.log.With("work", string(it.task.Work), "task", it.task.Task, "path", it.task.Path)
	switch e, broken := err.(*panicError); {
	case broken:
		log.Error("task panicked", "panic", e.value, "stack", string(e.stack))
	case err == errDropped:
		log.Debug("task stopped")
	case f.Kind == rpc.Returned:
		log.Info("task handed back")
	default:
		log.Warn("task failed", "code", f.Code, "err", err)
	}
	return f
}

// counter counts what is read, for heartbeats to tell.
type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
