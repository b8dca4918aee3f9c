package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	slowRow   = "12.5,0.25,1234.75,3,7.125,9,0.5,1,2,4.0625,11\n"
	slowChunk = 1 << 20
	slowTasks = 100_000
	slowRead  = 200 * time.Millisecond
	// lookEvery is how often the survivors are asked whether they have leased a task: the resolution of the figure.
	lookEvery = 10 * time.Millisecond
	settle    = 30 * time.Second
)

// benchFailover is how long a work gets no new lease when the leader is killed: from SIGKILL to the first task that another
// node has leased anew. Adopted leases do not count, and the worker has used up its own long before.
func benchFailover(ctx context.Context, s *settings, t *table) error {
	addr, stop, err := serveSlow()
	if err != nil {
		return err
	}
	defer stop()
	s3 := []string{"--s3-endpoint", "http://" + addr, "--s3-credentials", "anonymous"}
	c, err := s.start(ctx, s.dir, s3...)
	if err != nil {
		return err
	}
	defer c.stop()
	if _, err := c.work(4, s.dir, s3...); err != nil {
		return err
	}
	if _, err := submit(ctx, c.http[0], map[string]any{"filepath": "s3://bench/slow.csv", "chunk_bytes": slowChunk}); err != nil {
		return err
	}
	var took []time.Duration
	for len(took) < s.kills {
		d, err := c.failover(ctx)
		if err != nil {
			return fmt.Errorf("kill %d: %w (logs in %s)", len(took)+1, err, c.dir)
		}
		took = append(took, d)
	}
	var each []string
	for _, d := range took {
		each = append(each, fmt.Sprintf("%.1f", d.Seconds()))
	}
	t.add("leader killed, until the next one leases a task", fmt.Sprintf("p50 %.2f s, p95 %.2f s, max %.2f s",
		quantile(took, 0.5).Seconds(), quantile(took, 0.95).Seconds(), quantile(took, 1).Seconds()), "p95 5 s",
		fmt.Sprintf("%d kills, default settings, s: %s", s.kills, strings.Join(each, " ")))
	return nil
}

// failover kills the leader of a cluster that is at work, measures, and mends the cluster again.
func (c *cluster) failover(ctx context.Context) (time.Duration, error) {
	leader, err := c.busy(ctx)
	if err != nil {
		return 0, err
	}
	before := make([]float64, len(c.nodes))
	for i := range c.nodes {
		if err := until(ctx, func() bool { before[i], err = c.leased(ctx, i); return err == nil }); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	if err := c.nodes[leader].cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return 0, err
	}
	var took time.Duration
	err = until(ctx, func() bool {
		for i := range c.nodes {
			if n, err := c.leased(ctx, i); i != leader && err == nil && n > before[i] {
				took = time.Since(began)
				return true
			}
		}
		return false
	})
	if err != nil {
		return 0, fmt.Errorf("no new lease: %w", err)
	}
	<-c.nodes[leader].ended
	if err := c.restart(leader); err != nil {
		return 0, err
	}
	return took, c.caughtUp(ctx, leader)
}

// busy waits until somebody leads and leases tasks, and returns who.
func (c *cluster) busy(ctx context.Context) (leader int, err error) {
	var last float64
	err = until(ctx, func() bool {
		for i := range c.nodes {
			v, err := c.view(ctx, i)
			if err != nil || v.Leader != v.Node {
				continue
			}
			n, err := c.leased(ctx, i)
			grows := err == nil && leader == i && last > 0 && n > last
			leader, last = i, n
			return grows
		}
		return false
	})
	if err != nil {
		return 0, fmt.Errorf("nobody leases tasks: %w", err)
	}
	return leader, nil
}

// caughtUp waits until a node has applied what was committed when it was asked for.
func (c *cluster) caughtUp(ctx context.Context, node int) error {
	var goal uint64
	err := until(ctx, func() bool {
		for i := range c.nodes {
			v, err := c.view(ctx, i)
			switch {
			case err != nil:
			case i == node:
				if goal > 0 && v.Leader != "" && v.Raft.Applied >= goal {
					return true
				}
			case goal == 0 && v.Leader == v.Node:
				goal = v.Raft.Applied
			}
		}
		return false
	})
	if err != nil {
		return fmt.Errorf("node %d does not catch up with entry %d: %w", node+1, goal, err)
	}
	return nil
}

// view is what a node says of itself.
type view struct {
	Node, Leader string
	Raft         struct{ Applied uint64 }
}

func (c *cluster) view(ctx context.Context, node int) (v view, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return v, get(ctx, c.http[node]+"/api/cluster?consistency=stale", &v)
}

// leased is how many tasks a process has leased to workers, repeated ones included and adopted ones not.
func (c *cluster) leased(ctx context.Context, node int) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.http[node]+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), "colsum_tasks_leased_total "); ok {
			return strconv.ParseFloat(v, 64)
		}
	}
	return 0, errors.Join(lines.Err(), errors.New("no colsum_tasks_leased_total among the metrics"))
}

// until looks again and again whether something holds.
func until(ctx context.Context, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	for !holds() {
		wait(ctx, lookEvery)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// serveSlow serves one object of many tasks as S3 does, from no disk and with a delay, so that a work lasts as long as the
// measuring does.
func serveSlow() (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			wait(r.Context(), slowRead)
		}
		w.Header().Set("ETag", `"slow"`)
		w.Header().Set("Content-Type", "text/csv")
		http.ServeContent(w, r, "", time.Unix(1e9, 0), io.NewSectionReader(repeated{}, 0, slowTasks*slowChunk))
	})}
	go func() { _ = srv.Serve(l) }() // it ends by Close
	return l.Addr().String(), func() { srv.Close() }, nil
}

// repeated is a file of one row, over and over.
type repeated struct{}

var slowRows = bytes.Repeat([]byte(slowRow), 1000)

func (repeated) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		n += copy(p[n:], slowRows[(off+int64(n))%int64(len(slowRows)):])
	}
	return len(p), nil
}
