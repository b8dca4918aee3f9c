package raftnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"colsum/fsm"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	// lockWait is how long Open waits for raft.db's file lock: a process that is just ending may still hold it.
	lockWait = 2 * time.Second
	// snapshotsKept: the newest, and one to fall back on should it be damaged.
	snapshotsKept = 2
	// maxAppend bounds the entries of one AppendEntries call, and with BatchApplyCh those of one synced write of the
	// leader's log: the more, the fewer syncs under load. Raft has no bound in bytes, so it stays moderate.
	maxAppend = 64
	// rpcTimeout bounds one raft call, and per 256 KiB the transfer of a snapshot.
	rpcTimeout = 10 * time.Second
	// maxInFlight 1 turns raft's pipelining of AppendEntries off. Up to v1.8.0 a follower that refuses an entry in the
	// pipeline can leave the leader waiting on two unbuffered channels for ever: heartbeats go on, so no election mends
	// it, and that follower gets no further entry until the leader restarts (hashicorp/raft issue 612). Without it
	// each follower has one call under way, and what gathers meanwhile goes out as the next batch.
	maxInFlight = 1
	// closeWait bounds the handing over of the leadership, and then the wait for proposals under way, in Close.
	closeWait = 3 * time.Second
)

// Node is one member of the cluster. Its methods may be called from any goroutine.
type Node struct {
	cfg   Config
	state *fsm.FSM
	log   *slog.Logger

	raft  *raft.Raft
	trans *raft.NetworkTransport
	wire  *stream // below trans
	gate  *gate   // before trans
	store *raftboltdb.BoltStore
	guard *guard // before store
	logs  raft.LogStore

	listening net.Addr
	identity  identity    // as the folder has it; grow's once Open has returned
	joined    atomic.Bool // see Joined

	notify   chan bool             // from raft: leadership won or lost, in order
	observed chan raft.Observation // from raft: who leads, who answers
	watcher  *raft.Observer
	slots    chan struct{} // MaxProposals
	leading  sync.Mutex    // held by Lead
	quit     chan struct{} // closed by Close
	done     sync.WaitGroup

	mu       sync.Mutex
	current  *leadership          // mu; nil while this node does not lead
	changed  chan struct{}        // mu; closed and replaced at each change of leader or leadership
	silent   map[string]time.Time // mu; peers that do not answer this leader: last contact
	closed   bool                 // mu
	inflight sync.WaitGroup       // futures waited for; Add under mu while !closed
}

// Open starts a node over cfg.Dir. state must be as fsm.Open returned it: raft restores snapshot and log into it. The
// caller closes state after Close. Errors: ErrIdentity, ErrLocked, or what went wrong with folder, address or stores.
func Open(cfg Config, state *fsm.FSM) (node *Node, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, state: state, log: cfg.Logger,
		notify:   make(chan bool, 8),
		observed: make(chan raft.Observation, 64),
		slots:    make(chan struct{}, cfg.MaxProposals),
		quit:     make(chan struct{}),
		changed:  make(chan struct{}),
		silent:   map[string]time.Time{},
	}
	logger := newBridge(cfg.Logger)
	defer func() {
		if err != nil {
			err = errors.Join(err, n.release())
			if n.trans == nil && cfg.Listener != nil {
				cfg.Listener.Close()
			}
		}
	}()

	if err := n.openStores(); err != nil {
		return nil, err
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(cfg.Dir, snapshotsKept, logger)
	if err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	if err := n.openTransport(logger); err != nil {
		return nil, err
	}
	conf := n.raftConfig(logger)
	members, err := n.bootstrap(conf, snapshots)
	if err != nil {
		return nil, err
	}
	n.raft, err = raft.NewRaft(conf, state, n.logs, n.guard, snapshots, n.gate)
	if err != nil {
		return nil, fmt.Errorf("start raft: %w", err)
	}
	if err := n.whole(snapshots); err != nil {
		return nil, errors.Join(err, n.raft.Shutdown().Error())
	}
	n.watcher = raft.NewObserver(n.observed, false, wanted)
	n.raft.RegisterObserver(n.watcher)
	n.done.Go(func() { n.gate.run(n.quit, n.raft.LastIndex) })
	n.done.Go(n.watch)
	n.done.Go(func() { n.guard.watch(n.quit) })
	n.done.Go(n.hurry)
	n.done.Go(func() { n.grow(members) })
	return n, nil
}

