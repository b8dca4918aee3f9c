package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Parts end one after the other, the last started first, each only when those outside of it have returned.
func TestGroupOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var events []string
		note := func(s string) { mu.Lock(); defer mu.Unlock(); events = append(events, s) }
		g := newGroup(slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		for _, name := range []string{"inner", "middle", "outer"} {
			g.start(ctx, name, func(ctx context.Context) error {
				<-ctx.Done()
				note(name + " asked")
				time.Sleep(time.Second) // of the bubble: an early start of the next part would show
				note(name + " done")
				return ctx.Err()
			})
		}
		cancel()
		if err := g.wait(ctx); err != nil {
			t.Errorf("got %v, want no error", err)
		}
		want := []string{"outer asked", "outer done", "middle asked", "middle done", "inner asked", "inner done"}
		if !slices.Equal(events, want) {
			t.Errorf("got %q, want %q", events, want)
		}
	})
}

// A part that ends by itself ends the process, and is named.
func TestGroupFailure(t *testing.T) {
	broken := errors.New("disk full")
	for _, tt := range []struct {
		err  error
		want string
	}{{broken, "b ended: disk full"}, {nil, "b ended by itself"}} {
		g := newGroup(slog.New(slog.DiscardHandler))
		stopped := false
		g.start(t.Context(), "a", func(ctx context.Context) error { <-ctx.Done(); stopped = true; return nil })
		g.start(t.Context(), "b", func(context.Context) error { return tt.err })
		err := g.wait(t.Context())
		if err == nil || !strings.Contains(err.Error(), tt.want) || tt.err != nil && !errors.Is(err, tt.err) || !stopped {
			t.Errorf("got %v, the other part stopped: %v; want %q", err, stopped, tt.want)
		}
	}
}
