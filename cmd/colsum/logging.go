package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// LogFlags say how serve and worker log to standard error.
type LogFlags struct {
	LogFormat string `enum:"text,json" default:"text" placeholder:"text|json" help:"Format of the log (default text)."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL" help:"Least level to log: debug, info, warn or error (default info)."`
}

// logger returns the process's logger, which is the default one from now on.
func (f *LogFlags) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return nil, usagef("--log-level: must be debug, info, warn or error, got %q", f.LogLevel)
	}
	opt := &slog.HandlerOptions{Level: level, ReplaceAttr: readable}
	var h slog.Handler = slog.NewTextHandler(w, opt)
	if f.LogFormat == "json" {
		h = slog.NewJSONHandler(w, opt)
	}
	l := slog.New(h)
	slog.SetDefault(l)
	return l, nil
}

// readable writes values out as they would say themselves. Raft logs its own types, of which JSON would show the exported
// fields only, and lists of a format and its values.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindAny {
		return a
	}
	switch v := a.Value.Any().(type) {
	case hclog.Format:
		if format, ok := v[0].(string); ok {
			a.Value = slog.StringValue(fmt.Sprintf(format, v[1:]...))
		}
	case fmt.Stringer:
		a.Value = slog.StringValue(v.String())
	}
	return a
}
