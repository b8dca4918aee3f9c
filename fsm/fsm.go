package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/raft"
	bolt "go.etcd.io/bbolt"
)

// ErrClosed is returned by what needs the file after Close.
var ErrClosed = errors.New("fsm: closed")

var _ raft.BatchingFSM = (*FSM)(nil)

// Config of an FSM.
type Config struct {
	// Dir holds fsm.db. It is created if absent, and must be this process's alone: the lock of raft's own log, which lies
	// beside it, sees to that. Required.
	Dir string
	// Logger. Default slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	if c.Dir == "" {
		return errors.New("fsm config: Dir: required")
	}
	return nil
}

// FSM is the replicated state. Raft calls Apply, ApplyBatch, Snapshot and Restore, from one goroutine at a time; all other
// methods may be called from any goroutine at any time.
//
// Memory and file hold the same state. A batch is applied to the memory under the lock, then written to the file in one
// transaction without it, then published (AppliedIndex, Changed). So queries that are answered from memory never wait for
// the disk; Document, which reads the file, waits until the file has what the memory shows of its work.
type FSM struct {
	cfg  Config
	path string

	mu      sync.RWMutex
	state   *state        // guarded by mu; changed by raft's goroutine alone
	db      *database     // guarded by mu; nil once closed
	applied uint64        // guarded by mu: the last entry that is in the file
	watch   watchers      // guarded by mu
	closed  chan struct{} // closed by Close

	closeOnce sync.Once
}

// Open removes the fsm.db of an earlier run and returns an empty state. Raft restores it from its snapshot and log.
func Open(cfg Config) (*FSM, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	f := &FSM{
		cfg:    cfg,
		path:   filepath.Join(cfg.Dir, "fsm.db"),
		state:  newState(),
		watch:  newWatchers(),
		closed: make(chan struct{}),
	}
	if err := errors.Join(removeFile(f.path), removeFile(f.restorePath())); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	db, err := openDatabase(f.path)
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	f.db = db
	return f, nil
}

// Close ends all waiting and closes the file, once the readers that are at it are done. Raft must have stopped. Queries
// answered from memory still work; a second Close does nothing.
func (f *FSM) Close() error {
	var err error
	f.closeOnce.Do(func() {
		f.mu.Lock()
		db := f.db
		f.db = nil
		close(f.closed)
		f.watch.closeAll()
		f.mu.Unlock()
		if e := db.release(); e != nil {
			err = fmt.Errorf("close state: %w", e)
		}
	})
	return err
}

// Apply is a batch of one.
func (f *FSM) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies entries in one transaction. It answers a Response (the struct, not a pointer) for each command and
// nil for what is not a command: configurations concern raft alone and only move the applied index.
//
// It panics, which ends the process, where going on would make this node's state differ from the others': on an entry
// that cannot be decoded, on one that is not newer than the last (log and state do not belong together; skipping it could
// lose it), and when the file cannot be written, say on a full disk. Raft has no other way to refuse an entry. Nothing is
// lost: the state is rebuilt from snapshot and log at the next start. No entry of the batch is applied in the first two
// cases, and none is seen in the file in the third.
func (f *FSM) ApplyBatch(logs []*raft.Log) []any {
	responses := make([]any, len(logs))
	if len(logs) == 0 {
		return responses
	}
	last := f.AppliedIndex()
	cmds := make([]Command, len(logs))
	for i, l := range logs {
		if l.Index <= last {
			panic(fmt.Sprintf("fsm: log entry %d does not come after the last applied one, %d: log and state do not belong together", l.Index, last))
		}
		last = l.Index
		if l.Type != raft.LogCommand {
			continue
		}
		cmd, err := Decode(l.Data)
		if err != nil {
			panic(undecodable(l, err))
		}
		cmds[i] = cmd
	}
	ch := newChanges()
	f.mu.Lock()
	db := f.db
	if db == nil {
		f.mu.Unlock()
		panic("fsm: apply after close")
	}
	for i, cmd := range cmds {
		if cmd != nil {
			responses[i] = f.state.apply(cmd, logs[i].Index, ch)
		}
	}
	f.mu.Unlock()
	// From here on the state is read without the lock: only this goroutine changes it.
	err := db.bolt.Update(func(tx *bolt.Tx) error {
		if err := ch.write(tx); err != nil {
			return err
		}
		return putMeta(tx, last, f.state.next)
	})
	if err != nil {
		panic(fmt.Sprintf("fsm: write log entries %d to %d to %s: %v: stopping, since going on would leave this node's state different from the others'", logs[0].Index, last, f.path, err))
	}
	f.mu.Lock()
	f.applied = last
	f.watch.applied()
	for _, c := range ch.works {
		f.watch.changed(c.w.head.ID)
	}
	f.mu.Unlock()
	return responses
}

// undecodable is what a node says before it stops at an entry it cannot read.
func undecodable(l *raft.Log, err error) string {
	version, kind := -1, -1
	if len(l.Data) > 0 {
		version = int(l.Data[0])
	}
	if len(l.Data) > 1 {
		kind = int(l.Data[1])
	}
	return fmt.Sprintf("fsm: log entry %d (version %d, kind %d): %v: written by a newer colsum? upgrade this node", l.Index, version, kind, err)
}

func putMeta(tx *bolt.Tx, applied, next uint64) error {
	meta := tx.Bucket(bucketMeta)
	if err := meta.Put(keyApplied, binary.BigEndian.AppendUint64(nil, applied)); err != nil {
		return err
	}
	return meta.Put(keyNextSeq, binary.BigEndian.AppendUint64(nil, next))
}

func metaValue(tx *bolt.Tx, key []byte) uint64 {
	b := tx.Bucket(bucketMeta).Get(key)
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
