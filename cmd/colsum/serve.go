package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"colsum/coordinator"
	"colsum/coordinator/api"
	"colsum/coordinator/raftnode"
	"colsum/csvsum"
	"colsum/fsm"
	"colsum/metrics"
	"colsum/rpc"
	"colsum/storage"
	"colsum/worker"

	"golang.org/x/sys/unix"
)

// ServeCmd runs a coordinator. The drawing in main.go shows its parts.
type ServeCmd struct {
	ID   string `default:"node1" placeholder:"NAME" help:"Name of this node in its cluster, for ever (default node1)."`
	Dir  string `default:"colsum-state" placeholder:"DIR" help:"Folder for the state of this node; created if absent (default ./colsum-state)."`
	HTTP string `name:"http" default:"127.0.0.1:5000" placeholder:"HOST:PORT" help:"Where users are answered (default 127.0.0.1:5000)."`
	Raft string `default:"127.0.0.1:5001" placeholder:"HOST:PORT" help:"Where other coordinators are answered (default 127.0.0.1:5001)."`
	RPC  string `name:"rpc" default:"127.0.0.1:5002" placeholder:"HOST:PORT" help:"Where workers are answered (default 127.0.0.1:5002)."`

	AdvertiseHTTP string `name:"advertise-http" placeholder:"HOST:PORT" help:"How others reach --http, if not by its own address."`
	AdvertiseRaft string `placeholder:"HOST:PORT" help:"How others reach --raft, if not by its own address."`
	AdvertiseRPC  string `name:"advertise-rpc" placeholder:"HOST:PORT" help:"How others reach --rpc, if not by its own address."`

	Peer             []string      `placeholder:"ID=HOST:PORT" help:"A node of the cluster and its raft address; repeat it for each, this one included, alike on all nodes. Needed for the first start only (default: this node alone)."`
	Join             []string      `placeholder:"URL" help:"A node of a cluster that this one shall become a member of, host:port or URL of its --http; give several (repeated, or parted by commas). Instead of --peer, for the first start only."`
	ClusterName      string        `default:"colsum" placeholder:"NAME" help:"Name of the cluster; nodes and workers of another are turned away (default colsum)."`
	Workers          *int          `placeholder:"N" help:"Tasks that this process runs at once itself; 0 leaves all to 'colsum worker' (default: one for each processor)."`
	MinChunk         chunk         `default:"1MiB" placeholder:"BYTES" help:"Smallest chunk that a user may ask for (default 1MiB)."`
	SnapshotEntries  uint64        `default:"8192" placeholder:"N" help:"Take a snapshot of the state after so many log entries; as many stay in the log behind it (default 8192)."`
	SnapshotInterval time.Duration `default:"1m" placeholder:"TIME" help:"How often to look whether it is time for a snapshot (default 1m)."`
	MaxWorks         int           `default:"100000" placeholder:"N" help:"So many works may be queued or running; more are refused (default 100000)."`

	StorageFlags
	LogFlags
	PprofFlags
}

func (*ServeCmd) Help() string {
	return `Without flags: one node with workers of its own, the files in ./data, http://127.0.0.1:5000. SIGTERM stops it in good
order; a second signal at once. State, and with it every accepted work, survives both.

Examples:
  colsum serve
  colsum serve --data /srv/csv --http 0.0.0.0:5000 --advertise-http host1:5000
  colsum serve --id a --peer a=h1:5001,b=h2:5001,c=h3:5001 --http h1:5000 --raft h1:5001 --rpc h1:5002 --workers 0
  colsum serve --id d --join h1:5000,h2:5000 --http h4:5000 --raft h4:5001 --rpc h4:5002 --workers 0`
}

