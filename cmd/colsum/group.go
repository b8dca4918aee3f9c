package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// A group runs the parts of a process. They are started from the inside out and stopped from the outside in, one after the
// other: a part can rely on everything inside of it until it has returned. The first part that returns stops the others.
type group struct {
	log   *slog.Logger
	parts []*part
	first chan *part // the first part that returned
}

type part struct {
	name string
	stop context.CancelFunc
	done chan struct{} // closed when it has returned
	err  error         // how; read after done
}

func newGroup(log *slog.Logger) *group { return &group{log: log, first: make(chan *part, 1)} }

// start runs a part until its context ends. ctx gives values only: its end does not reach the part, wait sees to that.
func (g *group) start(ctx context.Context, name string, run func(ctx context.Context) error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &part{name: name, stop: stop, done: make(chan struct{})}
	g.parts = append(g.parts, p)
	go func() {
		p.err = run(ctx)
		close(p.done)
		select {
		case g.first <- p:
		default:
		}
	}()
}

// wait returns when ctx has ended or a part has returned, and all parts have been stopped. A part that returned before it
// was asked to is an error, whatever it returned.
func (g *group) wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
		g.log.Info("stopping")
	case p := <-g.first:
		err = fmt.Errorf("%s ended: %w", p.name, p.err)
		if p.err == nil {
			err = fmt.Errorf("%s ended by itself", p.name)
		}
		g.log.Error("stopping", "because", err)
	}
	for i := len(g.parts) - 1; i >= 0; i-- {
		p := g.parts[i]
		early := false
		select {
		case <-p.done:
			early = true // it is the reason, or went along with it
		default:
		}
		p.stop()
		<-p.done
		if !early && p.err != nil && !isCancel(p.err) {
			err = errors.Join(err, fmt.Errorf("stop %s: %w", p.name, p.err))
		}
		g.log.Debug("stopped", "part", p.name)
	}
	return err
}

// isCancel reports whether err only says that a context ended.
func isCancel(err error) bool { return errors.Is(err, context.Canceled) }
