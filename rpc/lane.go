package rpc

import (
	"context"
	"errors"
	"fmt"
	netrpc "net/rpc"
	"sync"
)

// lane is a client's connections for one kind of call, at most one to each coordinator. Long polls have a lane of their
// own, so that nothing queues behind them.
type lane struct {
	cfg *ClientConfig
	// ctx ends when the client is closed; dials hang on it, as their first caller may leave while others wait.
	ctx context.Context
	// closeOnCancel: a caller that leaves takes the connection with it, so that the server frees the long poll.
	closeOnCancel bool
	// wg counts goroutines; it is added to under mu or by one of them, and never after closed was set.
	wg sync.WaitGroup

	mu     sync.Mutex // guards closed, peers and their calls
	closed bool
	peers  map[string]*peer
}

// peer is a connection that is being made, or stands.
type peer struct {
	addr  string
	calls int // guarded by lane.mu
	// ready is closed when the dial ended; then err or rpc is set.
	ready chan struct{}
	err   error
	wire  *wire
	rpc   *netrpc.Client
}

func newLane(ctx context.Context, cfg *ClientConfig, closeOnCancel bool) *lane {
	return &lane{cfg: cfg, ctx: ctx, closeOnCancel: closeOnCancel, peers: make(map[string]*peer)}
}

// call sends one request and waits for its answer or the end of ctx. out must be fresh: if call returns an error it may
// still be written to. A connection on which anything went wrong is closed.
func (l *lane) call(ctx context.Context, addr, method string, body rawBody, out any) error {
	p, err := l.enter(addr)
	if err != nil {
		return err
	}
	defer l.exit(p)
	select {
	case <-p.ready:
	case <-ctx.Done():
		// The dial goes on for the next caller, within its own time.
		return context.Cause(ctx)
	}
	if p.err != nil {
		return p.err
	}
	done := make(chan *netrpc.Call, 1)
	// Go blocks while another request is being written, hence the goroutine. It ends with the write, or with the connection.
	if err := l.start(func() { p.rpc.Go(serviceName+"."+method, body, out, done) }); err != nil {
		return err
	}
	select {
	case c := <-done:
		var refused netrpc.ServerError
		switch {
		case c.Error == nil:
			return nil
		case errors.As(c.Error, &refused):
			return &RefusedError{Method: method, Detail: string(refused)}
		}
		l.drop(p)
		return fmt.Errorf("call %s: %w", addr, c.Error)
	case <-ctx.Done():
		err := context.Cause(ctx)
		if l.closeOnCancel || errors.Is(err, errTimeout) {
			l.drop(p)
		}
		return fmt.Errorf("call %s: %w", addr, err)
	}
}

// enter returns the connection to addr, dialling if there is none. The caller waits for ready, and calls exit.
func (l *lane) enter(addr string) (*peer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	p := l.peers[addr]
	if p == nil {
		p = &peer{addr: addr, ready: make(chan struct{})}
		l.peers[addr] = p
		l.wg.Go(func() { l.dial(p) })
	}
	p.calls++
	return p, nil
}

func (l *lane) start(f func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.wg.Go(f)
	return nil
}

// close waits for all that was started; ctx has ended.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.wg.Wait()
}

func (l *lane) exit(p *peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.calls--
}

func (l *lane) dial(p *peer) {
	defer close(p.ready)
	p.err = func() error {
		ctx, cancel := context.WithTimeout(l.ctx, l.cfg.DialTimeout)
		defer cancel()
		conn, err := l.cfg.Dial(ctx, "tcp", p.addr)
		if err != nil {
			return fmt.Errorf("dial %s: %w", p.addr, err)
		}
		// A client that is closed does not wait for a server that says nothing.
		stop := context.AfterFunc(l.ctx, func() { _ = conn.Close() })
		if err := greet(conn, p.addr, l.cfg.ClusterID, l.cfg.Limits.Handshake); err != nil {
			stop()
			_ = conn.Close()
			return fmt.Errorf("dial %s: %w", p.addr, err)
		}
		if !stop() {
			return ErrClosed
		}
		p.wire = newWire(conn, l.cfg.Limits)
		return nil
	}()
	if p.err != nil {
		l.drop(p)
		return
	}
	p.rpc = netrpc.NewClientWithCodec(&clientCodec{frameReader{w: p.wire}})
	l.wg.Go(p.wire.keepAlive)
	l.wg.Go(func() {
		// However the connection ends, the next call dials anew.
		select {
		case <-p.wire.closed:
		case <-l.ctx.Done():
			p.wire.close()
		}
		l.drop(p)
	})
}

// drop forgets p and closes it.
func (l *lane) drop(p *peer) {
	l.mu.Lock()
	if l.peers[p.addr] == p {
		delete(l.peers, p.addr)
	}
	l.mu.Unlock()
	if p.wire != nil {
		p.wire.close()
	}
}

// settle closes connections that are not in use to any but the leader.
func (l *lane) settle(leader string) {
	var idle []*peer
	l.mu.Lock()
	for addr, p := range l.peers {
		select {
		case <-p.ready:
			if addr != leader && p.calls == 0 {
				delete(l.peers, addr) // now, so that no call enters before it is closed
				idle = append(idle, p)
			}
		default:
		}
	}
	l.mu.Unlock()
	for _, p := range idle {
		l.drop(p)
	}
}
