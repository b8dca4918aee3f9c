package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// quorum is a few coordinators of which at most one leads.
type quorum struct {
	nodes []*node
	mu    sync.Mutex // guards the rest
	lead  int        // -1: none
	hint  bool       // the others know who leads
	beats []int      // answered as leader, by node
}

func newQuorum(t testing.TB, size int) *quorum {
	q := &quorum{lead: -1, hint: true, beats: make([]int, size)}
	for i := range size {
		q.nodes = append(q.nodes, start(t, &node{
			heartbeat: func(context.Context, *HeartbeatRequest) (*HeartbeatReply, error) {
				q.mu.Lock()
				defer q.mu.Unlock()
				if q.lead == i {
					q.beats[i]++
					return &HeartbeatReply{}, nil
				}
				n := &NotLeader{}
				if q.lead >= 0 && q.hint {
					n.Leader = q.nodes[q.lead].addr
				}
				return &HeartbeatReply{NotLeader: n}, nil
			},
		}, ServerConfig{}))
	}
	return q
}

func (q *quorum) elect(i int, hint bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lead, q.hint = i, hint
}

// answered returns how many heartbeats node i answered as leader.
func (q *quorum) answered(i int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.beats[i]
}

func (q *quorum) addrs() (a []string) {
	for _, n := range q.nodes {
		a = append(a, n.addr)
	}
	return a
}

func TestClientFollowsTheLeader(t *testing.T) {
	for _, hint := range []bool{true, false} {
		t.Run(fmt.Sprintf("hint=%v", hint), func(t *testing.T) {
			noLeaks(t)
			q := newQuorum(t, 3)
			c := client(t, ClientConfig{}, q.addrs()...)
			for _, lead := range []int{0, 1, 2, 1, 0} {
				q.elect(lead, hint)
				before := q.answered(lead)
				if _, err := c.Heartbeat(within(t), &HeartbeatRequest{}); err != nil {
					t.Fatal(err)
				}
				if got := q.answered(lead) - before; got != 1 || c.Leader() != q.nodes[lead].addr {
					t.Fatalf("leader %d got %d heartbeats, want 1; the client believes in %q", lead, got, c.Leader())
				}
			}
			eventually(t, "connections to others than the leader to be closed", func() bool {
				return q.nodes[0].server.Conns() == 1 && q.nodes[1].server.Conns() == 0 && q.nodes[2].server.Conns() == 0
			})
		})
	}
}

func TestClientFollowsToAnAddressItDidNotKnow(t *testing.T) {
	noLeaks(t)
	q := newQuorum(t, 3)
	q.elect(2, true)
	c := client(t, ClientConfig{}, q.addrs()[:1]...)
	if _, err := c.Heartbeat(within(t), &HeartbeatRequest{}); err != nil {
		t.Fatal(err)
	}
	if c.Leader() != q.nodes[2].addr {
		t.Errorf("leader: got %q, want %q", c.Leader(), q.nodes[2].addr)
	}
}

func TestClientWaitsForAnElection(t *testing.T) {
	noLeaks(t)
	q := newQuorum(t, 3)
	c := client(t, ClientConfig{}, q.addrs()...)
	done := make(chan error, 1)
	ctx := within(t)
	go func() { _, err := c.Heartbeat(ctx, &HeartbeatRequest{}); done <- err }()
	eventually(t, "the client to ask around", func() bool {
		return q.nodes[0].server.Conns() > 0 && q.nodes[1].server.Conns() > 0 && q.nodes[2].server.Conns() > 0
	})
	q.elect(1, true)
	if err := recv(t, done, "the answer"); err != nil {
		t.Error(err)
	}
}

