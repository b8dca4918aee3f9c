package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"colsum/coordinator/problem"
)

// event is a server-sent event; a comment has no name.
type event struct{ name, data string }

// events opens a stream and returns its events as they come; the channel is closed where the stream ends or breaks.
func (s *stack) events(ctx context.Context, n *node, path string) <-chan event {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+n.http+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || ct != "text/event-stream" {
		body, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("%s: %d %s %s", path, resp.StatusCode, ct, body)
	}
	list := make(chan event, 1000)
	go func() {
		defer close(list)
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		var e event
		for lines.Scan() {
			line := lines.Text()
			switch {
			case strings.HasPrefix(line, "event: "):
				e.name = line[7:]
			case strings.HasPrefix(line, "data: "):
				e.data = line[6:]
			case line == "":
				list <- e
				e = event{}
			}
		}
	}()
	return list
}

// next waits for an event; ok is false at the end of the stream.
func (s *stack) next(list <-chan event) (e event, ok bool) {
	s.t.Helper()
	select {
	case e, ok = <-list:
	case <-s.ctx.Done():
		s.t.Fatal("no event comes")
	}
	return e, ok
}

func TestWatchAWorkToItsEnd(t *testing.T) {
	s := newStack(t, 3, nil)
	lead := s.ready()
	s.file("a.csv", small)
	id := s.submit(s.nodes[lead], `{"filepath":"a.csv","first":2,"every":1,"chunk_bytes":7}`)
	follower := s.nodes[(lead+1)%3]
	if err := follower.state.WaitApplied(s.ctx, s.nodes[lead].state.AppliedIndex()); err != nil { // stale means it
		t.Fatal(err)
	}
	streams := map[string]<-chan event{
		"leader":          s.events(s.ctx, s.nodes[lead], "/api/watch_work/"+id),
		"follower":        s.events(s.ctx, follower, "/api/watch_work/"+id),
		"follower, stale": s.events(s.ctx, follower, "/api/watch_work/"+id+"?consistency=stale"),
	}
	for name, list := range streams { // before any worker is there: the document as it stands
		var doc struct{ Status string }
		e, _ := s.next(list)
		if err := json.Unmarshal([]byte(e.data), &doc); err != nil || e.name != "work" || doc.Status != "queued" && doc.Status != "running" {
			t.Errorf("%s: first event %+v, %v", name, e, err)
		}
	}
	s.work()
	for name, list := range streams {
		var last, end event
		for e, ok := s.next(list); ok; e, ok = s.next(list) {
			last, end = end, e
		}
		if end.name != "end" || last.name != "work" || last.data != end.data {
			t.Errorf("%s: the last events are %+v, %+v, want work and end with the same document", name, last, end)
		}
		var got, want map[string]any
		answer{body: end.data}.into(t, &got)
		s.get(s.nodes[lead], "/api/get_result/"+id).into(t, &want)
		if got["status"] != "done" || got["digest"] != want["digest"] || got["total"] != want["total"] {
			t.Errorf("%s: end %s, want what get_result says", name, end.data)
		}
	}
	ended := s.events(s.ctx, follower, "/api/watch_work/"+id)
	for _, want := range []string{"work", "end"} {
		if e, _ := s.next(ended); e.name != want {
			t.Errorf("a work that has ended: event %+v, want %s", e, want)
		}
	}
	if e, ok := s.next(ended); ok {
		t.Errorf("after the end: %+v", e)
	}
	wantProblem(t, "unknown work", s.get(follower, "/api/watch_work/nonsense"), 404, problem.UnknownWork, "nonsense")
}

// A stream breaks when its leader goes, and the client finds the work where it stands on the next one. At the end of the
// node that it comes from, a stream ends too.
func TestWatchWhileNodesGo(t *testing.T) {
	s := newStack(t, 3, nil) // no worker: the work runs on
	lead := s.ready()
	s.file("a.csv", small)
	id := s.submit(s.nodes[lead], `{"filepath":"a.csv"}`)
	follower := s.nodes[(lead+1)%3]
	list := s.events(s.ctx, follower, "/api/watch_work/"+id)
	if e, _ := s.next(list); e.name != "work" {
		t.Fatalf("first event %+v", e)
	}
	began := time.Now()
	s.nodes[lead].stop()
	for e, ok := s.next(list); ok; e, ok = s.next(list) {
		if e.name == "end" {
			t.Errorf("the work has not ended, but: %+v", e)
		}
	}
	t.Logf("broken off after %v", time.Since(began))
	again := s.events(s.ctx, follower, "/api/watch_work/"+id)
	if e, _ := s.next(again); e.name != "work" {
		t.Errorf("after the change of leader: %+v", e)
	}
	follower.stop()
	for _, ok := s.next(again); ok; _, ok = s.next(again) {
	}
}

// A client that goes away frees its stream: the server could not end otherwise before its grace is over.
func TestWatcherThatLeaves(t *testing.T) {
	s := newStack(t, 1, nil)
	s.ready()
	s.file("a.csv", small)
	id := s.submit(s.nodes[0], `{"filepath":"a.csv"}`)
	ctx, cancel := context.WithCancel(s.ctx)
	list := s.events(ctx, s.nodes[0], "/api/watch_work/"+id)
	s.next(list)
	cancel()
	for _, ok := s.next(list); ok; _, ok = s.next(list) {
	}
	if a := s.do(s.nodes[0], "HEAD", "/api/watch_work/"+id, "", ""); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %+v", a)
	}
	if a := s.post(s.nodes[0], "/api/cancel_work/"+id, ""); a.status != 200 {
		t.Errorf("cancel: %+v", a)
	}
}
