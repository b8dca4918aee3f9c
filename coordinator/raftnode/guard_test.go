package raftnode

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// disk is a store whose writes hang or fail as told.
type disk struct {
	*raft.InmemStore
	hang chan struct{} // writes wait for it
	err  error
}

func (d *disk) StoreLogs(l []*raft.Log) error {
	if d.hang != nil {
		<-d.hang
	}
	if d.err != nil {
		return d.err
	}
	return d.InmemStore.StoreLogs(l)
}

func (d *disk) SetUint64(k []byte, v uint64) error {
	if d.err != nil {
		return d.err
	}
	return d.InmemStore.SetUint64(k, v)
}

// A write that hangs ends the process once; one that is merely slow does not.
func TestGuardFindsAHangingDisk(t *testing.T) {
	const limit = 10 * time.Second
	for _, tc := range []struct {
		hangs time.Duration
		dead  bool
	}{{limit / 2, false}, {limit, false}, {limit * 3 / 2, true}, {time.Hour, true}} {
		synctest.Test(t, func(t *testing.T) {
			d := &disk{InmemStore: raft.NewInmemStore(), hang: make(chan struct{})}
			var dead []error
			quit := make(chan struct{})
			g := newGuard(d, d, limit, func(err error) { dead = append(dead, err) }, slog.New(slog.DiscardHandler))
			go g.watch(quit)
			go func() { _ = g.StoreLog(&raft.Log{Index: 1}) }()
			time.Sleep(tc.hangs)
			close(d.hang)
			synctest.Wait()
			time.Sleep(time.Hour) // and nothing is held against it later
			close(quit)
			synctest.Wait()
			if got := len(dead) == 1; got != tc.dead || len(dead) > 1 {
				t.Errorf("hanging for %v with a limit of %v: %v, want ended %v", tc.hangs, limit, dead, tc.dead)
			}
		})
	}
}

// Only a write to the log that finds no room is raft's business; after any other failure the disk is not to be trusted.
func TestGuardEndsTheProcessWhenWritesFail(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "raft.db", Err: syscall.ENOSPC}
	broken := fmt.Errorf("write: %w", syscall.EIO)
	logs := func(g *guard) error { return g.StoreLog(&raft.Log{Index: 1}) }
	term := func(g *guard) error { return g.SetUint64([]byte("term"), 7) }
	for _, tc := range []struct {
		name  string
		err   error
		write func(*guard) error
		dead  bool
	}{
		{"log, full", full, logs, false}, {"log, broken", broken, logs, true}, {"log, fine", nil, logs, false},
		{"term, full", full, term, true}, {"term, broken", broken, term, true}, {"term, fine", nil, term, false},
	} {
		var dead []error
		var log strings.Builder
		d := &disk{InmemStore: raft.NewInmemStore(), err: tc.err}
		g := newGuard(d, d, time.Second, func(err error) { dead = append(dead, err) }, slog.New(slog.NewTextHandler(&log, nil)))
		if err := tc.write(g); !errors.Is(err, tc.err) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.err)
		}
		if (len(dead) == 1) != tc.dead || tc.dead && !errors.Is(dead[0], tc.err) {
			t.Errorf("%s: ended by %v, want ended %v", tc.name, dead, tc.dead)
		}
		if tc.name == "log, full" {
			_ = tc.write(g)
			d.err = nil
			_ = tc.write(g)
			if n := strings.Count(log.String(), "disk is full"); n != 1 || !strings.Contains(log.String(), "room again") {
				t.Errorf("a disk that is full and has room again: %d complaints in %s", n, log.String())
			}
		}
	}
}
