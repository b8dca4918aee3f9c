package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	netrpc "net/rpc"
	"sync"
	"time"
)

// ServerConfig sets a Server up. The zero value is ready to use.
type ServerConfig struct {
	// ClusterID must be what the clients say it is; at most MaxClusterID bytes.
	ClusterID string
	// Logger: slog.Default() if nil.
	Logger *slog.Logger
	// MaxConns bounds the accepted connections: 8192. A worker uses two.
	MaxConns int
	Limits   Limits
}

const (
	// maxConnCalls bounds the calls under way on one connection; beyond it, the next is not read from the socket. It is more
	// than maxConnPolls, else long polls could keep other calls of their connection out.
	maxConnCalls = 32
	maxConnPolls = 8
	// maxPolls is a long poll for each of 8192 workers; what they cost is a goroutine each.
	maxPolls = 8192
	// maxCalls bounds the handlers of all other calls at work; more wait for their turn.
	maxCalls = 1024
	// drainTime is how long the replies of cancelled calls may take to get out at shutdown.
	drainTime = 3 * time.Second
)

// Server answers workers on behalf of a Service.
type Server struct {
	cfg     ServerConfig
	service Service
	log     *slog.Logger
	polls   chan struct{}
	calls   chan struct{}

	mu    sync.Mutex // guards conns
	conns map[net.Conn]struct{}
}

// NewServer returns a server that was not started. What is wrong with cfg, Serve will say.
func NewServer(cfg ServerConfig, s Service) *Server {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 8192
	}
	cfg.Limits = cfg.Limits.withDefaults()
	return &Server{
		cfg:     cfg,
		service: s,
		log:     cfg.Logger,
		polls:   make(chan struct{}, maxPolls),
		calls:   make(chan struct{}, maxCalls),
		conns:   make(map[net.Conn]struct{}),
	}
}

func (c *ServerConfig) validate() error {
	if len(c.ClusterID) > MaxClusterID {
		return fmt.Errorf("cluster_id: must have at most %d bytes, got %d", MaxClusterID, len(c.ClusterID))
	}
	if c.MaxConns < 1 {
		return fmt.Errorf("max_conns: must be at least 1, got %d", c.MaxConns)
	}
	return c.Limits.validate()
}

// Conns returns the number of open connections.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Serve accepts connections from l, which it closes, until ctx ends; then it returns nil. By then the contexts of all
// calls have ended, their handlers have returned, and every connection is closed. A handler that ignores its context
// delays the return.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	err := s.cfg.validate()
	if err != nil {
		err = fmt.Errorf("rpc server: %w", err)
	} else {
		err = s.accept(ctx, l, cancel)
	}
	if stop() {
		_ = l.Close()
	}
	cancel()
	return err
}

// accept runs until ctx ends or l fails for good; it calls cancel and waits for what it started.
func (s *Server) accept(ctx context.Context, l net.Listener, cancel func()) error {
	var group sync.WaitGroup
	defer func() {
		cancel()
		late := time.AfterFunc(drainTime, s.closeAll)
		defer late.Stop()
		group.Wait()
	}()
	pause := 5 * time.Millisecond
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("rpc accept: %w", err)
		case err != nil:
			// Out of file descriptors, or a connection that was reset before it was accepted: neither lasts.
			s.log.Warn("rpc accept", "err", err, "retry_in", pause)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		if !s.track(conn) {
			s.log.Warn("rpc connection refused", "remote", conn.RemoteAddr(), "max_conns", s.cfg.MaxConns)
			// A new connection has room for the answer, so this does not block; the deadline is for the odd case.
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			_ = reply(conn, Busy, fmt.Sprintf("%d connections are open", s.cfg.MaxConns))
			_ = conn.Close()
			continue
		}
		group.Go(func() {
			defer s.untrack(conn)
			s.serveConn(ctx, conn)
		})
	}
}

func (s *Server) serveConn(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := newWire(conn, s.cfg.Limits)
	defer w.close()
	log := s.log.With("remote", conn.RemoteAddr().String())

	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := welcome(conn, s.cfg.ClusterID, s.cfg.Limits.Handshake)
	if !stop() {
		return
	}
	if err != nil {
		log.Warn("rpc connection refused", "err", err)
		return
	}
	// From here on the end of ctx stops reading only: replies may still get out.
	defer context.AfterFunc(ctx, w.halt)()

	calls := netrpc.NewServer()
	err = calls.RegisterName(serviceName, &endpoint{
		ctx: ctx, log: log, service: s.service,
		polls: make(chan struct{}, maxConnPolls), allPolls: s.polls, allCalls: s.calls,
	})
	if err != nil {
		panic(fmt.Sprintf("rpc: the endpoint does not suit net/rpc: %v", err))
	}
	var pings sync.WaitGroup
	pings.Go(w.keepAlive)
	defer pings.Wait()
	calls.ServeCodec(&serverCodec{
		frameReader: frameReader{w: w},
		calls:       make(chan struct{}, maxConnCalls),
		ctx:         ctx,
		cancel:      cancel,
	})
	w.close()
	log.Debug("rpc connection ended", "err", context.Cause(ctx))
}

func (s *Server) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= s.cfg.MaxConns {
		return false
	}
	s.conns[conn] = struct{}{}
	return true
}

func (s *Server) untrack(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
}
