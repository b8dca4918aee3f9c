package raftnode

import (
	"errors"
	"fmt"
	"io"

	"colsum/fsm"

	"github.com/hashicorp/raft"
)

// ErrNotEmpty is returned by Restore for a folder that holds the state of a node.
var ErrNotEmpty = errors.New("data folder holds a state already")

// Restore makes the state in an archive (fsm.Backup) the beginning of a node's life, in an empty folder, with the members
// that cfg.Peers lists; alone if there are none. Every member is restored from the same archive with the same list, or joins
// later. The archive must have been verified. No node may run over the folder.
func Restore(cfg Config, archive io.Reader, info fsm.SnapshotInfo) error {
	return offline(cfg, func(n *Node, conf *raft.Config, snapshots raft.SnapshotStore, members raft.Configuration, trans raft.Transport) error {
		old, err := raft.HasExistingState(n.store, n.store, snapshots)
		if err != nil {
			return err
		}
		if old {
			return fmt.Errorf("%w: %s", ErrNotEmpty, cfg.Dir)
		}
		// The archive counts as the outcome of a log whose last entry was written in term 1.
		sink, err := snapshots.Create(raft.SnapshotVersionMax, max(1, info.Index), 1, members, 1, trans)
		if err != nil {
			return err
		}
		if _, err := io.Copy(sink, archive); err != nil {
			return errors.Join(err, sink.Cancel())
		}
		if err := sink.Close(); err != nil {
			return err
		}
		return n.store.SetUint64([]byte("CurrentTerm"), 1) // raft's name for it
	})
}

// Recover replaces the membership that a node's folder holds by cfg.Peers, for a cluster that has lost its majority for good.
// What the other nodes had committed and this one had not received is lost, and what it had received counts as committed: choose the
// node whose log is the longest, recover it, alone or with others of the old members whose folders are recovered with the same
// list, and let new ones join. state is as fsm.Open returned it. No node may run over the folder.
func Recover(cfg Config, state *fsm.FSM) error {
	return offline(cfg, func(n *Node, conf *raft.Config, snapshots raft.SnapshotStore, members raft.Configuration, trans raft.Transport) error {
		return raft.RecoverCluster(conf, state, n.store, n.store, snapshots, trans, members)
	})
}

// offline opens a node's folder without a node.
func offline(cfg Config, fn func(*Node, *raft.Config, raft.SnapshotStore, raft.Configuration, raft.Transport) error) (err error) {
	cfg = cfg.withDefaults()
	if cfg.Bind == "" {
		cfg.Bind = cfg.Advertise
	}
	if err := cfg.validate(); err != nil {
		return err
	}
	if len(cfg.Peers) == 0 {
		cfg.Peers = []Peer{{ID: cfg.ID, Addr: cfg.Bind}}
	}
	n := &Node{cfg: cfg, log: cfg.Logger}
	defer func() { err = errors.Join(err, n.release()) }()
	if err := n.openStores(); err != nil {
		return err
	}
	logger := newBridge(cfg.Logger)
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(cfg.Dir, snapshotsKept, logger)
	if err != nil {
		return fmt.Errorf("open snapshots: %w", err)
	}
	_, trans := raft.NewInmemTransport(raft.ServerAddress(cfg.Bind)) // only to write addresses down
	return fn(n, n.raftConfig(logger), snapshots, cfg.members(), trans)
}

// members is the membership that Peers lists.
func (c *Config) members() raft.Configuration {
	m := raft.Configuration{}
	for _, p := range c.Peers {
		m.Servers = append(m.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(p.ID), Address: raft.ServerAddress(p.Addr),
		})
	}
	return m
}