// whole reports an error if snapshots and log do not make a whole state. Raft takes an older snapshot where the newest is
// damaged, but the log may have been cut behind that one; and it takes a folder that has lost both for a new one.
func (n *Node) whole(snapshots raft.SnapshotStore) error {
	list, err := snapshots.List()
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	first, err := n.logs.FirstIndex()
	if err != nil {
		return fmt.Errorf("look at raft log: %w", err)
	}
	last, err := n.logs.LastIndex()
	if err != nil {
		return fmt.Errorf("look at raft log: %w", err)
	}
	stats := n.Stats()
	switch {
	case first > stats.Snapshot+1:
		return fmt.Errorf("%w: the newest whole snapshot ends at log entry %d and the log begins at %d", ErrDamaged, stats.Snapshot, first)
	case len(list) > 0 && list[0].Index > max(stats.Snapshot, last):
		return fmt.Errorf("%w: the newest snapshot, of log entry %d, cannot be read, and the log ends at %d", ErrDamaged, list[0].Index, last)
	case stats.Last == 0 && stats.Term > 0 && !n.gate.unborn.Load():
		return fmt.Errorf("%w: it has neither snapshots nor a log", ErrDamaged)
	}
	return nil
}

// hurry spares the only voter of a cluster the wait for a leader that cannot exist: it tells itself to stand for election
// now, as a leader that hands over tells another. Should that fail, the election comes by the timeout.
func (n *Node) hurry() {
	servers := n.servers()
	if len(servers) != 1 || servers[0].ID != raft.ServerID(n.cfg.ID) || servers[0].Suffrage != raft.Voter {
		return
	}
	req := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}
	here := raft.ServerAddress(n.listening.String()) // what is advertised may not be reachable from here
	if err := n.trans.TimeoutNow(servers[0].ID, here, req, &raft.TimeoutNowResponse{}); err != nil {
		n.log.Debug("no early election", "error", err)
	}
}

// openStores takes the folder: the lock on raft.db first, so that of two processes only one looks any further.
func (n *Node) openStores() error {
	if err := os.MkdirAll(n.cfg.Dir, 0o750); err != nil {
		return fmt.Errorf("create data folder: %w", err)
	}
	path := filepath.Join(n.cfg.Dir, "raft.db")
	if exists(filepath.Join(n.cfg.Dir, identityFile)) && !exists(path) { // which is the first to be written
		return fmt.Errorf("%w: %s is missing", ErrDamaged, path)
	}
	store, err := raftboltdb.New(raftboltdb.Options{
		Path: path,
		// The log is written at its end and cut at its front all day: the list of free pages gets long, and writing it
		// out on each commit would cost more than rebuilding it at start.
		BoltOptions: &bbolt.Options{Timeout: lockWait, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return fmt.Errorf("%w: %s", ErrLocked, n.cfg.Dir)
	}
	if err != nil {
		return fmt.Errorf("open raft log %s: %w", path, err)
	}
	n.store = store
	if n.identity, err = claim(n.cfg.Dir, identity{Cluster: n.cfg.Cluster, Node: n.cfg.ID}); err != nil {
		return err
	}
	n.guard = newGuard(store, store, n.cfg.DiskTimeout, n.cfg.Fatal, n.log)
	n.logs = newRecent(n.guard)
	return nil
}

func (n *Node) openTransport(logger hclog.Logger) error {
	l := n.cfg.Listener
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", n.cfg.Bind); err != nil {
			return fmt.Errorf("listen for raft: %w", err)
		}
	}
	n.listening = l.Addr()
	advertise, err := n.cfg.advertise(l.Addr())
	if err != nil {
		l.Close()
		return err
	}
	n.wire = newStream(l, advertise, n.cfg.Dial)
	n.trans = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:          n.wire,
		MaxPool:         3,
		MaxRPCsInFlight: maxInFlight,
		Timeout:         rpcTimeout,
		Logger:          logger,
	})
	n.gate = newGate(n.trans)
	return nil
}

