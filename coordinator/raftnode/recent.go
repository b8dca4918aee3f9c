package raftnode

import (
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

const (
	// recentEntries and recentBytes bound what is kept of the log's end in memory, for replication and application; a
	// follower further behind is served from raft.db. Entries differ in size by a factor of 10,000, hence both.
	recentEntries = 256
	recentBytes   = 16 << 20
)

// recent is a log store that remembers its last entries, as raft.LogCache does, but within a bound in bytes: with that
// one, a work of very wide partials would fill the memory of every node.
type recent struct {
	raft.LogStore

	mu    sync.Mutex
	logs  []*raft.Log // mu; of consecutive indices, in the store
	bytes int         // mu; of their data
}

func newRecent(store raft.LogStore) *recent { return &recent{LogStore: store} }

func (r *recent) GetLog(index uint64, log *raft.Log) error {
	r.mu.Lock()
	var found *raft.Log
	if n := len(r.logs); n > 0 && index >= r.logs[0].Index && index <= r.logs[n-1].Index {
		found = r.logs[index-r.logs[0].Index]
	}
	r.mu.Unlock()
	if found == nil {
		return r.LogStore.GetLog(index, log)
	}
	*log = *found
	return nil
}

func (r *recent) StoreLog(log *raft.Log) error { return r.StoreLogs([]*raft.Log{log}) }

func (r *recent) StoreLogs(logs []*raft.Log) error {
	if err := r.LogStore.StoreLogs(logs); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range logs {
		if n := len(r.logs); n > 0 && l.Index != r.logs[n-1].Index+1 {
			r.logs, r.bytes = nil, 0
		}
		r.logs = append(r.logs, l)
		r.bytes += len(l.Data)
	}
	drop := 0
	for drop < len(r.logs)-1 && (len(r.logs)-drop > recentEntries || r.bytes > recentBytes) {
		r.bytes -= len(r.logs[drop].Data)
		drop++
	}
	r.logs = slices.Delete(r.logs, 0, drop)
	return nil
}

// DeleteRange forgets all: entries are deleted at the front now and then, and at the end when a leader was lost.
func (r *recent) DeleteRange(from, to uint64) error {
	r.mu.Lock()
	r.logs, r.bytes = nil, 0
	r.mu.Unlock()
	return r.LogStore.DeleteRange(from, to)
}
