package main

import (
	"io"
	"log/slog"
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
	opt := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, opt)
	if f.LogFormat == "json" {
		h = slog.NewJSONHandler(w, opt)
	}
	l := slog.New(h)
	slog.SetDefault(l)
	return l, nil
}
