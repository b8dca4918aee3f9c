package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// recoverTime is how long a cluster may take to be ready once nothing is broken any more.
const recoverTime = time.Minute

// A cluster is the processes of a run and the network between them.
type cluster struct {
	dir     string
	net     *network
	nodes   []*process
	workers []*process
	s3      *process
	urls    []string // of the nodes, through the proxies
	direct  []string // of the nodes, past them
	files   []file
}

// startCluster makes the files and starts everything.
func startCluster(ctx context.Context, s settings) (c *cluster, err error) {
	for _, p := range []*string{&s.bin, &s.s3} {
		if *p, err = filepath.Abs(*p); err != nil {
			return nil, err
		}
		if _, err := os.Stat(*p); err != nil {
			return nil, fmt.Errorf("%w (make build s3-server)", err)
		}
	}
	c = &cluster{dir: s.dir, net: newNetwork()}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := c.startS3(ctx, s.s3); err != nil {
		return nil, err
	}
	if err := c.makeFiles(s.bin); err != nil {
		return nil, err
	}
	s3, err := c.net.listen("s3", c.s3.argv[len(c.s3.argv)-3])
	if err != nil {
		return nil, err
	}
	var peers, coordinators []string
	type ports struct{ http, raft, rpc, viaHTTP, viaRaft, viaRPC string }
	var all []ports
	for i := range s.nodes {
		own, err := freePorts(3)
		if err != nil {
			return nil, err
		}
		p := ports{http: own[0], raft: own[1], rpc: own[2]}
		for _, x := range []struct {
			via    *string
			target string
		}{{&p.viaHTTP, p.http}, {&p.viaRaft, p.raft}, {&p.viaRPC, p.rpc}} {
			if *x.via, err = c.net.listen(nodeName(i), x.target); err != nil {
				return nil, err
			}
		}
		all = append(all, p)
		peers = append(peers, "--peer="+nodeName(i)+"="+p.viaRaft)
		coordinators = append(coordinators, "--coordinator="+p.viaRPC)
		c.urls = append(c.urls, "http://"+p.viaHTTP)
		c.direct = append(c.direct, "http://"+p.http)
	}
	reading := []string{"--data=" + filepath.Join(c.dir, "data"), "--s3-endpoint=http://" + s3, "--s3-region=us-east-1"}
	for i, p := range all {
		argv := append([]string{
			s.bin, "serve", "--id=" + nodeName(i), "--dir=" + filepath.Join(c.dir, nodeName(i)), "--workers=0", "--min-chunk=1",
			"--snapshot-entries=300", "--snapshot-interval=2s", // often, so that nodes that were away need one
			"--http=" + p.http, "--raft=" + p.raft, "--rpc=" + p.rpc,
			"--advertise-http=" + p.viaHTTP, "--advertise-raft=" + p.viaRaft, "--advertise-rpc=" + p.viaRPC,
		}, append(peers, reading...)...)
		c.nodes = append(c.nodes, c.process(nodeName(i), argv))
	}
	for i := range s.workers {
		name := fmt.Sprint("w", i+1)
		argv := append([]string{s.bin, "worker", "--id=" + name, "--slots=2"}, append(coordinators, reading...)...)
		c.workers = append(c.workers, c.process(name, argv))
	}
	for _, p := range append(append([]*process{}, c.nodes...), c.workers...) {
		if err := p.start(); err != nil {
			return nil, err
		}
	}
	return c, c.ready(ctx)
}

func nodeName(i int) string { return fmt.Sprint("n", i+1) }

func (c *cluster) process(name string, argv []string) *process {
	return &process{name: name, argv: argv, env: append(os.Environ(), s3Env...), log: filepath.Join(c.dir, name+".log"), net: c.net}
}

var s3Env = []string{
	"AWS_ACCESS_KEY_ID=testkey", "AWS_SECRET_ACCESS_KEY=testsecret",
	"ROOT_ACCESS_KEY_ID=testkey", "ROOT_SECRET_ACCESS_KEY=testsecret",
}

