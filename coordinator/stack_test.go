package coordinator

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"colsum/coordinator/raftnode"
	"colsum/csvsum"
	"colsum/fsm"
	"colsum/rpc"
	"colsum/storage"
	"colsum/worker"
)

// patience is how long a test waits for what should happen at once.
const patience = 30 * time.Second

// stack is a cluster of one node over real raft, real sockets and a real folder.
type stack struct {
	testing.TB
	ctx   context.Context
	id    string
	state string       // folder of the node
	bind  net.Listener // of raft; nil for any port
	data  string       // folder of the files
	addr  string       // of the rpc server, the same after a restart
	peers []string     // rpc addresses of other nodes, for workers
	files *faulty
	cfg   Config
	raft  func(*raftnode.Config)

	*Coordinator
	stop func()
}

func newStack(t testing.TB, cfg Config) *stack {
	t.Helper()
	s := &stack{TB: t, id: "n1", ctx: t.Context(), state: t.TempDir(), data: t.TempDir(), addr: "127.0.0.1:0", cfg: cfg}
	local, err := storage.NewLocal(s.data)
	if err != nil {
		t.Fatal(err)
	}
	s.files = &faulty{Store: local}
	if s.cfg.MinChunk == 0 {
		s.cfg.MinChunk = 1
	}
	return s
}

// start runs the node; stop (also called at the test's end) ends it in good order.
func (s *stack) start() *stack {
	s.Helper()
	logger := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		logger = slog.New(slog.NewTextHandler(s.Output(), nil))
	}
	state, err := fsm.Open(fsm.Config{Dir: filepath.Join(s.state, "fsm"), Logger: logger})
	s.must(err)
	l := s.bind
	if l == nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		s.must(err)
	}
	rc := raftnode.Config{
		ID: s.id, Dir: filepath.Join(s.state, "raft"), Listener: l, Logger: slog.New(slog.DiscardHandler),
		HeartbeatTimeout: 50 * time.Millisecond,
	}
	if s.raft != nil {
		s.raft(&rc)
	}
	node, err := raftnode.Open(rc, state)
	s.must(err)
	r, err := net.Listen("tcp", s.addr)
	s.must(err)
	s.addr = r.Addr().String()

	cfg := s.cfg
	cfg.Self = fsm.Node{ID: s.id, Raft: l.Addr().String(), RPC: s.addr, HTTP: "127.0.0.1:1"}
	cfg.Logger = logger
	s.Coordinator, err = New(cfg, node, s.files)
	s.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Coordinator.Run(ctx); err != nil && ctx.Err() == nil {
			s.Errorf("coordinator: %v", err)
		}
	})
	server := rpc.NewServer(rpc.ServerConfig{ClusterID: "test", Logger: slog.New(slog.DiscardHandler)}, s.Coordinator)
	running.Go(func() {
		if err := server.Serve(ctx, r); err != nil {
			s.Errorf("rpc server: %v", err)
		}
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := node.Close(); err != nil {
			s.Errorf("close node: %v", err)
		}
		if err := state.Close(); err != nil {
			s.Errorf("close state: %v", err)
		}
	})
	s.Cleanup(s.stop)
	if s.bind == nil {
		s.until("the node leads", func() bool { return s.reign.Load() != nil })
	}
	return s
}

// newCluster starts three nodes over the same files.
func newCluster(t testing.TB) []*stack {
	t.Helper()
	nodes := make([]*stack, 3)
	var peers []raftnode.Peer
	for i := range nodes {
		s := newStack(t, Config{})
		if i > 0 {
			s.data, s.files = nodes[0].data, nodes[0].files
		}
		var err error
		s.id = fmt.Sprint("n", i+1)
		s.bind, err = net.Listen("tcp", "127.0.0.1:0")
		s.must(err)
		peers = append(peers, raftnode.Peer{ID: s.id, Addr: s.bind.Addr().String()})
		nodes[i] = s
	}
	for _, s := range nodes {
		s.raft = func(c *raftnode.Config) {
			c.Peers = peers
			c.HeartbeatTimeout = 600 * time.Millisecond // room for a busy machine
		}
		s.start()
	}
	for _, s := range nodes {
		for _, o := range nodes {
			s.peers = append(s.peers, o.addr)
		}
	}
	return nodes
}

// leader waits for one of the nodes to lead.
func leader(nodes []*stack) (lead *stack) {
	nodes[0].Helper()
	nodes[0].until("a node leads", func() bool {
		for _, s := range nodes {
			if s.reign.Load() != nil && s.ReadBarrier(s.ctx) == nil {
				lead = s
			}
		}
		return lead != nil
	})
	return lead
}

