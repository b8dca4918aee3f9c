package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// headerTime bounds the sending of a request's header: a slow client must not hold a connection for nothing.
	headerTime = 10 * time.Second
	// idleTime is how long a connection may stay open between requests.
	idleTime = 2 * time.Minute
	// maxHeader is generous: the longest field we know is a path of 4 KiB in a query.
	maxHeader = 64 << 10
	// closeTime is how long requests under way may take to end; then they are cut off.
	closeTime = 10 * time.Second
)

// Serve answers requests on l until ctx ends, and returns when nothing of it runs any more. Long polls are answered at
// once then; other requests get some seconds to end. It closes l. Call it once.
//
// There is no ReadTimeout and no WriteTimeout: they would cut a long poll. Bodies have a deadline of their own.
func (a *API) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug), // clients that hang up in mid-handshake
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	close(a.closing)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if shutErr := server.Shutdown(grace); errors.Is(shutErr, context.DeadlineExceeded) {
		a.log.Warn("http requests cut off", "after", closeTime)
		server.Close()
	}
	if err == nil {
		if late := <-failed; !errors.Is(late, http.ErrServerClosed) {
			err = fmt.Errorf("serve http: %w", late)
		}
	}
	a.idle()
	return err
}