func TestClientOutlivesADeadLeaderAndAStaleHint(t *testing.T) {
	noLeaks(t)
	q := newQuorum(t, 3)
	q.elect(0, true)
	c := client(t, ClientConfig{}, q.addrs()...)
	if _, err := c.Heartbeat(within(t), &HeartbeatRequest{}); err != nil {
		t.Fatal(err)
	}
	q.nodes[0].stop() // the others still point at it
	done := make(chan error, 1)
	ctx := within(t)
	go func() { _, err := c.Heartbeat(ctx, &HeartbeatRequest{}); done <- err }()
	eventually(t, "the client to ask the others", func() bool {
		return q.nodes[1].server.Conns() > 0 && q.nodes[2].server.Conns() > 0
	})
	q.elect(2, true)
	if err := recv(t, done, "the answer"); err != nil {
		t.Error(err)
	}
}

// The first call that finds the new leader wakes those that wait to try again; hearsay, which may be of a dead one, does not.
func TestWhoFindsTheLeaderWakesTheOthers(t *testing.T) {
	const a, b = "127.0.0.1:1", "127.0.0.1:2"
	c := client(t, ClientConfig{}, a, b)
	for _, step := range []struct {
		what  string
		do    func()
		wakes bool
	}{
		{"told of b", func() { c.redirected(a, b) }, false},
		{"b answers", func() { c.found(b) }, true},
		{"b answers again", func() { c.found(b) }, false},
		{"b is lost", func() { c.lost(b) }, false},
		{"told of b", func() { c.redirected(a, b) }, false},
		{"b answers after all", func() { c.found(b) }, true},
		{"a answers", func() { c.found(a) }, true},
	} {
		_, heard := c.target()
		step.do()
		woken := false
		select {
		case <-heard:
			woken = true
		default:
		}
		if woken != step.wakes {
			t.Errorf("%s: wakes others %v, want %v", step.what, woken, step.wakes)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		heard := make(chan struct{})
		close(heard)
		began := time.Now()
		wait := backoff{bound: backoffMax}
		wait.wait(t.Context(), t.Context(), heard)
		if took := time.Since(began); took > 0 {
			t.Errorf("a call that was woken waits for %v", took)
		}
	})
}

func TestClientIsPatientWithARestart(t *testing.T) {
	noLeaks(t)
	n := start(t, &node{}, ServerConfig{})
	c := client(t, ClientConfig{}, n.addr)
	if _, err := c.Heartbeat(within(t), &HeartbeatRequest{}); err != nil {
		t.Fatal(err)
	}
	n.stop()
	done := make(chan error, 1)
	ctx := within(t)
	go func() { _, err := c.Heartbeat(ctx, &HeartbeatRequest{}); done <- err }()
	startOn(t, &node{}, ServerConfig{}, listen(t, n.addr))
	if err := recv(t, done, "the answer"); err != nil {
		t.Error(err)
	}
}

func TestClientRepeatsWhatAHandlerCouldNotDo(t *testing.T) {
	noLeaks(t)
	var calls atomic.Int32
	n := start(t, &node{complete: func(context.Context, *CompleteRequest) (*CompleteReply, error) {
		if calls.Add(1) < 3 {
			return nil, errors.New("leadership lost while committing")
		}
		return &CompleteReply{}, nil
	}}, ServerConfig{})
	c := client(t, ClientConfig{}, n.addr)
	if _, err := c.Complete(within(t), &CompleteRequest{}); err != nil {
		t.Fatal(err)
	}
	if got := calls.Load(); got != 3 {
		t.Errorf("calls: got %d, want 3", got)
	}
}

// loser is a connection that the server's replies do not pass while lose is set; then it breaks.
type loser struct {
	net.Conn
	lose *atomic.Bool
}

