package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"colsum/csvsum"
	"colsum/rpc"
	"colsum/storage"
)

// patience is how long a test waits for what must happen; it never decides what is right.
const patience = 30 * time.Second

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// cluster is a few coordinators behind real sockets, as far as a worker can tell: one leads, the state is common to all. It
// leases the tasks of one work and folds what comes in.
type cluster struct {
	t     testing.TB
	nodes []*coordinator
	work  rpc.WorkID
	path  string
	vers  string
	plan  *csvsum.Plan
	chunk int64
	tasks int64

	// Faults; set before the cluster is asked for anything.
	twice      bool                                         // hand every lease out twice
	onComplete func(node int, r *rpc.CompleteRequest) error // before the results are taken; an error is the answer
	afterTaken func(node int) error                         // after they are taken; an error loses the reply

	mu       sync.Mutex // guards the rest
	changed  chan struct{}
	lead     int
	fold     *csvsum.Fold
	pending  []int64
	token    rpc.LeaseToken
	leases   map[rpc.LeaseToken]int64
	failures []rpc.Failure
	beats    []rpc.HeartbeatRequest
	beatAt   []int // the node of each
	stop     []rpc.TaskRef
	leased   int
	asked    []int // Max of each lease call
	accepted int
}

// coordinator is one node of a cluster. It implements rpc.Service.
type coordinator struct {
	c    *cluster
	i    int
	addr string
}

// newCluster starts size coordinators; node 0 leads. There is no work yet.
func newCluster(t testing.TB, size int) *cluster {
	t.Helper()
	c := &cluster{t: t, changed: make(chan struct{}), leases: map[rpc.LeaseToken]int64{}}
	for i := range size {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		n := &coordinator{c: c, i: i, addr: l.Addr().String()}
		c.nodes = append(c.nodes, n)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		server := rpc.NewServer(rpc.ServerConfig{ClusterID: "test", Logger: silent}, n)
		go func() { ended <- server.Serve(ctx, l) }()
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
	return c
}

// schedule plans a file of tasks of chunk bytes.
func (c *cluster) schedule(path, version string, data []byte, chunk int64) {
	c.t.Helper()
	plan, err := csvsum.Sniff(data[:min(len(data), csvsum.HeadBytes)], int64(len(data)), csvsum.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.work, c.path, c.vers, c.plan, c.chunk = "work-1", path, version, plan, chunk
	c.tasks = csvsum.Tasks(plan.Spec.Size, chunk)
	c.fold = csvsum.NewFold(plan)
	c.pending = nil
	for i := range c.tasks {
		c.pending = append(c.pending, i)
	}
	c.wake()
}

// wake is called with mu held.
func (c *cluster) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *cluster) elect(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lead = i
	c.wake()
}

// until waits for cond, which is called with mu held, again after each change.
func (c *cluster) until(what string, cond func() bool) {
	c.t.Helper()
	late := time.After(patience)
	for {
		ok, changed := func() (bool, chan struct{}) {
			c.mu.Lock()
			defer c.mu.Unlock() // also if cond panics
			return cond(), c.changed
		}()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-late:
			c.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// notLeader is called with mu held.
func (n *coordinator) notLeader() *rpc.NotLeader {
	if n.c.lead == n.i {
		return nil
	}
	if n.c.lead < 0 {
		return &rpc.NotLeader{}
	}
	return &rpc.NotLeader{Leader: n.c.nodes[n.c.lead].addr}
}

func (n *coordinator) Lease(ctx context.Context, r *rpc.LeaseRequest) (*rpc.LeaseReply, error) {
	c := n.c
	wait := time.NewTimer(r.Wait)
	defer wait.Stop()
	for asked := false; ; {
		c.mu.Lock()
		if l := n.notLeader(); l != nil {
			c.mu.Unlock()
			return &rpc.LeaseReply{NotLeader: l}, nil
		}
		if !asked {
			c.asked = append(c.asked, r.Max)
			asked = true
			c.wake()
		}
		reply := &rpc.LeaseReply{TTL: time.Minute, Heartbeat: 20 * time.Millisecond}
		for len(c.pending) > 0 && len(reply.Tasks) < r.Max {
			i := c.pending[0]
			c.pending = c.pending[1:]
			c.token++
			c.leased++
			c.leases[c.token] = i
			a := rpc.Assignment{
				TaskRef: rpc.TaskRef{Work: c.work, Task: i, Token: c.token},
				Path:    c.path, Version: c.vers, Spec: c.plan.Spec,
				Start: i * c.chunk, End: min((i+1)*c.chunk, c.plan.Spec.Size), State: c.fold.StartState(i),
			}
			reply.Tasks = append(reply.Tasks, a)
			if c.twice {
				c.token++
				c.leases[c.token] = i
				a.Token = c.token
				reply.Tasks = append(reply.Tasks, a)
			}
		}
		if len(reply.Tasks) > 0 {
			c.wake()
			c.mu.Unlock()
			return reply, nil
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-wait.C:
			return reply, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (n *coordinator) Heartbeat(_ context.Context, r *rpc.HeartbeatRequest) (*rpc.HeartbeatReply, error) {
	c := n.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := n.notLeader(); l != nil {
		return &rpc.HeartbeatReply{NotLeader: l}, nil
	}
	c.beats = append(c.beats, *r)
	c.beatAt = append(c.beatAt, n.i)
	c.wake()
	return &rpc.HeartbeatReply{Stop: c.stop}, nil
}

func (n *coordinator) Complete(_ context.Context, r *rpc.CompleteRequest) (*rpc.CompleteReply, error) {
	c := n.c
	if c.onComplete != nil {
		if err := c.onComplete(n.i, r); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	if l := n.notLeader(); l != nil {
		c.mu.Unlock()
		return &rpc.CompleteReply{NotLeader: l}, nil
	}
	for _, d := range r.Done {
		if d.Work != c.work || d.Version != c.vers || d.Partial == nil {
			c.t.Errorf("completion of something else: %+v", d)
			continue
		}
		delete(c.leases, d.Token)
		v, dropped := c.fold.Offer(d.Task, d.Partial)
		if v == csvsum.Accepted {
			c.accepted++
		}
		if v == csvsum.WrongState {
			dropped = append(dropped, d.Task)
		}
		c.pending = append(c.pending, dropped...)
	}
	c.wake()
	c.mu.Unlock()
	if c.afterTaken != nil {
		if err := c.afterTaken(n.i); err != nil {
			return nil, err
		}
	}
	return &rpc.CompleteReply{}, nil
}

func (n *coordinator) Fail(_ context.Context, r *rpc.FailRequest) (*rpc.FailReply, error) {
	c := n.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := n.notLeader(); l != nil {
		return &rpc.FailReply{NotLeader: l}, nil
	}
	for _, f := range r.Failures {
		if i, ok := c.leases[f.Token]; !ok || i != f.Task {
			c.t.Errorf("failure of a task that was not leased: %+v", f)
		}
		delete(c.leases, f.Token)
		c.failures = append(c.failures, f)
	}
	c.wake()
	return &rpc.FailReply{}, nil
}

// outcome is what came of a worker's run.
type outcome struct {
	failures         []rpc.Failure
	accepted, leases int // results accepted, leases still out
	last             rpc.HeartbeatRequest
}

func (c *cluster) outcome() outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return outcome{slices.Clone(c.failures), c.accepted, len(c.leases), c.lastBeat()}
}

// again puts tasks back to be leased.
func (c *cluster) again(failures ...rpc.Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range failures {
		c.pending = append(c.pending, f.Task)
	}
	c.wake()
}

// lastBeat is the latest heartbeat, or an empty one. It is called with mu held.
func (c *cluster) lastBeat() (r rpc.HeartbeatRequest) {
	if n := len(c.beats); n > 0 {
		r = c.beats[n-1]
	}
	return r
}

// finished is called with mu held.
func (c *cluster) finished() bool { return c.fold != nil && c.fold.Frontier == c.tasks }

func (c *cluster) client() *rpc.Client {
	c.t.Helper()
	var addrs []string
	for _, n := range c.nodes {
		addrs = append(addrs, n.addr)
	}
	cl, err := rpc.NewClient(rpc.ClientConfig{Coordinators: addrs, ClusterID: "test", Logger: silent})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = cl.Close() })
	return cl
}

// run starts a worker of the cluster. stop ends it and waits; it also happens at the end of the test.
func (c *cluster) run(cfg Config, s Store) (w *Worker, stop func()) {
	c.t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = silent
	}
	w, err := New(cfg, c.client(), s)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				c.t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			c.t.Error("Run did not return")
		}
	})
	c.t.Cleanup(stop)
	return w, stop
}