// work starts a real worker on the stack's files, or others.
func (s *stack) work(slots int, files worker.Store) (stop func()) {
	s.Helper()
	if files == nil {
		files = s.files
	}
	quiet := slog.New(slog.DiscardHandler)
	client, err := rpc.NewClient(rpc.ClientConfig{Coordinators: append([]string{s.addr}, s.peers...), ClusterID: "test", Logger: quiet})
	s.must(err)
	w, err := worker.New(worker.Config{Slots: slots, Logger: quiet, Grace: -1}, client, files)
	s.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			s.Errorf("worker: %v", err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		client.Close()
	})
	s.Cleanup(stop)
	return stop
}

func (s *stack) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// until waits for a condition.
func (s *stack) until(what string, cond func() bool) {
	s.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-late:
			s.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

// ends waits until a work has ended.
func (s *stack) ends(id string) *csvsum.Document {
	s.Helper()
	late := time.After(patience)
	for {
		changed := s.State().Changed(id)
		doc, ok := s.Document(id)
		if !ok {
			s.Fatalf("work %s is not known", id)
		}
		if fsm.Status(doc.Status).Ended() {
			return doc
		}
		select {
		case <-changed:
		case <-late:
			s.Fatalf("work %s does not end: %+v, %+v", id, doc, s.TaskCounts())
		}
	}
}

func (s *stack) submit(path string, opt csvsum.Options) string {
	s.Helper()
	id, err := s.Submit(s.ctx, SubmitRequest{Path: path, Options: opt})
	s.must(err)
	return id
}

func (s *stack) write(name, text string) {
	s.Helper()
	s.must(os.WriteFile(filepath.Join(s.data, name), []byte(text), 0o600))
}

// want checks that a work is done with the digest that summing the file here gives.
func (s *stack) want(id, name string, opt csvsum.Options) {
	s.Helper()
	doc := s.ends(id)
	if doc.Status != string(fsm.Done) {
		s.Fatalf("%s: status %s, error %+v", name, doc.Status, doc.Error)
	}
	if want := s.digest(name, opt); doc.Digest != want {
		s.Errorf("%s: digest %s, want %s", name, doc.Digest, want)
	}
}

func (s *stack) digest(name string, opt csvsum.Options) string {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(s.data, name))
	s.must(err)
	plan, err := csvsum.Sniff(text[:min(len(text), csvsum.HeadBytes)], int64(len(text)), opt)
	s.must(err)
	fold, err := csvsum.Sum(s.ctx, func(_ context.Context, off, _ int64) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(string(text[off:]))), nil
	}, plan, 0, 1, nil)
	s.must(err)
	return fold.Result(plan, true).Digest
}

// table is a CSV with a header, quoted fields with newlines and quotes in them, and some cells that are not numbers.
func table(rows, columns int, seed uint64) string {
	rnd := rand.New(rand.NewPCG(seed, 7))
	var b strings.Builder
	for c := range columns {
		fmt.Fprintf(&b, ",col%d", c+1)
	}
	b.WriteByte('\n')
	for r := range rows {
		fmt.Fprint(&b, r)
		for c := range columns {
			switch rnd.IntN(30) {
			case 0:
				b.WriteString(",\"text, with\n1,2,3\n\"\"quotes\"\"\"")
			case 1:
				b.WriteString(",")
			case 2:
				fmt.Fprintf(&b, ",\"%d.%d\"", c, rnd.IntN(1000))
			default:
				fmt.Fprintf(&b, ",%v", rnd.Float64())
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// faulty is a storage that can be made to fail.
type faulty struct {
	storage.Store
	mu   sync.Mutex
	open func(ctx context.Context, in storage.Info, off int64) error // mu; called before each Open, if set
	stat func(path string) error                                     // mu; called before each Stat, if set
}

func (f *faulty) onOpen(fn func(ctx context.Context, in storage.Info, off int64) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = fn
}

func (f *faulty) onStat(fn func(path string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stat = fn
}

func (f *faulty) Open(ctx context.Context, in storage.Info, off, want int64) (io.ReadCloser, error) {
	f.mu.Lock()
	fn := f.open
	f.mu.Unlock()
	if fn != nil {
		if err := fn(ctx, in, off); err != nil {
			return nil, err
		}
	}
	return f.Store.Open(ctx, in, off, want)
}

func (f *faulty) Stat(ctx context.Context, path string) (storage.Info, error) {
	f.mu.Lock()
	fn := f.stat
	f.mu.Unlock()
	if fn != nil {
		if err := fn(path); err != nil {
			return storage.Info{}, err
		}
	}
	return f.Store.Stat(ctx, path)
}
