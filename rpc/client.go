package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"
)

// ClientConfig sets a Client up.
type ClientConfig struct {
	// Coordinators are the rpc addresses (host:port) to begin with; at least one. The leader may name others.
	Coordinators []string
	// ClusterID must be the servers'; at most MaxClusterID bytes.
	ClusterID string
	// Logger: slog.Default() if nil.
	Logger *slog.Logger
	// Dial makes connections, for example with TLS; a net.Dialer if nil.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// DialTimeout: 5 s.
	DialTimeout time.Duration
	// CallTimeout is how long one attempt at Heartbeat may take: 5 s. Complete and Fail, which wait for a commit, get three
	// times that; Lease gets it on top of the request's Wait.
	CallTimeout time.Duration
	Limits      Limits
}

// maxHops is how often in a row a client follows "not me, ask him" without waiting.
const maxHops = 3

// Client calls the leader of a cluster. It finds the leader by itself, remembers it, and repeats a call until it is
// answered or its context ends: all four calls are safe to repeat. Safe for concurrent use.
//
// Besides the context's, the errors are: *HandshakeError (no coordinator wants this client), *RefusedError (this request
// cannot be carried out), ErrTooLarge, ErrClosed.
//
// It is also what workers within a coordinator's process use, with the addresses of their own cluster: leadership moves
// from node to node, and an embedded worker has to follow it like any other.
type Client struct {
	cfg    ClientConfig
	log    *slog.Logger
	polls  *lane
	others *lane
	cancel context.CancelFunc

	mu     sync.Mutex    // guards the rest
	leader string        // "" while unknown
	proven string        // who answered as leader last; "" once it was lost
	heard  chan struct{} // closed and replaced when another one answers as leader
	next   int           // the coordinator to ask while the leader is unknown
}

// NewClient returns a client. It connects on the first call.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = 5 * time.Second
	}
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = 5 * time.Second
	}
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.Coordinators = slices.Clone(cfg.Coordinators)
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("rpc client: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{cfg: cfg, log: cfg.Logger, cancel: cancel, heard: make(chan struct{}), next: rand.IntN(len(cfg.Coordinators))}
	c.polls = newLane(ctx, &c.cfg, true)
	c.others = newLane(ctx, &c.cfg, false)
	return c, nil
}

func (c *ClientConfig) validate() error {
	if len(c.Coordinators) == 0 {
		return errors.New("coordinators: must name at least one address")
	}
	for _, a := range c.Coordinators {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return fmt.Errorf("coordinators: must be host:port, got %q", a)
		}
	}
	if len(c.ClusterID) > MaxClusterID {
		return fmt.Errorf("cluster_id: must have at most %d bytes, got %d", MaxClusterID, len(c.ClusterID))
	}
	if c.DialTimeout < 0 {
		return fmt.Errorf("dial_timeout: must not be negative, got %v", c.DialTimeout)
	}
	if c.CallTimeout < 0 {
		return fmt.Errorf("call_timeout: must not be negative, got %v", c.CallTimeout)
	}
	return c.Limits.validate()
}

// Lease asks for tasks; see LeaseRequest. If ctx ends, the leader's side of the long poll ends soon after.
func (c *Client) Lease(ctx context.Context, req *LeaseRequest) (*LeaseReply, error) {
	return call(ctx, c, c.polls, "Lease", req.Wait+c.cfg.CallTimeout, req, func(r *LeaseReply) *NotLeader { return r.NotLeader })
}

// Heartbeat reports what the worker is at.
func (c *Client) Heartbeat(ctx context.Context, req *HeartbeatRequest) (*HeartbeatReply, error) {
	return call(ctx, c, c.others, "Heartbeat", c.cfg.CallTimeout, req, func(r *HeartbeatReply) *NotLeader { return r.NotLeader })
}

// Complete hands in results; once it returns without error they are committed.
func (c *Client) Complete(ctx context.Context, req *CompleteRequest) (*CompleteReply, error) {
	return call(ctx, c, c.others, "Complete", 3*c.cfg.CallTimeout, req, func(r *CompleteReply) *NotLeader { return r.NotLeader })
}

// Fail reports tasks that were not done.
func (c *Client) Fail(ctx context.Context, req *FailRequest) (*FailReply, error) {
	return call(ctx, c, c.others, "Fail", 3*c.cfg.CallTimeout, req, func(r *FailReply) *NotLeader { return r.NotLeader })
}

// Leader returns the address of the leader as last heard, "" if unknown.
func (c *Client) Leader() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leader
}

