package worker

import "colsum/rpc"

// Status is what a worker is at.
type Status struct {
	ID    rpc.WorkerID
	Slots int
	// Running and Queued are numbers of tasks here; Unsent counts results and failures not yet accepted by a leader.
	Running, Queued, Unsent int
	// TasksDone and BytesDone count the tasks whose results were accepted, and the lengths of their ranges, since the start.
	TasksDone, BytesDone int64
	// Leaving: no more tasks are taken in.
	Leaving bool
}

// Status may be called at any time.
func (w *Worker) Status() Status {
	b := w.board
	b.mu.Lock()
	defer b.mu.Unlock()
	return Status{
		ID:        w.cfg.ID,
		Slots:     w.cfg.Slots,
		Running:   len(b.running),
		Queued:    len(b.queue),
		Unsent:    len(b.done) + len(b.failed),
		TasksDone: b.tasksDone,
		BytesDone: b.bytesDone,
		Leaving:   b.leaving,
	}
}

func (b *board) isLeaving() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.leaving
}
