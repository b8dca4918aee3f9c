package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// answerTime is how long a client waits for an answer; then it does not know what became of its request.
const answerTime = 10 * time.Second

// A client asks for works and looks at them, its own and those of others, at any node, until told to end.
type client struct {
	id    int
	rng   *rand.Rand
	urls  func() []string // of the nodes there are
	files []file
	h     *history
	http  *http.Client
	pace  time.Duration // the longest pause between two requests
	keys  int           // how many it has made
	open  []string      // keys of its works that have not been seen ended
	seen  []string      // keys of those that have
}

func newClient(id int, seed uint64, urls func() []string, files []file, h *history) *client {
	return &client{
		id: id, rng: rand.New(rand.NewPCG(seed, uint64(id)+1)), urls: urls, files: files, h: h, pace: 60 * time.Millisecond,
		http: &http.Client{Timeout: answerTime, Transport: &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: 10 * time.Second}},
	}
}

// run asks until ctx ends; what is under way then is let go.
func (c *client) run(ctx context.Context) {
	defer c.http.CloseIdleConnections()
	for ctx.Err() == nil {
		switch n := c.rng.IntN(100); {
		case n == 99:
			c.clean(ctx)
		case len(c.open) < 3 && n < 60:
			c.submit(ctx)
		case n < 8 && len(c.open) > 0:
			c.cancel(ctx, c.open[c.rng.IntN(len(c.open))])
		case n < 20:
			c.list(ctx)
		case n < 30 && len(c.seen) > 0:
			c.read(ctx, c.seen[c.rng.IntN(len(c.seen))], 0)
		case len(c.open) > 0:
			wait := time.Duration(0)
			if c.rng.IntN(3) == 0 {
				wait = time.Second
			}
			c.read(ctx, c.open[c.rng.IntN(len(c.open))], wait)
		}
		select {
		case <-time.After(time.Duration(c.rng.Int64N(int64(c.pace)))):
		case <-ctx.Done():
		}
	}
}

// node is any of the nodes.
func (c *client) node() string {
	list := c.urls()
	return list[c.rng.IntN(len(list))]
}

