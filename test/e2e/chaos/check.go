package main

import (
	"context"
	"fmt"
	"net/url"
	"sort"
	"time"
)

const (
	// endTime is how long the works that are left may take once nothing is broken any more.
	endTime = 3 * time.Minute
	// checkTime bounds the search for an order of the history.
	checkTime = 2 * time.Minute
)

// nodeState is a hash of a node's replicated state, at an index of the log.
type nodeState struct {
	Index  uint64 `json:"index"`
	SHA256 string `json:"sha256"`
}

// check waits for the end of all works, for so long, and returns everything that is wrong. The cluster is whole again by then.
func check(ctx context.Context, h *history, files []file, urls func() []string, patience time.Duration) []string {
	c := newClient(1000, 0, urls, files, h)
	defer c.http.CloseIdleConnections()
	byPath := map[string]file{}
	for _, f := range files {
		byPath[f.path] = f
	}
	var bad []string
	complain := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }

	for _, a := range h.asks() { // what was never accepted is asked for again: nobody may be left without an id
		if a.id == "" {
			if err := until(ctx, patience, func() bool { return c.submitOnce(ctx, c.node(), a.key, a.file, a.chunk) }); err != nil {
				complain("key %s: not accepted by a cluster that is whole: %v", a.key, err)
			}
		}
	}
	asks := h.asks()
	sort.Slice(asks, func(i, j int) bool { return asks[i].key < asks[j].key })
	owner := map[string]string{}
	deadline := time.Now().Add(patience)
	for _, a := range asks {
		if a.id == "" {
			continue
		}
		if other, twice := owner[a.id]; twice {
			complain("work %s was given to two requests, keys %s and %s", a.id, other, a.key)
		}
		owner[a.id] = a.key
		bad = append(bad, c.settle(ctx, a, byPath[a.file], deadline)...)
	}
	bad = append(bad, c.compareList(ctx, owner)...)
	bad = append(bad, c.compareStates(ctx)...)
	return append(bad, linearizable(h.ops, checkTime)...)
}

// settle waits for the end of one work and compares it with what is right.
func (c *client) settle(ctx context.Context, a ask, f file, deadline time.Time) []string {
	var v workView
	var last error
	var status int
	err := until(ctx, max(time.Second, time.Until(deadline)), func() bool {
		o := op{client: c.id, key: a.key, kind: opRead, call: c.h.now()}
		o.node = c.node()
		v = workView{}
		var err error
		status, err = c.call(ctx, "GET", o.node+"/api/get_result/"+url.PathEscape(a.id)+"?wait=1s", "", nil, &v)
		o.ret, last = c.h.now(), err
		if err == nil {
			c.h.add(v.op(o))
		} else if status == 404 {
			c.h.add(o)
			return true
		}
		return err == nil && v.ended()
	})
	what := fmt.Sprintf("work %s (key %s, %s, chunks of %d)", a.id, a.key, a.file, a.chunk)
	if status == 404 && c.h.forgettable(a.key) {
		if a.last == nil {
			return nil // nobody has looked at it since its end
		}
		v, last = *a.last, nil
	}
	switch {
	case last != nil:
		return []string{fmt.Sprintf("%s was accepted and is lost: %v", what, last)}
	case err != nil:
		return []string{fmt.Sprintf("%s has not ended: %v, last seen %s with %d tasks done", what, err, v.Status, v.Progress.TasksDone)}
	case v.Status == "cancelled" && a.cancels > 0:
		return nil
	}
	got := outcome{status: v.Status, digest: v.Digest, rows: v.Rows}
	if v.Error != nil {
		got.code = v.Error.Code
	}
	c.h.with(a.key, func(now *ask) { a.ended, now.code = now.ended, got.code })
	versions, replaced := c.h.versions(f.path, a.called, a.ended)
	if got.status == "failed" && got.code == "file_changed" && replaced > 0 {
		return nil
	}
	var want []outcome
	for _, i := range versions {
		if want = append(want, f.versions[i]); got.matches(f.versions[i]) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s is %s, %d rows, digest %s, %+v; want one of %+v; its file was replaced %d times meanwhile",
		what, v.Status, v.Rows, v.Digest, v.Error, want, replaced)}
}

// matches reports whether a work ended as it must.
func (o outcome) matches(want outcome) bool {
	if o.status == "failed" {
		return want.status == "failed" && o.code == want.code
	}
	return o.status == want.status && o.digest == want.digest && o.rows == want.rows
}

// compareList compares the cluster's list of works with what clients were told.
func (c *client) compareList(ctx context.Context, owner map[string]string) (bad []string) {
	listed := map[string]bool{}
	after := ""
	for {
		var page struct {
			InProgress int        `json:"in_progress"`
			Works      []workView `json:"works"`
			Next       *string    `json:"next"`
			Tasks      struct{ Leased, Pending int64 }
		}
		target := c.urls()[0] + "/api/list_works?limit=500"
		if after != "" {
			target += "&after=" + url.QueryEscape(after)
		}
		var last error
		if err := until(ctx, time.Minute, func() bool { _, last = c.call(ctx, "GET", target, "", nil, &page); return last == nil }); err != nil {
			return append(bad, fmt.Sprintf("the works cannot be listed: %v", last))
		}
		if page.InProgress != 0 || page.Tasks.Leased != 0 || page.Tasks.Pending != 0 {
			bad = append(bad, fmt.Sprintf("all works have ended, but %d are in progress, %d tasks leased, %d pending", page.InProgress, page.Tasks.Leased, page.Tasks.Pending))
		}
		for _, v := range page.Works {
			if listed[v.WorkID] {
				bad = append(bad, fmt.Sprintf("work %s is listed twice", v.WorkID))
			}
			listed[v.WorkID] = true
			if owner[v.WorkID] == "" {
				bad = append(bad, fmt.Sprintf("work %s is nobody's: a request was carried out twice", v.WorkID))
			}
		}
		if page.Next == nil {
			break
		}
		after = *page.Next
	}
	for id, key := range owner {
		if !listed[id] && !c.h.forgettable(key) {
			bad = append(bad, fmt.Sprintf("work %s (key %s) was accepted and is not in the list", id, key))
		}
	}
	return bad
}

// compareStates waits until all nodes are at one index of the log and compares their states.
func (c *client) compareStates(ctx context.Context) []string {
	nodes := c.urls()
	states := make([]nodeState, len(nodes))
	var last error
	err := until(ctx, time.Minute, func() bool {
		for i, node := range nodes {
			var v struct {
				State *nodeState `json:"state"`
			}
			if _, last = c.call(ctx, "GET", node+"/api/cluster?consistency=stale&hash=true", "", nil, &v); last != nil {
				return false
			}
			if v.State == nil {
				last = fmt.Errorf("%s tells no state", node)
				return false
			}
			states[i] = *v.State
		}
		for _, s := range states {
			if s.Index != states[0].Index {
				last = fmt.Errorf("nodes stand at different entries of the log: %+v", states)
				return false
			}
		}
		return true
	})
	if err != nil {
		return []string{fmt.Sprintf("the nodes' states cannot be compared: %v", last)}
	}
	for _, s := range states {
		if s.SHA256 != states[0].SHA256 {
			return []string{fmt.Sprintf("the nodes' states differ at index %d: %+v", s.Index, states)}
		}
	}
	return nil
}
