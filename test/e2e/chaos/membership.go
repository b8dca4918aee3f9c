package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// standing is what a node is to the cluster, as far as this run has seen to it.
type standing int

const (
	joining standing = iota // started with --join; not seen with a vote yet
	member
	leaving // to be removed, or removed already and not stopped yet
	retired // removed and stopped
)

// in returns the nodes of some standings.
func (c *cluster) in(list ...standing) []*process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.nodes), func(p *process) bool { return !slices.Contains(list, p.standing) })
}

// members are the nodes that have a vote and are to keep it.
func (c *cluster) members() []*process { return c.in(member) }

// running are the processes of the cluster that are not retired.
func (c *cluster) running() []*process {
	return append(c.in(joining, member, leaving), c.workers...)
}

// urls are where clients ask. Those of a node that leaves are among them until it is stopped: what it answers must be right.
func (c *cluster) urls() (list []string) {
	for _, p := range c.in(member, leaving) {
		list = append(list, p.url)
	}
	return list
}

func (c *cluster) stand(p *process, s standing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.standing = s
}

// join starts an empty node that asks to be a member.
func (c *cluster) join(name string) (*process, error) {
	p, err := c.newNode(name)
	if err != nil {
		return nil, err
	}
	for _, url := range c.urls() {
		p.argv = append(p.argv, "--join="+url)
	}
	if err := os.RemoveAll(p.folder); err != nil {
		return nil, err
	}
	return p, p.start()
}

// admit waits until a node that joins has a vote.
func (c *cluster) admit(ctx context.Context, p *process) error {
	for ctx.Err() == nil {
		for _, at := range c.members() {
			v, err := c.view(ctx, at, "")
			if err != nil {
				continue
			}
			for _, n := range v.Nodes {
				if n.ID == p.name && n.Raft == p.raft && n.Voter && p.whole() {
					c.stand(p, member)
					c.tellWorkers()
					return nil
				}
			}
			break
		}
		pause(ctx, 200*time.Millisecond)
	}
	return ctx.Err()
}

// whole reports whether a node has all that was committed before it began with an empty folder.
func (p *process) whole() bool {
	text, err := os.ReadFile(filepath.Join(p.folder, "identity.json"))
	return err == nil && !bytes.Contains(text, []byte(`"unborn":true`))
}

// dismiss removes a node, asking until it is certain that it is no member any more: a refusal (no leader, too few that
// answer) and silence are what the other lane does.
func (c *cluster) dismiss(ctx context.Context, p *process) error {
	c.stand(p, leaving)
	for ctx.Err() == nil {
		for _, at := range c.in(member, leaving) {
			code, err := c.change(ctx, at, "remove", map[string]string{"id": p.name})
			if err == nil || code == "unknown_node" {
				c.tellWorkers()
				return nil
			}
		}
		pause(ctx, 200*time.Millisecond)
	}
	return ctx.Err()
}

// retire stops a node that was removed and deletes its folder.
func (c *cluster) retire(p *process) error {
	p.end(syscall.SIGTERM, true)
	p.stop()
	c.stand(p, retired)
	return errors.Join(os.RemoveAll(p.folder), p.unmountDisk(""))
}

// finish brings the changes to their end that the end of the nemesis has cut short.
func (c *cluster) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recoverTime)
	defer cancel()
	for _, p := range c.in(joining) {
		if err := c.admit(ctx, p); err != nil {
			return fmt.Errorf("%s does not become a member of a cluster that is whole: %w\n%s", p.name, err, p.tail(1500))
		}
	}
	for _, p := range c.in(leaving) {
		if err := c.dismiss(ctx, p); err != nil {
			return fmt.Errorf("%s cannot be removed from a cluster that is whole: %w", p.name, err)
		}
		if err := c.retire(p); err != nil {
			return err
		}
	}
	return nil
}

// compareMembers waits until the cluster's members are those it is to have, all with a vote.
func (c *cluster) compareMembers(ctx context.Context) error {
	want := names(c.members())
	slices.Sort(want)
	var last any
	err := until(ctx, recoverTime, func() bool {
		v, err := c.view(ctx, c.members()[0], "")
		if err != nil {
			last = err
			return false
		}
		var got []string
		for _, n := range v.Nodes {
			if n.Voter {
				got = append(got, n.ID)
			}
		}
		slices.Sort(got)
		last = fmt.Sprintf("%+v", v.Nodes)
		return slices.Equal(got, want) && len(v.Nodes) == len(want)
	})
	if err != nil {
		return fmt.Errorf("the members are not %v: %w, last %v", want, err, last)
	}
	return nil
}

// tellWorkers gives the workers the members' addresses, as an operator would write them into their units: they are taken up
// at the next start. A worker that knows no member any more is started again now.
func (c *cluster) tellWorkers() {
	var flags []string
	for _, p := range c.members() {
		flags = append(flags, "--coordinator="+p.rpc)
	}
	for _, w := range c.workers {
		w.mu.Lock()
		w.argv = append(slices.Clone(c.workerArgs(w.name)), flags...)
		lost := w.cmd != nil && !slices.ContainsFunc(flags, func(f string) bool { return slices.Contains(w.cmd.Args, f) })
		w.mu.Unlock()
		if lost {
			w.end(syscall.SIGTERM, false)
		}
	}
}

// clusterView is what a node says of the cluster.
type clusterView struct {
	Leader string `json:"leader"`
	Nodes  []struct {
		ID    string `json:"id"`
		Raft  string `json:"raft"`
		Voter bool   `json:"voter"`
		Role  string `json:"role"`
	} `json:"nodes"`
}

// view asks a node, past its proxy, for its view of the cluster.
func (c *cluster) view(ctx context.Context, at *process, query string) (v clusterView, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = request(ctx, "GET", at.direct+"/api/cluster"+query, nil, &v)
	return v, err
}

// change asks a node, past its proxy, to change the membership. code is that of a refusal, "" without an answer.
func (c *cluster) change(ctx context.Context, at *process, what string, body any) (code string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return request(ctx, "POST", at.direct+"/api/cluster/"+what, body, nil)
}

// request sends one request on a connection of its own.
func request(ctx context.Context, method, target string, body, v any) (code string, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return "", err
	case resp.StatusCode >= 300:
		var problem struct{ Code string }
		_ = json.Unmarshal(answer, &problem) // without a code it is an answer like none
		return problem.Code, fmt.Errorf("%s %s: %s: %s", method, target, resp.Status, answer)
	case v == nil:
		return "", nil
	}
	return "", json.Unmarshal(answer, v)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
