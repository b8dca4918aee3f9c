package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"colsum/csvsum"
	"colsum/rpc"
	"colsum/storage"
)

// Coordinator is the cluster as a worker sees it. Calls find the leader and are repeated until ctx ends; an error other
// than ctx's is final for that request. *rpc.Client implements it.
type Coordinator interface {
	Lease(ctx context.Context, req *rpc.LeaseRequest) (*rpc.LeaseReply, error)
	Heartbeat(ctx context.Context, req *rpc.HeartbeatRequest) (*rpc.HeartbeatReply, error)
	Complete(ctx context.Context, req *rpc.CompleteRequest) (*rpc.CompleteReply, error)
	Fail(ctx context.Context, req *rpc.FailRequest) (*rpc.FailReply, error)
}

// Store is the part of storage.Store that a worker needs. Readers must return soon after ctx ends.
type Store interface {
	Open(ctx context.Context, info storage.Info, off, want int64) (io.ReadCloser, error)
}

const (
	minHeartbeat = 10 * time.Millisecond
	maxHeartbeat = time.Minute
	// handIn is how long, after the grace time, results and handed-back leases may take to reach the leader.
	handIn = 3 * time.Second
	// pause lies between two attempts at what should not have gone wrong at all.
	pause = 500 * time.Millisecond
)

// Worker runs tasks for a cluster.
type Worker struct {
	cfg    Config
	log    *slog.Logger
	leader Coordinator
	store  Store
	board  *board
	turns  chan struct{} // a token for each task that runs and does not wait for a silent storage; capacity Slots
	self   rpc.Worker
	// scanners are those not in use.
	scanners chan *csvsum.Scanner
	period   atomic.Int64  // of heartbeats, in ns
	beat     chan struct{} // a token asks for a heartbeat at once
}

// New returns a worker that was not started.
func New(cfg Config, c Coordinator, s Store) (*Worker, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	w := &Worker{
		cfg:    cfg,
		log:    cfg.Logger.With("worker", string(cfg.ID)),
		leader: c,
		store:  s,
		board:  newBoard(cfg.Slots, cfg.Prefetch, cfg.MaxUnsent),
		self:   rpc.Worker{ID: cfg.ID, Host: cfg.Host, Slots: cfg.Slots, Version: cfg.Version},
		turns:  make(chan struct{}, cfg.Slots),
		beat:   make(chan struct{}, 1),

		scanners: make(chan *csvsum.Scanner, cfg.Slots),
	}
	w.period.Store(int64(cfg.Heartbeat))
	return w, nil
}

// ID returns the worker's name in the cluster.
func (w *Worker) ID() rpc.WorkerID { return w.cfg.ID }

// Run leases and runs tasks until ctx ends. Then it asks for no more, hands back what it has not begun, goes on with what
// runs for up to Config.Grace, hands in the results (or what is left of the leases), says goodbye, and returns nil. It
// returns early, with the error, when no coordinator wants it (*rpc.HandshakeError) or its client was closed. Either
// way nothing is left running. Call it once.
func (w *Worker) Run(ctx context.Context) error {
	// Tasks and what is to be said about them outlive ctx.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var group sync.WaitGroup
	for range w.cfg.Slots * (1 + spare) {
		group.Go(func() { w.runSlot(work) })
	}
	group.Go(func() { w.sendResults(work) })
	group.Go(func() { w.sendFailures(work) })
	group.Go(func() { w.heartbeats(work) })

	w.log.Info("worker started", "slots", w.cfg.Slots, "host", w.cfg.Host)
	err := w.lease(ctx)
	if err != nil {
		w.log.Error("worker stops leasing", "err", err)
	}
	w.windUp()
	stopWork()
	group.Wait()
	w.goodbye(ctx)
	w.log.Info("worker ended", "tasks", w.Status().TasksDone)
	return err
}

// lease keeps the board supplied until ctx ends, or nobody is left to ask.
func (w *Worker) lease(ctx context.Context) error {
	for ctx.Err() == nil {
		n := w.board.want()
		if n == 0 {
			select {
			case <-w.board.room:
			case <-ctx.Done():
			}
			continue
		}
		asked := time.Now()
		r, err := w.leader.Lease(ctx, &rpc.LeaseRequest{Worker: w.self, Max: n, Wait: w.cfg.Wait})
		if err == nil && r.NotLeader != nil {
			err = errors.New("not the leader")
		}
		if err != nil {
			var wrong *rpc.HandshakeError
			switch {
			case ctx.Err() != nil:
				return nil
			case errors.As(err, &wrong), errors.Is(err, rpc.ErrClosed):
				return err
			}
			w.log.Warn("lease", "err", err, "retry_in", pause)
			rest(ctx, pause)
			continue
		}
		if r.Heartbeat > 0 {
			w.setPeriod(r.Heartbeat)
		}
		w.board.add(r.Tasks)
		// A leader that has nothing holds the call. One that answers at once all the same must not be asked in circles.
		if len(r.Tasks) == 0 && time.Since(asked) < w.cfg.Wait/2 {
			rest(ctx, min(pause, w.cfg.Wait/2))
		}
	}
	return nil
}

// windUp runs after lease, so nobody else takes the board's room tokens.
func (w *Worker) windUp() {
	w.board.leave()
	poke(w.beat)
	grace := time.NewTimer(w.cfg.Grace)
	defer grace.Stop()
	for {
		if _, clear := w.board.idle(); clear {
			return
		}
		select {
		case <-w.board.room:
			continue
		case <-grace.C:
		}
		break
	}
	w.board.giveUp()
	last := time.NewTimer(handIn)
	defer last.Stop()
	late := last.C
	for {
		idle, clear := w.board.idle()
		// Slots are waited for in any case; what they have to say, only for so long.
		if clear || idle && late == nil {
			return
		}
		select {
		case <-w.board.room:
		case <-late:
			late = nil
		}
	}
}

// goodbye tells the leader, if it can be reached at once, that nothing is left here.
func (w *Worker) goodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, err := w.leader.Heartbeat(ctx, &rpc.HeartbeatRequest{Worker: w.self, Running: w.board.held(), Leaving: true})
	if err != nil {
		w.log.Debug("goodbye", "err", err)
	}
}

// rest waits for d or the end of ctx.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