func (c *ServeCmd) Validate() error {
	if c.ID == "" {
		return usagef("--id: must not be empty")
	}
	if c.Workers != nil && *c.Workers < 0 {
		return usagef("--workers: must be at least 0, got %d", *c.Workers)
	}
	if c.MaxWorks < 1 {
		return usagef("--max-works: must be at least 1, got %d", c.MaxWorks)
	}
	if c.SnapshotEntries < 1 || c.SnapshotEntries > 1<<20 {
		return usagef("--snapshot-entries: must be between 1 and %d, got %d", 1<<20, c.SnapshotEntries)
	}
	if c.SnapshotInterval < 100*time.Millisecond {
		return usagef("--snapshot-interval: must be at least 100ms, got %v", c.SnapshotInterval)
	}
	if c.MinChunk < 1 {
		return usagef("--min-chunk: must be at least 1 byte")
	}
	for _, a := range []struct{ flag, addr, advertised string }{
		{"http", c.HTTP, c.AdvertiseHTTP}, {"raft", c.Raft, c.AdvertiseRaft}, {"rpc", c.RPC, c.AdvertiseRPC},
	} {
		if err := checkAddress("--"+a.flag, a.addr, 0); err != nil {
			return err
		}
		if a.advertised != "" {
			if err := checkAddress("--advertise-"+a.flag, a.advertised, 1); err != nil {
				return err
			}
		} else if host, _, _ := net.SplitHostPort(a.addr); wildcard(host) && len(c.Peer)+len(c.Join) > 0 {
			return usagef("--advertise-%s: required, because --%s %s names no address that other nodes can reach", a.flag, a.flag, a.addr)
		}
	}
	if err := c.PprofFlags.Validate(); err != nil {
		return err
	}
	if len(c.Join) > 0 && len(c.Peer) > 0 {
		return usagef("--join: excludes --peer: a node is one of the first members of a cluster or joins one that is there")
	}
	if err := checkServers("--join", c.Join); err != nil {
		return err
	}
	_, err := c.peers()
	return err
}

