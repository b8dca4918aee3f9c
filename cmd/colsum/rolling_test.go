package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A patient is a client of a cluster whose nodes are restarted: what fails at one node it asks once more, at another.
type patient struct {
	c       *testCluster
	id      int
	http    *http.Client
	asked   atomic.Int64 // requests that were answered in the end
	retried atomic.Int64 // those of them that took a second attempt
	works   []string
}

// run asks until enough is closed. The request under way then gets its answer.
func (p *patient) run(ctx context.Context, enough <-chan struct{}) {
	defer p.http.CloseIdleConnections()
	for i := 0; ; i++ {
		select {
		case <-enough:
			return
		default:
		}
		at := (p.id + i) % len(p.c.http)
		switch kind := i % 5; {
		case kind == 0:
			var accepted struct {
				WorkID string `json:"work_id"`
			}
			key := fmt.Sprintf("patient-%d-%d", p.id, i)
			if p.ask(ctx, at, "POST", "/api/schedule_work", key, map[string]any{"filepath": "small.csv", "chunk_bytes": 32 << 10}, &accepted) {
				p.works = append(p.works, accepted.WorkID)
				p.c.mu.Lock()
				p.c.works[accepted.WorkID] = "small.csv"
				p.c.mu.Unlock()
			}
		case kind == 1:
			var list workList
			p.ask(ctx, at, "GET", "/api/list_works?limit=10", "", nil, &list)
		case len(p.works) > 0:
			path := "/api/get_result/" + p.works[len(p.works)-1]
			if kind == 2 {
				path += "?wait=1s"
			}
			p.ask(ctx, at, "GET", path, "", nil, nil)
		}
	}
}

// ask sends a request. Its first attempt may fail, as it does at a node that is just going down; a second, at another node and
// after the time that a refusal asks for, may not.
func (p *patient) ask(ctx context.Context, at int, method, path, key string, body, v any) bool {
	after, err := p.attempt(ctx, at, method, path, key, body, v)
	if err == nil {
		p.asked.Add(1)
		return true
	}
	if after < 0 {
		p.c.t.Errorf("not a failure that a client may retry: %v", err)
		return false
	}
	select {
	case <-time.After(after):
	case <-ctx.Done():
		return false
	}
	if _, again := p.attempt(ctx, (at+1)%len(p.c.http), method, path, key, body, v); again != nil {
		p.c.t.Errorf("failed twice: %v; after %v: %v", err, after, again)
		return false
	}
	p.asked.Add(1)
	p.retried.Add(1)
	return true
}

// attempt sends a request once. after is when it may be sent again: at once without an answer, as a 503 says, else never
// (negative).
func (p *patient) attempt(ctx context.Context, at int, method, path, key string, body, v any) (after time.Duration, err error) {
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return -1, err
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.c.http[at]+path, r)
	if err != nil {
		return -1, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode == http.StatusServiceUnavailable:
		seconds, bad := strconv.Atoi(resp.Header.Get("Retry-After"))
		err := fmt.Errorf("%s %s at %s: %s: %s", method, path, p.c.nodes[at].name, resp.Status, text)
		if bad != nil {
			return -1, errors.Join(err, bad)
		}
		return time.Duration(seconds) * time.Second, err
	case resp.StatusCode >= 300:
		return -1, fmt.Errorf("%s %s at %s: %s: %s", method, path, p.c.nodes[at].name, resp.Status, text)
	case v == nil:
		return 0, nil
	}
	return -1, json.Unmarshal(text, v)
}

// All nodes are restarted, one after the other by SIGTERM, each when the last is whole again: no request of anybody fails
// beyond one retry at another node.
func TestRollingRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	c := startCluster(t, 3, 2)
	enough := make(chan struct{})
	var all sync.WaitGroup
	stop := sync.OnceFunc(func() { close(enough); all.Wait() })
	defer stop()
	var clients []*patient
	for i := range 4 {
		p := &patient{c: c, id: i, http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}}
		clients = append(clients, p)
		all.Go(func() { p.run(t.Context(), enough) })
	}
	// So nobody still waits to ask a second time when the next node goes down.
	allAnswered := func() {
		t.Helper()
		for _, p := range clients {
			before := p.asked.Load()
			eventually(t, "answered", func() (bool, string) {
				return p.asked.Load() >= before+10, fmt.Sprintf("client %d: %d requests, %d retries", p.id, p.asked.Load(), p.retried.Load())
			})
		}
	}
	allAnswered()
	leader, _ := c.leader()
	for _, i := range []int{leader, (leader + 1) % 3, (leader + 2) % 3, leader} {
		now, _ := c.leader()
		t.Logf("restart %s; %s leads", c.nodes[i].name, c.nodes[now].name)
		if code := c.nodes[i].terminate(t); code != 0 {
			t.Errorf("%s: exit status %d after SIGTERM, want 0", c.nodes[i].name, code)
		}
		c.nodes[i].start(t)
		c.ready()
		eventually(t, "a member that answers", func() (bool, string) {
			for _, n := range c.view().Nodes {
				if n.ID == c.nodes[i].name {
					return n.Reachable != nil && *n.Reachable, fmt.Sprintf("%+v", n)
				}
			}
			return false, "not among the nodes"
		})
		allAnswered()
	}
	stop()
	for _, p := range clients {
		t.Logf("client %d: %d requests, %d retries", p.id, p.asked.Load(), p.retried.Load())
	}
	c.check()
}
