package storage

import (
	"context"
	"errors"
	"io"
	"time"
)

var (
	errStalled = errors.New("the server stopped sending in the middle of a body")
	errSlow    = errors.New("the server sent less than 16 KiB/s")
)

// guard watches over one response body. Its clock runs only while a Read waits for the network, never while the reader
// of the body is busy with what it got. Breaking off means cancelling the request's own context.
type guard struct {
	body   io.ReadCloser
	ctx    context.Context // of the request
	cancel context.CancelCauseFunc
	timing Timing
	stats  *Stats
	timer  *time.Timer   // fires errStalled; nil before the first Read
	waited time.Duration // in the running window of the low-speed guard
	got    int64         // bytes in that window
}

func newGuard(ctx context.Context, cancel context.CancelCauseFunc, body io.ReadCloser, t Timing, stats *Stats) *guard {
	return &guard{body: body, ctx: ctx, cancel: cancel, timing: t, stats: stats}
}

func (g *guard) Read(p []byte) (int, error) {
	if g.timer == nil {
		g.timer = time.AfterFunc(g.timing.Idle, func() { g.cancel(errStalled) })
	} else {
		g.timer.Reset(g.timing.Idle)
	}
	start := time.Now()
	n, err := g.body.Read(p)
	g.timer.Stop()
	g.waited += time.Since(start)
	g.got += int64(n)
	if err == nil && g.waited >= g.timing.Slow {
		if float64(g.got) < minRate*g.waited.Seconds() {
			g.cancel(errSlow)
			err = errSlow
		}
		g.waited, g.got = 0, 0
	}
	if err != nil && err != io.EOF {
		if cause := context.Cause(g.ctx); cause == errStalled || cause == errSlow {
			g.stats.Stalls.Add(1)
			err = cause
		}
	}
	return n, err
}

func (g *guard) Close() error {
	if g.timer != nil {
		g.timer.Stop()
	}
	err := g.body.Close()
	g.cancel(nil)
	return err
}
