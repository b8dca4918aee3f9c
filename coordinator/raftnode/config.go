package raftnode

import (
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Peer is a member of the cluster: its id and the raft address the others dial.
type Peer struct {
	ID   string
	Addr string // host:port
}

// Config of a Node.
type Config struct {
	// ID names this node within its cluster, for ever. Required.
	ID string
	// Cluster names the cluster; a data folder remembers it. Default "colsum".
	Cluster string
	// Dir is the data folder; it is created if absent. Required.
	Dir string
	// Bind is the raft address to listen on, host:port. Ignored if Listener is given, else required.
	Bind string
	// Listener, if given, is listened on instead of Bind. The node closes it.
	Listener net.Listener
	// Dial connects to another node, for example with TLS to match a Listener with TLS. Default: plain TCP.
	Dial func(addr string, timeout time.Duration) (net.Conn, error)
	// Advertise is the address the others dial. Default: this node's entry in Peers, else the listener's address, which
	// must not be a wildcard then.
	Advertise string
	// Peers is the first membership, this node included; every node is given the same list. It is used only while the
	// data folder is empty: later the log knows better. Default: this node alone.
	Peers []Peer
	// Join starts an empty node without a membership: it waits for a leader to add it (AddVoter). Excludes Peers.
	Join bool
	// Logger. Default slog.Default().
	Logger *slog.Logger

	// HeartbeatTimeout is how long a follower waits for a sign of the leader before it stands for election. Default 1 s:
	// long enough for a slow disk's sync, short enough that a dead leader is replaced within about 2 s. A leader that hears
	// from no majority for as long gives up. At least 5 ms.
	HeartbeatTimeout time.Duration
	// ElectionTimeout is how long a candidate waits for votes before it tries again. Default HeartbeatTimeout, which is
	// also its lower bound.
	ElectionTimeout time.Duration
	// SnapshotThreshold is after how many log entries a snapshot is worth taking. Default 8192.
	SnapshotThreshold uint64
	// SnapshotInterval is how often that is looked at (between once and twice the interval). Default 60 s.
	SnapshotInterval time.Duration
	// TrailingLogs is how many entries stay in the log after a snapshot, so that a follower that was away for a moment
	// needs no snapshot. 0 means the default 8192; negative means none.
	TrailingLogs int
	// MaxEntryBytes bounds one log entry. Default 32 MiB: a partial of csvsum.MaxSelected ordinary columns takes about
	// 4 MiB. Entries are kept whole in memory on every node.
	MaxEntryBytes int
	// DiskTimeout is how long a write to the log may take before the disk is held to hang. Default 10 s: no disk that is merely
	// busy takes that long for a sync. At least 100 ms.
	DiskTimeout time.Duration
	// Fatal is called, once, when the disk hangs or fails. It must end the process at once, without an orderly shutdown,
	// which would hang too: as long as the process lives its heartbeats keep a leader in office that can do nothing.
	// Default: panic.
	Fatal func(err error)
	// MaxProposals bounds how many Propose calls are under way at once; more wait their turn. Default 1024.
	MaxProposals int
}

func (c Config) withDefaults() Config {
	if c.Cluster == "" {
		c.Cluster = "colsum"
	}
	if c.Dial == nil {
		c.Dial = func(addr string, timeout time.Duration) (net.Conn, error) {
			return net.DialTimeout("tcp", addr, timeout)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.HeartbeatTimeout == 0 {
		c.HeartbeatTimeout = time.Second
	}
	if c.ElectionTimeout == 0 {
		c.ElectionTimeout = c.HeartbeatTimeout
	}
	if c.SnapshotThreshold == 0 {
		c.SnapshotThreshold = 8192
	}
	if c.SnapshotInterval == 0 {
		c.SnapshotInterval = time.Minute
	}
	if c.TrailingLogs == 0 {
		c.TrailingLogs = 8192
	}
	if c.TrailingLogs < 0 {
		c.TrailingLogs = 0
	}
	if c.MaxEntryBytes == 0 {
		c.MaxEntryBytes = 32 << 20
	}
	if c.DiskTimeout == 0 {
		c.DiskTimeout = 10 * time.Second
	}
	if c.Fatal == nil {
		c.Fatal = func(err error) { panic(fmt.Sprintf("raftnode: %v", err)) }
	}
	if c.MaxProposals == 0 {
		c.MaxProposals = 1024
	}
	return c
}

// validate checks a Config that has its defaults.
func (c *Config) validate() error {
	bad := func(field, format string, args ...any) error {
		return fmt.Errorf("raftnode config: %s: %s", field, fmt.Sprintf(format, args...))
	}
	switch {
	case c.ID == "":
		return bad("ID", "required")
	case c.Dir == "":
		return bad("Dir", "required")
	case c.Bind == "" && c.Listener == nil:
		return bad("Bind", "required")
	case c.Join && len(c.Peers) > 0:
		return bad("Join", "excludes Peers")
	case c.HeartbeatTimeout < 5*time.Millisecond:
		return bad("HeartbeatTimeout", "must be at least 5ms, got %v", c.HeartbeatTimeout)
	case c.ElectionTimeout < c.HeartbeatTimeout:
		return bad("ElectionTimeout", "must be at least HeartbeatTimeout (%v), got %v", c.HeartbeatTimeout, c.ElectionTimeout)
	case c.SnapshotInterval < 5*time.Millisecond:
		return bad("SnapshotInterval", "must be at least 5ms, got %v", c.SnapshotInterval)
	case c.DiskTimeout < 100*time.Millisecond:
		return bad("DiskTimeout", "must be at least 100ms, got %v", c.DiskTimeout)
	case c.MaxEntryBytes < 1024:
		return bad("MaxEntryBytes", "must be at least 1024, got %d", c.MaxEntryBytes)
	case c.MaxProposals < 1:
		return bad("MaxProposals", "must be at least 1, got %d", c.MaxProposals)
	}
	return c.validatePeers(bad)
}

func (c *Config) validatePeers(bad func(field, format string, args ...any) error) error {
	if len(c.Peers) == 0 {
		return nil
	}
	ids, addrs := map[string]bool{}, map[string]bool{}
	for i, p := range c.Peers {
		field := fmt.Sprintf("Peers[%d]", i)
		if p.ID == "" {
			return bad(field, "ID is required")
		}
		if _, _, err := net.SplitHostPort(p.Addr); err != nil {
			return bad(field, "Addr of %q must be host:port, got %q", p.ID, p.Addr)
		}
		if ids[p.ID] || addrs[p.Addr] {
			return bad(field, "%s=%s repeats an id or an address", p.ID, p.Addr)
		}
		ids[p.ID], addrs[p.Addr] = true, true
		if p.ID == c.ID && c.Advertise != "" && c.Advertise != p.Addr {
			return bad("Advertise", "must be this node's address in Peers (%s), got %s", p.Addr, c.Advertise)
		}
	}
	if !ids[c.ID] {
		return bad("Peers", "must list this node too (%q)", c.ID)
	}
	return nil
}

// advertise returns the address others dial, given the one that is listened on.
func (c *Config) advertise(listening net.Addr) (string, error) {
	if c.Advertise != "" {
		if _, _, err := net.SplitHostPort(c.Advertise); err != nil {
			return "", fmt.Errorf("raftnode config: Advertise: must be host:port, got %q", c.Advertise)
		}
		return c.Advertise, nil
	}
	for _, p := range c.Peers {
		if p.ID == c.ID {
			return p.Addr, nil
		}
	}
	if tcp, ok := listening.(*net.TCPAddr); ok && (tcp.IP == nil || tcp.IP.IsUnspecified()) {
		return "", fmt.Errorf("raftnode config: Advertise: required when listening on the wildcard address %s", listening)
	}
	return listening.String(), nil
}