func (l loser) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if l.lose.CompareAndSwap(true, false) {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func TestLostReplyIsAskedForAgain(t *testing.T) {
	noLeaks(t)
	var calls atomic.Int32
	var lose atomic.Bool
	limits := quick
	limits.KeepAlive = time.Minute // or an empty frame might be what gets lost
	n := start(t, &node{complete: func(context.Context, *CompleteRequest) (*CompleteReply, error) {
		if calls.Add(1) == 1 {
			lose.Store(true)
		}
		return &CompleteReply{}, nil
	}}, ServerConfig{Limits: limits})
	c := client(t, ClientConfig{Limits: limits, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return loser{conn, &lose}, err
	}}, n.addr)
	if _, err := c.Complete(within(t), &CompleteRequest{}); err != nil {
		t.Fatal(err)
	}
	if got := calls.Load(); got != 2 {
		t.Errorf("calls: got %d, want 2", got)
	}
}

func TestLateReplyIsDroppedWithItsConnection(t *testing.T) {
	noLeaks(t)
	var calls atomic.Int32
	slow := make(chan struct{})
	n := start(t, &node{heartbeat: func(ctx context.Context, _ *HeartbeatRequest) (*HeartbeatReply, error) {
		if calls.Add(1) == 1 {
			<-ctx.Done() // the client gave up and closed
			close(slow)
			return &HeartbeatReply{Stop: []TaskRef{{Work: "late"}}}, nil
		}
		return &HeartbeatReply{Stop: []TaskRef{{Work: "second"}}}, nil
	}}, ServerConfig{})
	c := client(t, ClientConfig{CallTimeout: 100 * time.Millisecond}, n.addr)
	r, err := c.Heartbeat(within(t), &HeartbeatRequest{})
	if err != nil {
		t.Fatal(err)
	}
	recv(t, slow, "the first handler")
	if len(r.Stop) != 1 || r.Stop[0].Work != "second" {
		t.Errorf("got %+v, want the second answer", r)
	}
}

func TestLongPollDoesNotDelayOtherCalls(t *testing.T) {
	noLeaks(t)
	entered := make(chan struct{}, 1)
	n := start(t, &node{lease: func(ctx context.Context, _ *LeaseRequest) (*LeaseReply, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}}, ServerConfig{})
	c := client(t, ClientConfig{}, n.addr)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	done := make(chan error, 1)
	go func() { _, err := c.Lease(ctx, &LeaseRequest{Wait: time.Hour}); done <- err }()
	recv(t, entered, "the long poll")
	for range 20 {
		if _, err := c.Complete(ctx, &CompleteRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.server.Conns(); got != 2 {
		t.Errorf("connections: got %d, want one for polls and one for the rest", got)
	}
	cancel()
	if err := recv(t, done, "the poll's end"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
}

func TestServerThatFallsSilentIsLeft(t *testing.T) {
	noLeaks(t)
	// A server that shakes hands and then says nothing, not even keep-alives: a host that vanished.
	l := listen(t, "127.0.0.1:0")
	var wg sync.WaitGroup
	var held []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			held = append(held, conn)
			_ = welcome(conn, "", patience)
		}
	})
	defer func() {
		_ = l.Close()
		wg.Wait()
		for _, c := range held {
			_ = c.Close()
		}
	}()
	var asked atomic.Int32
	alive := start(t, &node{lease: func(context.Context, *LeaseRequest) (*LeaseReply, error) {
		asked.Add(1)
		return &LeaseReply{}, nil
	}}, ServerConfig{})
	c := client(t, ClientConfig{}, l.Addr().String(), alive.addr)
	c.next = 0
	// Wait is an hour, so only the silence can end the first attempt.
	if _, err := c.Lease(within(t), &LeaseRequest{Wait: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if asked.Load() != 1 {
		t.Errorf("leases at the other coordinator: got %d, want 1", asked.Load())
	}
}

func TestMismatchEverywhereIsAnError(t *testing.T) {
	noLeaks(t)
	a := start(t, &node{}, ServerConfig{ClusterID: "a"})
	b := start(t, &node{}, ServerConfig{ClusterID: "b"})
	c := client(t, ClientConfig{ClusterID: "c"}, a.addr, b.addr)
	_, err := c.Heartbeat(within(t), &HeartbeatRequest{})
	var h *HandshakeError
	if !errors.As(err, &h) || h.Reason != BadCluster || !strings.Contains(err.Error(), `the client to "c"`) {
		t.Errorf("got %v, want a HandshakeError about the cluster id", err)
	}
	// One coordinator that fits is enough.
	c = client(t, ClientConfig{ClusterID: "b"}, a.addr, b.addr)
	if _, err := c.Heartbeat(within(t), &HeartbeatRequest{}); err != nil {
		t.Error(err)
	}
}

func TestDialingSomethingElse(t *testing.T) {
	noLeaks(t)
	l := listen(t, "127.0.0.1:0")
	var wg sync.WaitGroup
	wg.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	})
	defer wg.Wait()
	defer l.Close()
	c := client(t, ClientConfig{}, l.Addr().String())
	_, err := c.Heartbeat(within(t), &HeartbeatRequest{})
	var h *HandshakeError
	if !errors.As(err, &h) || h.Reason != BadMagic {
		t.Errorf("got %v, want a HandshakeError about the protocol", err)
	}
	_ = c.Close()
}

