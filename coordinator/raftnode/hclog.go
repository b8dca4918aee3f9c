package raftnode

import (
	"context"
	"io"
	"log"
	"log/slog"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// bridge lets raft log into slog. Levels are slog's to decide; trace is debug.
type bridge struct {
	to      *slog.Logger
	name    string
	implied []any
}

var _ hclog.Logger = (*bridge)(nil)

func newBridge(to *slog.Logger) hclog.Logger { return &bridge{to: to.With("component", "raft")} }

// levelOf maps hclog's levels; hclog.NoLevel is info.
func levelOf(l hclog.Level) slog.Level {
	switch l {
	case hclog.Trace, hclog.Debug:
		return slog.LevelDebug
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Error:
		return slog.LevelError
	}
	return slog.LevelInfo
}

func (b *bridge) Log(level hclog.Level, msg string, args ...any) {
	if level == hclog.Off {
		return
	}
	b.to.Log(context.Background(), levelOf(level), msg, args...)
}

func (b *bridge) Trace(msg string, args ...any) { b.Log(hclog.Trace, msg, args...) }
func (b *bridge) Debug(msg string, args ...any) { b.Log(hclog.Debug, msg, args...) }
func (b *bridge) Info(msg string, args ...any)  { b.Log(hclog.Info, msg, args...) }
func (b *bridge) Warn(msg string, args ...any)  { b.Log(hclog.Warn, msg, args...) }
func (b *bridge) Error(msg string, args ...any) { b.Log(hclog.Error, msg, args...) }

func (b *bridge) on(l slog.Level) bool { return b.to.Enabled(context.Background(), l) }

func (b *bridge) IsTrace() bool { return false }
func (b *bridge) IsDebug() bool { return b.on(slog.LevelDebug) }
func (b *bridge) IsInfo() bool  { return b.on(slog.LevelInfo) }
func (b *bridge) IsWarn() bool  { return b.on(slog.LevelWarn) }
func (b *bridge) IsError() bool { return b.on(slog.LevelError) }

func (b *bridge) ImpliedArgs() []any { return b.implied }

func (b *bridge) With(args ...any) hclog.Logger {
	implied := append(append([]any(nil), b.implied...), args...)
	return &bridge{to: b.to.With(args...), name: b.name, implied: implied}
}

func (b *bridge) Name() string { return b.name }

func (b *bridge) Named(name string) hclog.Logger {
	if b.name != "" {
		name = b.name + "." + name
	}
	return b.ResetNamed(name)
}

func (b *bridge) ResetNamed(name string) hclog.Logger {
	return &bridge{to: b.to, name: name, implied: b.implied}
}

// SetLevel does nothing: the slog handler decides.
func (b *bridge) SetLevel(hclog.Level) {}

func (b *bridge) GetLevel() hclog.Level {
	switch {
	case b.IsDebug():
		return hclog.Debug
	case b.IsInfo():
		return hclog.Info
	case b.IsWarn():
		return hclog.Warn
	}
	return hclog.Error
}

func (b *bridge) StandardLogger(opts *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(b.StandardWriter(opts), "", 0)
}

func (b *bridge) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return lines{b} }

// lines logs each write as one line.
type lines struct{ b *bridge }

func (l lines) Write(p []byte) (int, error) {
	l.b.Info(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
