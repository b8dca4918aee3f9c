package worker

import (
	"context"
	"io"
	"runtime/debug"

	"colsum/csvsum"
	"colsum/rpc"
	"colsum/storage"
)

// runSlot runs one task after another until ctx ends. It does so in turn: of all the slots, Config.Slots are at work, the
// others stand by or wait for a silent storage.
func (w *Worker) runSlot(ctx context.Context) {
	for {
		select {
		case w.turns <- struct{}{}:
		case <-ctx.Done():
			return
		}
		task, cancel := context.WithCancelCause(ctx)
		it := w.board.take(cancel)
		if it == nil {
			cancel(nil)
			<-w.turns
			select {
			case <-w.board.work:
				continue
			case <-ctx.Done():
				return
			}
		}
		scanner := w.scanner()
		p, err := w.runTask(task, scanner, it)
		if _, broken := err.(*panicError); !broken { // else nobody knows what state it is in
			w.keep(scanner)
		}
		if err == nil {
			w.board.finish(it, p, rpc.Failure{})
		} else {
			w.board.finish(it, nil, w.report(task, it, err))
		}
		cancel(nil)
		<-w.turns
	}
}

// scanner returns one that is not in use. They have large buffers, so as many as there are slots are kept.
func (w *Worker) scanner() *csvsum.Scanner {
	select {
	case s := <-w.scanners:
		return s
	default:
		return new(csvsum.Scanner)
	}
}

func (w *Worker) keep(s *csvsum.Scanner) {
	select {
	case w.scanners <- s:
	default:
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
	turn := newTurn(w, it)
	r, err := turn.open(func() (io.ReadCloser, error) {
		return w.store.Open(ctx, storage.Info{Path: it.task.Path, Size: spec.Size, Version: it.task.Version}, from, task.End-from)
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		// A store may check only here that it read one version all along: without that there is no result.
		if e := r.Close(); e != nil && err == nil {
			p, err = nil, e
		}
	}()
	return scanner.Scan(ctx, spec, task, &counter{r, turn})
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

// counter counts what is read, for heartbeats to tell, and minds the turn of a task that waits.
type counter struct {
	r    io.Reader
	turn *turn
}

func (c *counter) Read(p []byte) (int, error) {
	c.turn.wait()
	defer c.turn.goOn()
	n, err := c.r.Read(p)
	c.turn.it.read.Add(int64(n))
	return n, err
}