func (c *cluster) startS3(ctx context.Context, bin string) error {
	addr, err := freePorts(1)
	if err != nil {
		return err
	}
	root := filepath.Join(c.dir, "s3")
	if err := errors.Join(os.MkdirAll(filepath.Join(root, "bucket"), 0o750), os.MkdirAll(filepath.Join(c.dir, "data"), 0o750)); err != nil {
		return err
	}
	c.s3 = c.process("s3", []string{bin, "--quiet", "--keep-alive", "--region", "us-east-1", "--port", addr[0], "posix", root})
	if err := c.s3.start(); err != nil {
		return err
	}
	return until(ctx, recoverTime, func() bool {
		conn, err := net.DialTimeout("tcp", addr[0], time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// makeFiles writes the files and learns what must come of them from `colsum sum`.
func (c *cluster) makeFiles(bin string) error {
	env := append(os.Environ(), append(s3Env, "AWS_ENDPOINT_URL=http://"+c.s3.argv[len(c.s3.argv)-3], "AWS_REGION=us-east-1")...)
	colsum := func(args ...string) ([]byte, error) {
		cmd := exec.Command(bin, args...)
		cmd.Env = env
		out, err := cmd.Output()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 && args[0] == "sum" {
			return out, nil // the sum of a file that must fail
		} else if err != nil {
			return nil, fmt.Errorf("colsum %q: %w", args, err)
		}
		return out, nil
	}
	local := func(name string) string { return filepath.Join(c.dir, "data", name) }
	for i, f := range []struct{ columns, rows int }{{30, 3000}, {12, 500}, {100, 2500}, {11, 20000}} {
		for _, path := range []string{local(fmt.Sprintf("f%d.csv", i)), fmt.Sprintf("s3://bucket/f%d.csv", i)} {
			if _, err := colsum("generate", fmt.Sprint("--columns=", f.columns), fmt.Sprint("--rows=", f.rows), fmt.Sprint("--seed=", i), "--out", path); err != nil {
				return err
			}
		}
	}
	// Quoted newlines make guesses at a task's state go wrong; a quote that never closes makes a work fail.
	quoted, unclosed := []byte("a,b\n"), []byte("a,b\n")
	for i := range 20000 {
		quoted = fmt.Appendf(quoted, "\"%d\n\"\",\"\" 1,2\n\",%d.%d\n", i, i, i%1000)
		unclosed = fmt.Appendf(unclosed, "x%d,%d\n", i, i)
	}
	unclosed = append(unclosed, "\"never closed,1\n2,3\n"...)
	err := errors.Join(os.WriteFile(local("quoted.csv"), quoted, 0o600), os.WriteFile(local("unclosed.csv"), unclosed, 0o600),
		os.WriteFile(filepath.Join(c.dir, "s3", "bucket", "quoted.csv"), quoted, 0o600))
	if err != nil {
		return err
	}
	for _, path := range []string{
		"f0.csv", "f1.csv", "f2.csv", "f3.csv", "quoted.csv", "unclosed.csv",
		"s3://bucket/f0.csv", "s3://bucket/f1.csv", "s3://bucket/f2.csv", "s3://bucket/f3.csv", "s3://bucket/quoted.csv",
	} {
		name := path
		if filepath.Dir(path) == "." {
			name = local(path)
		}
		out, err := colsum("sum", "--json", name)
		if err != nil {
			return err
		}
		var v workView
		if err := json.Unmarshal(out, &v); err != nil {
			return fmt.Errorf("colsum sum %s: %w", name, err)
		}
		f := file{path: path, status: v.Status, digest: v.Digest, rows: v.Rows}
		if v.Error != nil {
			f.code = v.Error.Code
		}
		c.files = append(c.files, f)
	}
	return nil
}

// ready waits until every node knows a leader.
func (c *cluster) ready(ctx context.Context) error {
	cl := &http.Client{Timeout: 2 * time.Second}
	defer cl.CloseIdleConnections()
	for i, url := range c.urls {
		var last string
		err := until(ctx, recoverTime, func() bool {
			resp, err := cl.Get(url + "/readyz")
			if err != nil {
				last = err.Error()
				return false
			}
			resp.Body.Close()
			last = resp.Status
			return resp.StatusCode == http.StatusOK
		})
		if err != nil {
			return fmt.Errorf("node %s is not ready: %w, last %s\n%s", nodeName(i), err, last, c.nodes[i].tail(1500))
		}
	}
	return nil
}

// leader returns the index of the node that most nodes hold to lead, -1 if nobody knows.
func (c *cluster) leader() int {
	cl := &http.Client{Timeout: time.Second}
	defer cl.CloseIdleConnections()
	votes := make([]int, len(c.nodes))
	best := -1
	for _, url := range c.direct {
		resp, err := cl.Get(url + "/api/cluster?consistency=stale")
		if err != nil {
			continue
		}
		var v struct {
			Leader string `json:"leader"`
		}
		err = json.NewDecoder(resp.Body).Decode(&v)
		resp.Body.Close()
		if err != nil {
			continue
		}
		for i, p := range c.nodes {
			if p.name != v.Leader {
				continue
			}
			votes[i]++
			if best < 0 || votes[i] > votes[best] {
				best = i
			}
		}
	}
	return best
}

// heal takes all faults back.
func (c *cluster) heal() error {
	c.net.heal()
	var errs []error
	for _, p := range append(append([]*process{c.s3}, c.nodes...), c.workers...) {
		p.fillDisk(false)
		p.signal(syscall.SIGCONT)
		errs = append(errs, p.start())
	}
	return errors.Join(errs...)
}

// recover heals and waits until the cluster serves again.
func (c *cluster) recover(ctx context.Context) error {
	if err := c.heal(); err != nil {
		return err
	}
	if err := c.ready(ctx); err != nil {
		return fmt.Errorf("a cluster that is whole again does not serve: %w", err)
	}
	return nil
}

func (c *cluster) close() {
	for _, p := range append(append([]*process{}, c.workers...), c.nodes...) {
		p.stop()
	}
	if c.s3 != nil {
		c.s3.stop()
	}
	c.net.close()
}

func freePorts(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // after the loop: all are different
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
