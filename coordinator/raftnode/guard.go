package raftnode

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

// guardTicks is in how many ticks of the watch a write that hangs is found to hang.
const guardTicks = 8

// guard stands before raft's stores and looks after the disk below them. Raft's heartbeats do not need it, so a leader whose
// disk hangs would stay in office for ever, while nothing can be committed (hashicorp/raft issues 503 and 614): the guard
// ends the process instead. It does the same when a write fails, lest what the disk holds by then is trusted. But a disk
// that is full loses nothing: raft gives up the leadership, and goes on when there is room again.
type guard struct {
	logs   raft.LogStore
	stable raft.StableStore
	limit  time.Duration
	fatal  func(error)
	log    *slog.Logger

	mu    sync.Mutex
	next  uint64           // mu
	calls map[uint64]*call // mu; writes under way
	ended bool             // mu; the node is closing, or fatal was called
	full  bool             // mu; the last write to the log found the disk full
}

// call is a write under way.
type call struct {
	op    string
	ticks int // in which it was seen
}

var (
	_ raft.LogStore    = (*guard)(nil)
	_ raft.StableStore = (*guard)(nil)
)

func newGuard(logs raft.LogStore, stable raft.StableStore, limit time.Duration, fatal func(error), log *slog.Logger) *guard {
	return &guard{logs: logs, stable: stable, limit: limit, fatal: fatal, log: log, calls: map[uint64]*call{}}
}

// watch looks at the writes under way until quit is closed. It counts ticks, not time: a process that was stopped itself,
// or starved, must not take its own absence for the disk's.
func (g *guard) watch(quit <-chan struct{}) {
	tick := time.NewTicker(g.limit / guardTicks)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-quit:
			g.mu.Lock()
			g.ended = true
			g.mu.Unlock()
			return
		}
		if op := g.oldest(); op != "" {
			g.fail(fmt.Errorf("%s hangs for %v: the disk does not answer", op, g.limit))
		}
	}
}

// oldest counts the tick and returns what hangs, "" for nothing.
func (g *guard) oldest() (op string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.calls {
		if c.ticks++; c.ticks > guardTicks {
			op = c.op
		}
	}
	return op
}

// fail ends the process, unless it is ending anyway.
func (g *guard) fail(err error) {
	g.mu.Lock()
	ended := g.ended
	g.ended = true
	g.mu.Unlock()
	if !ended {
		g.fatal(err)
	}
}

// write runs a write under watch.
func (g *guard) write(op string, fn func() error) error {
	g.mu.Lock()
	g.next++
	id := g.next
	g.calls[id] = &call{op: op}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		delete(g.calls, id)
		g.mu.Unlock()
	}()
	return fn()
}

// writeLog is write to the log: that it finds the disk full is raft's to deal with.
func (g *guard) writeLog(op string, fn func() error) error {
	err := g.write(op, fn)
	full := isFull(err)
	g.mu.Lock()
	changed := full != g.full
	g.full = full
	g.mu.Unlock()
	switch {
	case full && changed:
		g.log.Error("disk is full: this node accepts nothing until there is room", "error", err)
	case err == nil && changed:
		g.log.Info("disk has room again")
	case err != nil && !full:
		g.fail(fmt.Errorf("%s: %w", op, err))
	}
	return err
}

// writeStable is write to raft's own term and vote, without which raft cannot go on and panics.
func (g *guard) writeStable(op string, fn func() error) error {
	err := g.write(op, fn)
	if err != nil {
		g.fail(fmt.Errorf("%s: %w", op, err))
	}
	return err
}

// isFull reports whether a write failed for want of room: on the disk, in the quota, or below the process's limit.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

func (g *guard) FirstIndex() (uint64, error) { return g.logs.FirstIndex() }

func (g *guard) LastIndex() (uint64, error) { return g.logs.LastIndex() }

func (g *guard) GetLog(index uint64, l *raft.Log) error { return g.logs.GetLog(index, l) }

func (g *guard) StoreLog(l *raft.Log) error { return g.StoreLogs([]*raft.Log{l}) }

func (g *guard) StoreLogs(l []*raft.Log) error {
	return g.writeLog("write log entries", func() error { return g.logs.StoreLogs(l) })
}

func (g *guard) DeleteRange(first, last uint64) error {
	return g.writeLog("delete log entries", func() error { return g.logs.DeleteRange(first, last) })
}

func (g *guard) Set(key, value []byte) error {
	return g.writeStable("write vote", func() error { return g.stable.Set(key, value) })
}

func (g *guard) SetUint64(key []byte, value uint64) error {
	return g.writeStable("write term", func() error { return g.stable.SetUint64(key, value) })
}

func (g *guard) Get(key []byte) ([]byte, error) { return g.stable.Get(key) }

func (g *guard) GetUint64(key []byte) (uint64, error) { return g.stable.GetUint64(key) }
