package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"colsum/csvsum"
)

const (
	// quietStream is after how long without a byte a stream counts as dead; the server sends comments more often.
	quietStream = 35 * time.Second
	// maxEvent bounds one event: a document of 65,536 columns has about 10 MB.
	maxEvent = 64 << 20
	// againPause lies between two streams, so that a server that breaks each of them is not asked in circles.
	againPause = 200 * time.Millisecond
)

// WatchCmd follows a work to its end.
type WatchCmd struct {
	ID string `arg:"" help:"The work id."`

	ServerFlags
}

func (*WatchCmd) Help() string {
	return `On a terminal a bar shows how far the work is, how fast, and the time left; then comes its result. Into a pipe goes
the result only; with --json every document as it changes, one a line, the last one when the work has ended. Nodes may come
and go meanwhile. Ctrl-C ends the watching, not the work. Exit status 1 for a work that failed or was cancelled.

Examples:
  colsum watch "$(colsum schedule big.csv)"
  colsum watch 0199e0a4-7c1e-7a53-9c44-0d2f4b8f0a11 --json | jq -c .progress`
}

func (c *WatchCmd) Run(ctx context.Context) error {
	if !c.JSON {
		return waitAndPrint(ctx, c.client(), c.ID, false)
	}
	var last *csvsum.Document
	err := follow(ctx, c.client(), c.ID, func(raw []byte, doc *csvsum.Document) error {
		last = doc
		return printRaw(bytes.TrimSpace(raw))
	})
	if err == nil && last.Status != "done" {
		err = errSilent
	}
	return err
}

// waitAndPrint follows a work to its end and prints it, with a bar on a terminal.
func waitAndPrint(ctx context.Context, cl *client, id string, asJSON bool) error {
	bar := newBar(1, "work "+id)
	defer bar.finish()
	var raw []byte
	var doc *csvsum.Document
	err := follow(ctx, cl, id, func(r []byte, d *csvsum.Document) error {
		raw, doc = r, d
		bar.show(d.Progress)
		return nil
	})
	bar.finish()
	if err != nil {
		if ctx.Err() != nil && cl.notice != nil {
			fmt.Fprintf(cl.notice, "colsum: the work goes on: colsum watch %s, or colsum cancel %s\n", id, id)
		}
		return err
	}
	return printResult(raw, doc, asJSON)
}

// follow gives every document of a work to on, the last one once, when the work has ended; then it returns nil. It listens to
// the server's events, and where a stream breaks or none gets through, it asks for the document. Errors are on's, ctx's, and
// those of requests that another try would not mend.
func follow(ctx context.Context, cl *client, id string, on func(raw []byte, doc *csvsum.Document) error) error {
	for {
		events, over, err := cl.stream(ctx, "/api/watch_work/"+url.PathEscape(id), on)
		if err != nil || over {
			return err
		}
		// The stream broke. With a wait if it told nothing: perhaps something in between knows no streams.
		wait := longPoll
		if events > 0 {
			wait = 0
		}
		raw, doc, err := fetch(ctx, cl, id, wait)
		if err != nil {
			return err
		}
		if err := on(raw, doc); err != nil || ended(doc.Status) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(againPause):
		}
	}
}

// stream gives the documents of one stream of events to on. over says that the work has ended. An error is on's or ctx's
// only: a stream that breaks, or never begins, is no error here.
func (c *client) stream(ctx context.Context, path string, on func(raw []byte, doc *csvsum.Document) error) (events int, over bool, err error) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(inner, http.MethodGet, c.servers[c.at]+path, nil)
	if err != nil {
		return 0, false, err
	}
	req.Header.Set("Accept", "text/event-stream")
	broken := func() (int, bool, error) {
		if ctx.Err() != nil {
			return events, false, context.Cause(ctx)
		}
		return events, false, nil
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return broken()
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return broken()
	}
	quiet := time.AfterFunc(quietStream, cancel)
	defer quiet.Stop()
	lines := bufio.NewScanner(&stirring{resp.Body, quiet})
	lines.Buffer(nil, maxEvent)
	var data []byte
	name := ""
	for lines.Scan() {
		line := lines.Bytes()
		field, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case string(field) == "event":
			name = string(value)
		case string(field) == "data":
			data = bytes.Clone(value)
		case len(line) == 0 && data != nil:
			doc := &csvsum.Document{}
			if err := json.Unmarshal(data, doc); err != nil {
				return events, false, fmt.Errorf("read an event of the work: %w", err)
			}
			if name == "end" {
				return events, true, nil // its document came just before
			}
			events++
			if err := on(data, doc); err != nil {
				return events, false, err
			}
			data, name = nil, ""
		}
	}
	return broken()
}

// stirring puts off the end of a stream at every sign of life.
type stirring struct {
	io.Reader
	quiet *time.Timer
}

func (s *stirring) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if n > 0 {
		s.quiet.Reset(quietStream)
	}
	return n, err
}
