package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"colsum/csvsum"
	"colsum/decimal"
	"colsum/rpc"

	"golang.org/x/sync/errgroup"
)

// The huge work: a file with holes, of as many tasks as 64 TB have at the largest chunk that is chosen by itself.
const (
	hugeTasks = 1_000_000
	hugeChunk = 1 << 20
)

// huge makes the huge file and submits it; it returns once the work runs.
func (c *cluster) huge(ctx context.Context) (id string, err error) {
	path := filepath.Join(c.data, "huge.csv")
	if err := writeTable(path, 1000, 100); err != nil {
		return "", err
	}
	if err := os.Truncate(path, hugeTasks*hugeChunk); err != nil {
		return "", err
	}
	id, err = submit(ctx, c.http[0], map[string]any{"filepath": "huge.csv", "chunk_bytes": hugeChunk})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		var r result
		if err := get(ctx, c.http[0]+"/api/get_result/"+id, &r); err != nil {
			return "", err
		}
		switch r.Status {
		case "running":
			return id, nil
		case "queued":
			time.Sleep(5 * time.Millisecond)
		default:
			return "", fmt.Errorf("huge work is %s: %+v", r.Status, r.Error)
		}
	}
}

// simulation is a number of workers that lease tasks of the huge work and hand in made-up partials of everyday size.
type simulation struct {
	work    string
	workers int
	slots   int
	fetch   int // tasks asked for at a time, and handed in at a time
	// The simulation ends when so many tasks are done, or after a time.
	tasks  int
	during time.Duration
	// pause is about how long a worker is at what it leased; 0: no time at all.
	pause time.Duration
	// hold: task 0 is never handed in, and the rest only as far as the leader gives it out.
	hold bool
}

// simulated is what came of a simulation.
type simulated struct {
	done   int
	took   time.Duration
	leases []time.Duration // how long each call took that brought tasks, but the first of each worker
}

func (c *cluster) simulate(ctx context.Context, s *simulation) (*simulated, error) {
	if s.during == 0 {
		s.during = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, s.during)
	defer cancel()
	r := &simulated{}
	var mu sync.Mutex
	var done atomic.Int64
	group, gctx := errgroup.WithContext(ctx)
	began := time.Now()
	for i := range s.workers {
		group.Go(func() error {
			leases, err := c.worker(gctx, s, i, func(n int) {
				if done.Add(int64(n)) >= int64(s.tasks) && s.tasks > 0 {
					cancel()
				}
			})
			mu.Lock()
			defer mu.Unlock()
			r.leases = append(r.leases, leases...)
			if gctx.Err() != nil {
				return nil
			}
			return err
		})
	}
	err := group.Wait()
	r.took = time.Since(began)
	r.done = int(done.Load())
	if err == nil && s.tasks > 0 && r.done < s.tasks && !s.hold {
		err = fmt.Errorf("%d of %d tasks done within %v", r.done, s.tasks, s.during)
	}
	return r, err
}

// worker is one simulated worker. It ends with ctx, and on hold also when there is nothing to lease any more.
func (c *cluster) worker(ctx context.Context, s *simulation, i int, done func(n int)) (leases []time.Duration, err error) {
	client, err := rpc.NewClient(rpc.ClientConfig{Coordinators: c.rpc, ClusterID: "colsum", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	self := rpc.Worker{ID: rpc.WorkerID(fmt.Sprint("simulated", i)), Host: "bench", Slots: s.slots, Version: "bench"}
	held := &heldTasks{}
	beats := make(chan struct{})
	hctx, stop := context.WithCancel(ctx)
	defer func() { stop(); <-beats }()
	go func() {
		defer close(beats)
		held.heartbeats(hctx, client, self)
	}()
	if s.pause > 0 {
		wait(ctx, rand.N(s.pause)) // they did not all start at once
	}
	for first := true; ctx.Err() == nil; first = false {
		asked := time.Now()
		reply, err := client.Lease(ctx, &rpc.LeaseRequest{Worker: self, Max: s.fetch, Wait: time.Second})
		if err != nil {
			return leases, err
		}
		if len(reply.Tasks) == 0 {
			if s.hold {
				return leases, nil
			}
			continue
		}
		if !first { // the first one connects
			leases = append(leases, time.Since(asked))
		}
		held.set(reply.Tasks)
		if s.pause > 0 {
			wait(ctx, s.pause/2+rand.N(s.pause))
		}
		req := &rpc.CompleteRequest{Worker: self}
		for _, t := range reply.Tasks {
			if t.Work != rpc.WorkID(s.work) {
				return leases, errors.New("a task of another work")
			}
			if s.hold && t.Task == 0 {
				continue
			}
			req.Done = append(req.Done, rpc.Completion{TaskRef: t.TaskRef, Version: t.Version, Partial: partial(t)})
		}
		if _, err := client.Complete(ctx, req); err != nil {
			return leases, err
		}
		held.set(nil)
		done(len(req.Done))
	}
	return leases, nil
}

// heldTasks are what a simulated worker names in its heartbeats.
type heldTasks struct {
	mu   sync.Mutex
	list []rpc.Running
}

func (h *heldTasks) set(tasks []rpc.Assignment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = nil
	for _, t := range tasks {
		h.list = append(h.list, rpc.Running{TaskRef: t.TaskRef})
	}
}

// heartbeats sends one a second, as workers are asked to.
func (h *heldTasks) heartbeats(ctx context.Context, client *rpc.Client, self rpc.Worker) {
	wait(ctx, rand.N(time.Second))
	for ctx.Err() == nil {
		h.mu.Lock()
		list := h.list
		h.mu.Unlock()
		// An error is the client's own to repeat; a leader that does not answer shows in the figures.
		_, _ = client.Heartbeat(ctx, &rpc.HeartbeatRequest{Worker: self, Running: list})
		wait(ctx, time.Second)
	}
}

// partial makes up the result of a task: ten columns, as of a file of 100.
func partial(t rpc.Assignment) *csvsum.Partial {
	p := &csvsum.Partial{Start: t.Start, End: t.End, Assumed: csvsum.RecordStart, Rows: 500, Width: 100}
	for s := range p.Ends {
		p.Ends[s] = csvsum.RecordStart
	}
	for range 10 {
		p.Columns = append(p.Columns, csvsum.Column{Sum: columnSum, Numeric: 500})
	}
	return p
}

var columnSum = func() (sum decimal.Sum) {
	sum.AddCell([]byte("17234.84442185152504812345"), '.')
	return sum
}()

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
