package raftnode

import (
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// stream is raft's TCP layer over a listener. Other than raft's own it takes a ready listener, advertises a host name as
// it is (resolved anew at each dial), and closes accepted connections too when it is closed: raft's handlers would
// otherwise linger until the other side hangs up.
type stream struct {
	net.Listener
	addr advertised
	dial func(addr string, timeout time.Duration) (net.Conn, error)

	mu       sync.Mutex
	closed   bool                  // mu
	conns    map[*tracked]struct{} // mu
	handlers sync.WaitGroup        // accepted connections whose handler has not closed them; Add under mu while !closed
}

var _ raft.StreamLayer = (*stream)(nil)

func newStream(l net.Listener, advertise string, dial func(string, time.Duration) (net.Conn, error)) *stream {
	return &stream{Listener: l, addr: advertised(advertise), dial: dial, conns: map[*tracked]struct{}{}}
}

func (s *stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return s.dial(string(address), timeout)
}

func (s *stream) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t := &tracked{Conn: c, s: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.Close()
		return nil, net.ErrClosed
	}
	s.conns[t] = struct{}{}
	s.handlers.Add(1)
	return t, nil
}

// Close stops listening and breaks every accepted connection; wait waits for their handlers.
func (s *stream) Close() error {
	err := s.Listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for t := range s.conns {
		t.Conn.Close()
	}
	return err
}

// wait returns when no handler runs any more. Call it after Close. A handler takes heartbeats past raft's main loop and may
// write the term then, even while raft shuts down: the store must stay open until all are gone.
func (s *stream) wait() { s.handlers.Wait() }

func (s *stream) Addr() net.Addr { return s.addr }

// tracked is an accepted connection that its stream knows of.
type tracked struct {
	net.Conn
	s *stream
}

// Close is called by the handler when it ends.
func (t *tracked) Close() error {
	err := t.Conn.Close()
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if _, open := t.s.conns[t]; open {
		delete(t.s.conns, t)
		t.s.handlers.Done()
	}
	return err
}

// advertised is an address as text.
type advertised string

func (a advertised) Network() string { return "tcp" }
func (a advertised) String() string  { return string(a) }