func TestRequestOverTheLimitIsNotSent(t *testing.T) {
	noLeaks(t)
	n := start(t, &node{}, ServerConfig{})
	c := client(t, ClientConfig{}, n.addr)
	_, err := c.Fail(within(t), &FailRequest{Failures: []Failure{{Message: strings.Repeat("x", quick.Frame)}}})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want %v", err, ErrTooLarge)
	}
	// Just below it there is no limit.
	_, err = c.Fail(within(t), &FailRequest{Failures: []Failure{{Message: strings.Repeat("x", quick.Frame-1000)}}})
	if err != nil {
		t.Error(err)
	}
}

func TestCallsEndWithTheirContextAndWithClose(t *testing.T) {
	noLeaks(t)
	c := client(t, ClientConfig{}, "127.0.0.1:1") // nobody listens there
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.Heartbeat(ctx, &HeartbeatRequest{}); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "dial") {
		t.Errorf("got %v, want the deadline and the reason", err)
	}
	done := make(chan error, 1)
	go func() { _, err := c.Heartbeat(context.Background(), &HeartbeatRequest{}); done <- err }()
	_ = c.Close()
	if err := recv(t, done, "the call to end"); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want %v", err, ErrClosed)
	}
	if _, err := c.Lease(context.Background(), &LeaseRequest{}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want %v", err, ErrClosed)
	}
}

func TestConcurrentCallsThroughChangesOfLeader(t *testing.T) {
	noLeaks(t)
	q := newQuorum(t, 3)
	q.elect(0, true)
	c := client(t, ClientConfig{}, q.addrs()...)
	ctx := within(t)
	const callers, each = 8, 50
	var done atomic.Int32
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				if _, err := c.Heartbeat(ctx, &HeartbeatRequest{}); err != nil {
					t.Error(err)
					return
				}
				if n := int(done.Add(1)); n%40 == 0 {
					q.elect(n/40%3, n%80 == 0)
				}
			}
		})
	}
	wg.Wait()
	if got := q.answered(0) + q.answered(1) + q.answered(2); got != callers*each {
		t.Errorf("heartbeats answered by a leader: got %d, want %d", got, callers*each)
	}
}

func TestNewClientNamesWhatIsWrong(t *testing.T) {
	for want, cfg := range map[string]ClientConfig{
		"coordinators: must name":      {},
		"coordinators: must be host":   {Coordinators: []string{"localhost"}},
		"cluster_id: must have":        {Coordinators: []string{"a:1"}, ClusterID: strings.Repeat("x", 256)},
		"call_timeout: must not":       {Coordinators: []string{"a:1"}, CallTimeout: -1},
		"dial_timeout: must not":       {Coordinators: []string{"a:1"}, DialTimeout: -1},
		"limits.keep_alive: must be b": {Coordinators: []string{"a:1"}, Limits: Limits{KeepAlive: -1}},
	} {
		if _, err := NewClient(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
