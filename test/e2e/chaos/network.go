package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// A network is every connection between the processes of a run: each listener of each process is advertised by the address
// of a TCP proxy here. A proxy knows both ends of a connection, so a fault can be put between two processes, in one
// direction or both.
//
// What is held back is delivered late, as after a partition of a real network: no byte of a connection is ever lost while
// both its ends live.
type network struct {
	owners owners // who is at the other end of an accepted connection

	mu      sync.Mutex
	blocked map[way]bool          // mu; nothing passes
	delays  map[way]time.Duration // mu; each piece waits
	refused map[string]bool       // mu; connections to these are reset at once
	links   map[*link]struct{}    // mu
	changed chan struct{}         // mu; closed and replaced when blocked changes
	closed  bool                  // mu

	listeners []net.Listener // mu
	done      sync.WaitGroup
}

// way is a direction between two processes, by their names.
type way struct{ from, to string }

// link is one connection: from is who dialled.
type link struct {
	from, to  string
	ends      [2]*net.TCPConn
	closed    chan struct{}
	closeOnce sync.Once
}

func newNetwork() *network {
	return &network{
		blocked: map[way]bool{}, delays: map[way]time.Duration{}, refused: map[string]bool{},
		links: map[*link]struct{}{}, changed: make(chan struct{}),
	}
}

// listen makes a proxy for a listener of process to and returns the address by which the others reach it.
func (n *network) listen(to, target string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	n.mu.Lock()
	n.listeners = append(n.listeners, l)
	n.mu.Unlock()
	n.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.done.Go(func() { n.carry(c.(*net.TCPConn), to, target) })
		}
	})
	return l.Addr().String(), nil
}

// carry carries one connection to its end.
func (n *network) carry(c *net.TCPConn, to, target string) {
	from := n.owners.of(c)
	n.mu.Lock()
	refused := n.refused[to] || n.closed
	n.mu.Unlock()
	if refused {
		reset(c)
		return
	}
	d, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		reset(c)
		return
	}
	k := &link{from: from, to: to, ends: [2]*net.TCPConn{c, d.(*net.TCPConn)}, closed: make(chan struct{})}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		k.reset()
		return
	}
	n.links[k] = struct{}{}
	n.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { n.pump(k, k.ends[1], k.ends[0], way{from, to}) })
	both.Go(func() { n.pump(k, k.ends[0], k.ends[1], way{to, from}) })
	both.Wait()
	k.reset()
	n.mu.Lock()
	delete(n.links, k)
	n.mu.Unlock()
}

// pump copies one direction, its end included.
func (n *network) pump(k *link, dst, src *net.TCPConn, w way) {
	buf := make([]byte, 32<<10)
	for {
		size, err := src.Read(buf)
		if !n.pass(k, w) {
			return
		}
		if size > 0 {
			if _, werr := dst.Write(buf[:size]); werr != nil {
				k.reset()
				return
			}
		}
		switch {
		case err == io.EOF:
			_ = dst.CloseWrite() // the other end may be gone already
			return
		case err != nil:
			k.reset()
			return
		}
	}
}

// pass waits until a piece may go on; false when the connection has ended.
func (n *network) pass(k *link, w way) bool {
	for {
		n.mu.Lock()
		blocked, delay, changed := n.blocked[w], n.delays[w], n.changed
		n.mu.Unlock()
		if !blocked {
			if delay == 0 {
				return true
			}
			select {
			case <-time.After(delay):
				return true
			case <-k.closed:
				return false
			}
		}
		select {
		case <-changed:
		case <-k.closed:
			return false
		}
	}
}

func (k *link) reset() {
	k.closeOnce.Do(func() {
		close(k.closed)
		reset(k.ends[0])
		reset(k.ends[1])
	})
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // a reset instead of an orderly end
	_ = c.Close()
}

// block stops everything in one direction.
func (n *network) block(ways ...way) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range ways {
		n.blocked[w] = true
	}
}

// delay makes everything in one direction slow.
func (n *network) delay(d time.Duration, ways ...way) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range ways {
		n.delays[w] = d
	}
}

// refuse resets new connections to a process, and those it has.
func (n *network) refuse(to string) {
	n.mu.Lock()
	n.refused[to] = true
	n.mu.Unlock()
	n.resetAll(func(from, at string) bool { return at == to })
}

// resetAll resets the connections of which pick is true.
func (n *network) resetAll(pick func(from, to string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for k := range n.links {
		if pick(k.from, k.to) {
			k.reset()
		}
	}
}

// heal takes every fault back; what was held goes on its way.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.blocked)
	clear(n.delays)
	clear(n.refused)
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *network) close() {
	n.mu.Lock()
	n.closed = true
	for _, l := range n.listeners {
		l.Close()
	}
	n.mu.Unlock()
	n.resetAll(func(string, string) bool { return true })
	n.done.Wait()
}

// String says what is broken at the moment.
func (n *network) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fmt.Sprintf("%d connections, %d directions blocked, %d slow, %d refused", len(n.links), len(n.blocked), len(n.delays), len(n.refused))
}