// file writes data below a fresh root and returns the store and the file's pin.
func file(t testing.TB, data []byte) (*storage.Local, storage.Info) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data.csv"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := storage.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Stat(context.Background(), "data.csv")
	if err != nil {
		t.Fatal(err)
	}
	return s, info
}

// numbers returns a file with a header, 25 columns, and text cells with quoted newlines, and the exact sums of its columns 10
// and 20.
func numbers(rows int) (data []byte, sums [2]*big.Rat) {
	rnd := rand.New(rand.NewPCG(1, uint64(rows)))
	var b bytes.Buffer
	for i := range 25 {
		fmt.Fprintf(&b, "name%d,", i+1)
	}
	b.WriteString("last\n")
	sums = [2]*big.Rat{new(big.Rat), new(big.Rat)}
	for range rows {
		for col := 1; col <= 25; col++ {
			switch {
			case col == 3:
				b.WriteString(strings.Repeat("\"a\nb,\"\"c\"", 1))
			default:
				cell := fmt.Sprintf("%d.%0*d", rnd.IntN(2000)-1000, 1+rnd.IntN(18), rnd.IntN(1e9))
				b.WriteString(cell)
				if col%10 == 0 {
					v, ok := new(big.Rat).SetString(cell)
					if !ok {
						panic(cell)
					}
					sums[col/10-1].Add(sums[col/10-1], v)
				}
			}
			b.WriteByte(',')
		}
		b.WriteString("end\n")
	}
	return b.Bytes(), sums
}

// checkSums compares the fold with sums that were made another way.
func (c *cluster) checkSums(rows int, want [2]*big.Rat) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.fold.Result(c.plan, true)
	if r.Rows != int64(rows) || len(r.Results) != 2 {
		c.t.Fatalf("got %d rows, %d results, want %d and 2", r.Rows, len(r.Results), rows)
	}
	for i, col := range r.Results {
		got, ok := new(big.Rat).SetString(string(col.Sum))
		if !ok || got.Cmp(want[i]) != 0 {
			c.t.Errorf("column %d: got %s, want %s", col.Column, col.Sum, want[i].FloatString(30))
		}
	}
}

// noLeaks fails the test if goroutines of workers or clients outlive it. Call it first: cleanups run last to first.
func noLeaks(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		late := time.After(patience)
		for {
			buf := make([]byte, 1<<20)
			dump := string(buf[:runtime.Stack(buf, true)])
			leak := ""
			for _, g := range strings.Split(dump, "\n\n") {
				if strings.Contains(g, "colsum/") && !strings.Contains(g, "testing.tRunner") {
					leak = g
				}
			}
			if leak == "" {
				return
			}
			select {
			case <-late:
				t.Errorf("goroutine left behind:\n%s", leak)
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
}

var errLost = errors.New("leadership lost while committing")
