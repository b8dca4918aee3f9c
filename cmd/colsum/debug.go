package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"golang.org/x/sys/unix"
)

// PprofFlags let whoever is on the machine profile a process.
type PprofFlags struct {
	Pprof string `placeholder:"127.0.0.1:PORT" help:"Answer net/http/pprof here, on a loopback address only (default: nowhere)."`
}

// Validate refuses addresses that other machines could reach: a profile shows what a process has in memory.
func (f *PprofFlags) Validate() error {
	if f.Pprof == "" {
		return nil
	}
	if err := checkAddress("--pprof", f.Pprof, 0); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(f.Pprof)
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usagef("--pprof: must be a loopback address such as 127.0.0.1:6060, got %q", f.Pprof)
	}
	return nil
}

// pprofHandler answers as net/http/pprof does on the default mux, which nothing here uses.
func pprofHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// serveAside answers requests on l until ctx ends; those under way are cut off then. It closes l.
func serveAside(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listen opens the port that a flag names; a nil listener for none.
func listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // the rest would only repeat the address
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("%s: listen on %s: %w; stop who uses it, or name another port", flag, addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: listen on %s: %w", flag, addr, err)
	}
	return l, nil
}