func (n *Node) raftConfig(logger hclog.Logger) *raft.Config {
	conf := raft.DefaultConfig()
	conf.LocalID = raft.ServerID(n.cfg.ID)
	conf.HeartbeatTimeout = n.cfg.HeartbeatTimeout
	conf.ElectionTimeout = n.cfg.ElectionTimeout
	// As long as raft allows. Nothing rests on it, each read and commit asks a majority; and a leader that gives up because
	// the machine was busy for a moment costs all works an election and the new leader's time of grace.
	conf.LeaderLeaseTimeout = n.cfg.HeartbeatTimeout
	conf.CommitTimeout = min(conf.CommitTimeout, n.cfg.HeartbeatTimeout/2)
	conf.MaxAppendEntries = maxAppend
	conf.BatchApplyCh = true
	conf.SnapshotThreshold = n.cfg.SnapshotThreshold
	conf.SnapshotInterval = n.cfg.SnapshotInterval
	conf.TrailingLogs = uint64(n.cfg.TrailingLogs)
	conf.ShutdownOnRemove = false // a node that was removed says so and goes on answering reads; it must not vanish
	conf.NoLegacyTelemetry = true
	conf.NotifyCh = n.notify
	conf.Logger = logger
	return conf
}

// bootstrap writes the first membership into an empty folder. Of several nodes each does so by itself, once it knows that all
// are empty: see birth.go. As all are given the same list, the first entries of their logs are equal.
func (n *Node) bootstrap(conf *raft.Config, snapshots raft.SnapshotStore) (raft.Configuration, error) {
	members := n.cfg.members()
	n.gate.unborn.Store(n.identity.Unborn)
	n.joined.Store(n.identity.Joined || !n.cfg.Join)
	old, err := raft.HasExistingState(n.logs, n.store, snapshots)
	if err != nil {
		return members, fmt.Errorf("look at raft log: %w", err)
	}
	if old {
		return members, nil
	}
	if n.cfg.Join || len(members.Servers) > 1 {
		n.identity.Unborn = true
		n.gate.unborn.Store(true)
		return members, writeIdentity(filepath.Join(n.cfg.Dir, identityFile), n.identity)
	}
	if len(members.Servers) == 0 {
		members.Servers = []raft.Server{{Suffrage: raft.Voter, ID: conf.LocalID, Address: n.trans.LocalAddr()}}
	}
	if err := raft.BootstrapCluster(conf, n.logs, n.store, snapshots, n.trans, members); err != nil {
		return members, fmt.Errorf("bootstrap: %w", err)
	}
	return members, nil
}

// ID is the node's id in the cluster.
func (n *Node) ID() string { return n.cfg.ID }

// Addr is the raft address that the others dial.
func (n *Node) Addr() string { return string(n.trans.LocalAddr()) }

// State is the replicated state as this node knows it.
func (n *Node) State() *fsm.FSM { return n.state }

// Snapshot takes a snapshot now. It returns nil if there was nothing new to take.
func (n *Node) Snapshot() error {
	err := n.raft.Snapshot().Error()
	if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// Close hands the leadership over if this node has it, then stops raft, its connections and its stores, in this order:
// a proposal must be able to end while raft still runs, and raft while its stores are open. It waits a few seconds at
// most for the others. A second Close does nothing.
func (n *Node) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true // from here on Propose refuses
	n.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	if n.raft.State() == raft.Leader && n.hasPeers() {
		if err := wait(ctx, n.raft.LeadershipTransfer()); err != nil {
			n.log.Warn("leadership not handed over", "error", err)
		}
	}
	ended := make(chan struct{})
	go func() { n.inflight.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(closeWait):
		n.log.Warn("closing with proposals under way")
	}
	close(n.quit)
	n.raft.DeregisterObserver(n.watcher)
	err := n.raft.Shutdown().Error()
	n.done.Wait()
	return errors.Join(err, n.release())
}

// release closes what Open has opened so far.
func (n *Node) release() error {
	var err error
	if n.trans != nil {
		err = n.trans.Close()
		n.trans.CloseStreams()
		n.wire.wait()
	}
	if n.store != nil {
		err = errors.Join(err, n.store.Close())
	}
	return err
}

// wait waits for a future of raft, or for ctx. The goroutine ends with the future.
func wait(ctx context.Context, f raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