// submit asks for a work until it is accepted, always under the same key; sometimes at two nodes at once.
func (c *client) submit(ctx context.Context) {
	c.keys++
	key := fmt.Sprintf("c%d-%d", c.id, c.keys)
	f := c.files[c.rng.IntN(len(c.files))]
	chunk := 16 << 10 << c.rng.IntN(5)
	c.h.with(key, func(a *ask) { a.file, a.chunk, a.called = f.path, chunk, c.h.now() })
	twice := c.rng.IntN(5) == 0
	for ctx.Err() == nil {
		at := c.node()
		second := make(chan bool, 1)
		if twice {
			other := c.node()
			go func() { second <- c.submitOnce(ctx, other, key, f.path, chunk) }()
		} else {
			second <- false
		}
		first := c.submitOnce(ctx, at, key, f.path, chunk)
		if <-second || first {
			c.open = append(c.open, key)
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (c *client) submitOnce(ctx context.Context, node, key, path string, chunk int) bool {
	o := op{client: c.id, key: key, kind: opSubmit, node: node, call: c.h.now()}
	var accepted struct {
		WorkID string `json:"work_id"`
	}
	body := map[string]any{"filepath": path, "chunk_bytes": chunk}
	_, err := c.call(ctx, "POST", node+"/api/schedule_work", key, body, &accepted)
	o.ret, o.id, o.unknown = c.h.now(), accepted.WorkID, err != nil
	c.h.add(o)
	if err == nil {
		c.h.with(key, func(a *ask) {
			if a.id == "" {
				a.id, a.accepted = accepted.WorkID, o.ret
			}
		})
	}
	return err == nil
}

func (c *client) cancel(ctx context.Context, key string) {
	var id string
	c.h.with(key, func(a *ask) { id = a.id; a.cancels++ })
	at := c.node()
	o := op{client: c.id, key: key, kind: opCancel, node: at, call: c.h.now()}
	_, err := c.call(ctx, "POST", at+"/api/cancel_work/"+url.PathEscape(id), "", struct{}{}, nil)
	o.ret, o.unknown = c.h.now(), err != nil
	c.h.add(o)
}

// clean has the cluster forget works that ended long ago.
func (c *client) clean(ctx context.Context) {
	c.h.clean(func() error {
		_, err := c.call(ctx, "POST", c.node()+"/api/clean_works", "", map[string]any{"max_age": int(forgetAge.Seconds())}, nil)
		return err
	})
}

// workView is what get_result and list_works say of a work.
type workView struct {
	WorkID   string    `json:"work_id"`
	Status   string    `json:"status"`
	Mtime    time.Time `json:"mtime"`
	Rows     int64     `json:"rows"`
	Digest   string    `json:"digest"`
	Progress struct {
		Rows      int64 `json:"rows"`
		TasksDone int64 `json:"tasks_done"`
	} `json:"progress"`
	Error *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func (v *workView) ended() bool { return ranks[v.Status] == endedRank }

func (v *workView) op(o op) op {
	o.found, o.id, o.status, o.rows, o.mtime = true, v.WorkID, v.Status, v.Progress.Rows, v.Mtime.UnixNano()
	if v.ended() {
		o.digest = v.Digest
	}
	return o
}

// read reads the result of a work; wait makes it a long poll.
func (c *client) read(ctx context.Context, key string, wait time.Duration) {
	var id string
	c.h.with(key, func(a *ask) { id = a.id })
	at := c.node()
	target := at + "/api/get_result/" + url.PathEscape(id)
	if wait > 0 {
		target += "?wait=" + wait.String()
	}
	o := op{client: c.id, key: key, kind: opRead, node: at, call: c.h.now()}
	var v workView
	status, err := c.call(ctx, "GET", target, "", nil, &v)
	o.ret = c.h.now()
	switch {
	case err == nil:
		c.h.add(v.op(o))
	case status == http.StatusNotFound:
		c.h.add(o)
	}
	if err == nil && v.ended() {
		c.h.with(key, func(a *ask) { a.last = &v })
	}
	if i := slices.Index(c.open, key); i >= 0 && (err == nil && v.ended() || status == http.StatusNotFound) {
		c.open = slices.Delete(c.open, i, i+1)
		c.seen = append(c.seen, key)
	}
}

// list reads the newest works; each entry is a read of that work.
func (c *client) list(ctx context.Context) {
	at := c.node()
	o := op{client: c.id, kind: opRead, node: at, call: c.h.now()}
	var page struct {
		Works []workView `json:"works"`
	}
	if _, err := c.call(ctx, "GET", at+"/api/list_works?limit=30", "", nil, &page); err != nil {
		return
	}
	o.ret = c.h.now()
	keys := c.h.keysByID()
	for _, v := range page.Works {
		if o.key = keys[v.WorkID]; o.key != "" { // else its submit is not answered yet
			e := v.op(o)
			e.digest = ""
			c.h.add(e)
		}
	}
}

// call sends one request. An error means that there was no answer, or one of refusal; status is 0 without any.
func (c *client) call(ctx context.Context, method, target, key string, body, v any) (status int, err error) {
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, r)
	if err != nil {
		return 0, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode >= 300:
		return resp.StatusCode, fmt.Errorf("%s %s: %s: %s", method, target, resp.Status, text)
	case v == nil:
		return resp.StatusCode, nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		return 0, fmt.Errorf("%s %s: %w in %s", method, target, err, text)
	}
	return resp.StatusCode, nil
}

var errPatience = errors.New("patience is over")

// until calls try every now and then until it is true.
func until(ctx context.Context, patience time.Duration, try func() bool) error {
	deadline := time.Now().Add(patience)
	for !try() {
		if time.Now().After(deadline) {
			return errPatience
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