// Close ends all calls with ErrClosed and closes all connections.
func (c *Client) Close() error {
	c.cancel()
	c.polls.close()
	c.others.close()
	return nil
}

// call is the loop behind the four methods.
func call[Q, R any](ctx context.Context, c *Client, l *lane, method string, timeout time.Duration, req *Q, notLeader func(*R) *NotLeader) (*R, error) {
	body, err := encode(req)
	if err != nil {
		return nil, fmt.Errorf("rpc %s: %w", method, err)
	}
	const headRoom = 64 // more than any requestHead takes
	if len(body)+headRoom > c.cfg.Limits.Frame {
		return nil, fmt.Errorf("rpc %s: %d bytes, limit %d: %w", method, len(body), c.cfg.Limits.Frame, ErrTooLarge)
	}
	var (
		wait     backoff
		hops     int
		last     error                          // what kept the latest attempt from being answered
		rejected = map[string]*HandshakeError{} // the coordinators that want none of us
	)
	for {
		if l.ctx.Err() != nil {
			return nil, ErrClosed
		}
		if err := ctx.Err(); err != nil {
			if last != nil {
				return nil, fmt.Errorf("rpc %s: %w (last attempt: %v)", method, err, last)
			}
			return nil, fmt.Errorf("rpc %s: %w", method, err)
		}
		addr, heard := c.target()
		answer := new(Answer[R])
		attempt, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
		err := l.call(attempt, addr, method, body, answer)
		cancel()

		var refused *RefusedError
		var handshake *HandshakeError
		switch {
		case errors.As(err, &refused):
			return nil, err
		case errors.As(err, &handshake) && handshake.Reason != Busy:
			rejected[addr] = handshake
			if c.allIn(rejected) {
				return nil, handshake
			}
		default:
			delete(rejected, addr)
		}
		switch {
		case err != nil:
			c.lost(addr)
		case answer.Fault != nil && answer.Fault.Kind == FaultPanic:
			return nil, &RefusedError{Method: method, Detail: answer.Fault.Detail}
		case answer.Fault != nil:
			err = answer.Fault
			if answer.Fault.Kind != FaultBusy {
				c.lost(addr) // it may be shutting down
			}
		case answer.Reply == nil:
			return nil, &RefusedError{Method: method, Detail: "the answer holds neither a reply nor a fault"}
		default:
			n := notLeader(answer.Reply)
			if n == nil {
				c.found(addr)
				return answer.Reply, nil
			}
			if c.redirected(addr, n.Leader) && hops < maxHops {
				hops++
				continue
			}
			err = fmt.Errorf("%s is not the leader", addr)
		}
		hops = 0
		if ctx.Err() == nil {
			last = err
		}
		c.log.Debug("rpc attempt", "method", method, "addr", addr, "err", err)
		wait.wait(ctx, l.ctx, heard)
	}
}

// allIn reports whether every coordinator of the configuration is in rejected.
func (c *Client) allIn(rejected map[string]*HandshakeError) bool {
	for _, a := range c.cfg.Coordinators {
		if rejected[a] == nil {
			return false
		}
	}
	return true
}

// target returns whom to ask, and what is closed when another one than before answers any call as leader.
func (c *Client) target() (addr string, heard <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leader != "" {
		return c.leader, c.heard
	}
	return c.cfg.Coordinators[c.next], c.heard
}

// found notes that addr answered as leader, and wakes the calls that wait to try again. That somebody is said to lead
// wakes nobody: followers name a dead leader until they elect another.
func (c *Client) found(addr string) {
	c.mu.Lock()
	news := c.proven != addr
	c.leader, c.proven = addr, addr
	if news {
		close(c.heard)
		c.heard = make(chan struct{})
	}
	c.mu.Unlock()
	if news {
		c.log.Info("leader found", "addr", addr)
	}
	c.polls.settle(addr)
	c.others.settle(addr)
}

// lost notes that addr is of no use now. Several calls may have failed at once: only the first moves on.
func (c *Client) lost(addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leader == addr {
		c.leader = ""
	}
	if c.proven == addr {
		c.proven = ""
	}
	if c.cfg.Coordinators[c.next] == addr {
		c.next = (c.next + 1) % len(c.cfg.Coordinators)
	}
}

// redirected notes that addr is not the leader but says who is, or "". It reports whether there is somebody new to ask.
func (c *Client) redirected(addr, leader string) bool {
	if leader == addr {
		leader = ""
	}
	c.lost(addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leader != "" {
		return true // another call has heard more since
	}
	c.leader = leader
	return leader != ""
}
