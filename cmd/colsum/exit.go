package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"colsum/csvsum"
	"colsum/storage"

	"github.com/alecthomas/kong"
)

// Exit statuses, as api.md promises them.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a command line that no run could satisfy: it names the flag and the bound.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// errSilent is returned by a command that has said all there is to say and ends with exitFailed.
var errSilent = errors.New("failed")

// report prints err for a person, in one line, and returns the exit status it stands for. A nil error is exitDone.
func report(w io.Writer, command string, err error) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errSilent) {
		return exitFailed
	}
	var usage *usageError
	var parse *kong.ParseError
	if errors.As(err, &usage) || errors.As(err, &parse) {
		help := "colsum --help"
		if command != "" {
			help = "colsum " + command + " --help"
		}
		fmt.Fprintf(w, "colsum: %s (see %s)\n", plain(err), help)
		return exitUsage
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "colsum: interrupted")
		return exitFailed
	}
	fmt.Fprintf(w, "colsum: %s%s\n", plain(err), advice(err))
	return exitFailed
}

// advice is what to do about an error, where that is known.
func advice(err error) string {
	var p *problemError
	var net *unreachableError
	switch {
	case errors.As(err, &net):
		return "; start one with 'colsum serve', or say where one is with --server"
	case !errors.As(err, &p):
	case p.Code == "file_not_found":
		return "; 'colsum files' lists what the cluster can read"
	case p.Code == "unknown_work":
		return "; 'colsum works' lists the works, ended ones are forgotten after a while"
	case p.Code == "no_leader":
		return "; fewer than a majority of the nodes may be running: ask each for /api/cluster?consistency=stale"
	case p.Code == "too_many_works":
		return "; wait until some have ended, or --retry for longer"
	}
	return ""
}

// plain is the text of err on one line.
func plain(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// docError turns an error of reading or understanding a file into the form a result document gives it.
func docError(err error) *csvsum.DocError {
	d := csvsum.Why(err)
	var usage *usageError
	if code := storage.Code(err); code != "" {
		d.Code = code
	} else if errors.As(err, &usage) {
		d.Code = "bad_option"
	}
	return d
}