// wildcard reports whether a listener on host listens on every address.
func wildcard(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// peers parses --peer.
func (c *ServeCmd) peers() ([]raftnode.Peer, error) {
	var list []raftnode.Peer
	self := false
	for _, p := range c.Peer {
		id, addr, ok := strings.Cut(p, "=")
		if !ok || id == "" {
			return nil, usagef("--peer: must be ID=HOST:PORT, got %q", p)
		}
		if err := checkAddress("--peer", addr, 1); err != nil {
			return nil, err
		}
		self = self || id == c.ID
		list = append(list, raftnode.Peer{ID: id, Addr: addr})
	}
	if len(list) > 0 && !self {
		return nil, usagef("--peer: must list this node (%s) too", c.ID)
	}
	return list, nil
}

func (c *ServeCmd) Run(ctx context.Context) (err error) {
	logger, err := c.logger(os.Stderr)
	if err != nil {
		return err
	}
	peers, err := c.peers()
	if err != nil {
		return err
	}
	slots := runtime.GOMAXPROCS(0)
	if c.Workers != nil {
		slots = *c.Workers
	}

	if _, err := csvsum.Kernel(); err != nil && slots > 0 {
		return err // each task would fail, and after three its work
	}

	// What can fail for reasons outside comes first: the ports, the folder, the storage.
	l, err := c.listen(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	unlock, err := lockDir(c.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	files, err := c.router()
	if err != nil {
		return err
	}

	shown := metrics.New(version)
	shown.Storage(files.Stats())
	if err := shown.Raft(); err != nil {
		return err
	}
	state, err := fsm.Open(fsm.Config{Dir: c.Dir, Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	node, err := raftnode.Open(raftnode.Config{
		ID: c.ID, Cluster: c.ClusterName, Dir: c.Dir, Listener: l.raft, Advertise: c.AdvertiseRaft, Peers: peers,
		Join:              len(c.Join) > 0,
		SnapshotThreshold: c.SnapshotEntries, TrailingLogs: int(c.SnapshotEntries), SnapshotInterval: c.SnapshotInterval,
		Logger: logger,
		Fatal: func(err error) {
			logger.Error("stopping at once", "because", err)
			os.Exit(1)
		},
	}, state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }() // hands the leadership over first

	self := fsm.Node{
		ID: c.ID, Raft: node.Addr(), Version: version,
		HTTP: advertised(c.AdvertiseHTTP, l.http), RPC: advertised(c.AdvertiseRPC, l.rpc),
	}
	coord, err := coordinator.New(coordinator.Config{
		Self: self, MinChunk: int64(c.MinChunk), MaxActive: c.MaxWorks, Logger: logger,
	}, node, files)
	if err != nil {
		return err
	}
	shown.Coordinator(coord, node)
	return c.run(ctx, logger, l, node, coord, files, self, slots, shown)
}

// run starts the parts from the inside out and waits for the end.
func (c *ServeCmd) run(ctx context.Context, logger *slog.Logger, l *listeners, node *raftnode.Node, coord *coordinator.Coordinator,
	files storage.Store, self fsm.Node, slots int, shown *metrics.Registry) error {

	server := rpc.NewServer(rpc.ServerConfig{ClusterID: c.ClusterName, Logger: logger}, shown.RPC(coord))
	front, err := api.New(api.Config{
		Self: self, Version: version, Metrics: shown.Handler(), Observe: shown.HTTP(), Logger: logger,
	}, coord, node, files)
	if err != nil {
		return err
	}
	// The workers are clients like any other, of this node's rpc or the leader's: so they stop before rpc does, and what
	// they have finished gets in.
	client, err := rpc.NewClient(rpc.ClientConfig{
		Coordinators: []string{advertised("", l.rpc)}, ClusterID: c.ClusterName, Logger: logger,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	w, err := worker.New(worker.Config{Slots: max(1, slots), Version: version, Logger: logger}, client, files)
	if err != nil {
		return err
	}

	parts := newGroup(logger)
	parts.start(ctx, "coordinator", coord.Run)
	parts.start(ctx, "rpc", func(ctx context.Context) error { return server.Serve(ctx, l.rpc) })
	if l.pprof != nil {
		parts.start(ctx, "pprof", func(ctx context.Context) error { return serveAside(ctx, l.pprof, pprofHandler()) })
	}
	if slots > 0 {
		shown.Worker(w.Status)
		parts.start(ctx, "worker", w.Run)
	}
	parts.start(ctx, "http", func(ctx context.Context) error { return front.Serve(ctx, l.http) })
	parts.start(ctx, "announcer", func(ctx context.Context) error { return front.KeepAnnounced(ctx, c.Join) })
	logger.Info("colsum serves", "http", "http://"+self.HTTP, "raft", self.Raft, "rpc", self.RPC, "workers", slots, "version", version)
	return parts.wait(ctx)
}

// listeners are the three ports of a coordinator, and pprof's, nil unless asked for.
type listeners struct{ http, raft, rpc, pprof net.Listener }

func (c *ServeCmd) listen(ctx context.Context) (*listeners, error) {
	l := &listeners{}
	for _, p := range []struct {
		flag, addr string
		to         *net.Listener
	}{{"--http", c.HTTP, &l.http}, {"--raft", c.Raft, &l.raft}, {"--rpc", c.RPC, &l.rpc}, {"--pprof", c.Pprof, &l.pprof}} {
		var err error
		if *p.to, err = listen(ctx, p.flag, p.addr); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// close closes what is still open; closing twice does no harm.
func (l *listeners) close() {
	for _, c := range []net.Listener{l.http, l.raft, l.rpc, l.pprof} {
		if c != nil {
			c.Close()
		}
	}
}

// advertised is the address others use for a listener: the one given, else its own, with the loopback address in
// place of a wildcard.
func advertised(given string, l net.Listener) string {
	if given != "" {
		return given
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil || !wildcard(host) {
		return l.Addr().String()
	}
	return net.JoinHostPort("127.0.0.1", port) // one node only, see Validate: nobody else asks
}

// lockDir creates the state folder and makes sure that no other process uses it, before anything in it is touched.
func lockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("--dir: another colsum is using %s", dir)
		}
		return nil, fmt.Errorf("--dir: lock %s: %w", dir, err)
	}
	return func() { f.Close() }, nil
}
