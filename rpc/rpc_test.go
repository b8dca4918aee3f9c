package rpc

import (
	"context"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// quick makes broken connections show within the patience of a test.
var quick = Limits{KeepAlive: 50 * time.Millisecond, Handshake: 2 * time.Second, Transfer: 2 * time.Second, Frame: 1 << 20}

// patience is how long a test waits for what must happen; it never decides what is right.
const patience = 20 * time.Second

// node is a coordinator as far as workers can tell: a real server around functions. A nil function answers an empty reply.
type node struct {
	addr   string
	server *Server
	stop   func() // ends Serve and waits for it

	lease     func(context.Context, *LeaseRequest) (*LeaseReply, error)
	heartbeat func(context.Context, *HeartbeatRequest) (*HeartbeatReply, error)
	complete  func(context.Context, *CompleteRequest) (*CompleteReply, error)
	fail      func(context.Context, *FailRequest) (*FailReply, error)
}

func (n *node) Lease(ctx context.Context, r *LeaseRequest) (*LeaseReply, error) {
	if n.lease == nil {
		return &LeaseReply{}, nil
	}
	return n.lease(ctx, r)
}

func (n *node) Heartbeat(ctx context.Context, r *HeartbeatRequest) (*HeartbeatReply, error) {
	if n.heartbeat == nil {
		return &HeartbeatReply{}, nil
	}
	return n.heartbeat(ctx, r)
}

func (n *node) Complete(ctx context.Context, r *CompleteRequest) (*CompleteReply, error) {
	if n.complete == nil {
		return &CompleteReply{}, nil
	}
	return n.complete(ctx, r)
}

func (n *node) Fail(ctx context.Context, r *FailRequest) (*FailReply, error) {
	if n.fail == nil {
		return &FailReply{}, nil
	}
	return n.fail(ctx, r)
}

// startOn serves n on l until the test or n.stop ends it.
func startOn(t testing.TB, n *node, cfg ServerConfig, l net.Listener) *node {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if cfg.Limits == (Limits{}) {
		cfg.Limits = quick
	}
	n.addr = l.Addr().String()
	n.server = NewServer(cfg, n)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.server.Serve(ctx, l) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if got := n.server.Conns(); got != 0 {
			t.Errorf("connections after Serve returned: got %d, want 0", got)
		}
	})
	t.Cleanup(n.stop)
	return n
}

func start(t testing.TB, n *node, cfg ServerConfig) *node {
	t.Helper()
	return startOn(t, n, cfg, listen(t, "127.0.0.1:0"))
}

func listen(t testing.TB, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func client(t testing.TB, cfg ClientConfig, addrs ...string) *Client {
	t.Helper()
	cfg.Coordinators = addrs
	cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	if cfg.Limits == (Limits{}) {
		cfg.Limits = quick
	}
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// recv waits for a value that must come.
func recv[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain: %s", what)
		panic("unreachable")
	}
}

// eventually polls a condition that nothing announces.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
		runtime.Gosched()
		<-time.After(time.Millisecond)
	}
}

// noLeaks fails the test if goroutines of this package, or net/rpc's, outlive it. Call it first: cleanups run last to first.
func noLeaks(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		var dump string
		defer func() {
			if t.Failed() {
				t.Log(dump)
			}
		}()
		eventually(t, "goroutines to end", func() bool {
			buf := make([]byte, 1<<20)
			dump = string(buf[:runtime.Stack(buf, true)])
			own := 0
			for _, g := range strings.Split(dump, "\n\n") {
				if (strings.Contains(g, "colsum/rpc.") || strings.Contains(g, "net/rpc.")) && !strings.Contains(g, "testing.tRunner") {
					own++
				}
			}
			return own == 0
		})
	})
}
