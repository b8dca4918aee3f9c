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

	mu     sync.Mutex
	closed bool                  // mu
	conns  map[*tracked]struct{} // mu
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
	return t, nil
}

// Close stops listening and closes every accepted connection.
func (s *stream) Close() error {
	err := s.Listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for t := range s.conns {
		t.Conn.Close()
	}
	clear(s.conns)
	return err
}

func (s *stream) Addr() net.Addr { return s.addr }

// tracked is an accepted connection that its stream knows of.
type tracked struct {
	net.Conn
	s *stream
}

func (t *tracked) Close() error {
	t.s.mu.Lock()
	delete(t.s.conns, t)
	t.s.mu.Unlock()
	return t.Conn.Close()
}

// advertised is an address as text.
type advertised string

func (a advertised) Network() string { return "tcp" }
func (a advertised) String() string  { return string(a) }
