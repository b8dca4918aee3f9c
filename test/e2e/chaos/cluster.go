package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// recoverTime is how long a cluster may take to be ready once nothing is broken any more.
const recoverTime = time.Minute

// A cluster is the processes of a run and the network between them.
type cluster struct {
	dir     string
	bin     string
	reading []string // flags that name the storage
	net     *network
	workers []*process
	s3      *process
	s3Addr  string
	front   *http.Server // before s3, for gate
	gate    sync.RWMutex // held by requests to s3 until they are answered, and while an object is replaced
	files   []file

	mu    sync.Mutex
	nodes []*process // mu, and their standing; all there ever were
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
	c = &cluster{dir: s.dir, bin: s.bin, net: newNetwork()}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close(true))
		}
	}()
	if err := c.startS3(ctx, s.s3); err != nil {
		return nil, err
	}
	if err := c.makeFiles(); err != nil {
		return nil, err
	}
	gate, err := c.openGate(c.s3Addr)
	if err != nil {
		return nil, err
	}
	s3, err := c.net.listen("s3", gate)
	if err != nil {
		return nil, err
	}
	c.reading = []string{"--data=" + filepath.Join(c.dir, "data"), "--s3-endpoint=http://" + s3, "--s3-region=us-east-1"}
	var peers []string
	for i := range s.nodes {
		p, err := c.newNode(nodeName(i))
		if err != nil {
			return nil, err
		}
		p.standing = member
		peers = append(peers, "--peer="+p.name+"="+p.raft)
	}
	for _, p := range c.nodes {
		p.argv = append(p.argv, peers...)
	}
	for i := range s.workers {
		c.workers = append(c.workers, c.process(fmt.Sprint("w", i+1), nil))
	}
	c.tellWorkers()
	for _, p := range c.running() {
		if err := p.start(); err != nil {
			return nil, err
		}
	}
	return c, c.ready(ctx)
}

// newNode gives a node addresses, each behind a proxy, and all flags but those of whom it begins with.
func (c *cluster) newNode(name string) (*process, error) {
	own, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	p := c.process(name, nil)
	if err := p.mountDisk(c.dir); err != nil {
		return nil, err
	}
	var via [3]string
	for i, target := range own {
		if via[i], err = c.net.listen(name, target); err != nil {
			return nil, err
		}
	}
	p.url, p.direct, p.raft, p.rpc = "http://"+via[0], "http://"+own[0], via[1], via[2]
	p.argv = append([]string{
		c.bin, "serve", "--id=" + name, "--dir=" + p.folder, "--workers=0", "--min-chunk=1",
		"--snapshot-entries=300", "--snapshot-interval=2s", // often, so that nodes that were away need one
		"--http=" + own[0], "--raft=" + own[1], "--rpc=" + own[2],
		"--advertise-http=" + via[0], "--advertise-raft=" + via[1], "--advertise-rpc=" + via[2],
	}, c.reading...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = append(c.nodes, p)
	return p, nil
}

// workerArgs is the command line of a worker but for the coordinators it knows.
func (c *cluster) workerArgs(name string) []string {
	return append([]string{c.bin, "worker", "--id=" + name, "--slots=2"}, c.reading...)
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
	for _, dir := range []string{"s3/bucket", "s3/versions", "data", "versions"} {
		if err := os.MkdirAll(filepath.Join(c.dir, dir), 0o750); err != nil {
			return err
		}
	}
	c.s3Addr = addr[0]
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

// ready waits until every node knows a leader.
func (c *cluster) ready(ctx context.Context) error {
	cl := &http.Client{Timeout: 2 * time.Second}
	defer cl.CloseIdleConnections()
	for _, p := range c.members() {
		var last string
		err := until(ctx, recoverTime, func() bool {
			resp, err := cl.Get(p.url + "/readyz")
			if err != nil {
				last = err.Error()
				return false
			}
			resp.Body.Close()
			last = resp.Status
			return resp.StatusCode == http.StatusOK
		})
		if err != nil {
			return fmt.Errorf("node %s is not ready: %w, last %s\n%s", p.name, err, last, p.tail(1500))
		}
	}
	return nil
}

// leader returns the member that most members hold to lead, nil if nobody knows.
func (c *cluster) leader(ctx context.Context) (leader *process) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	members := c.members()
	votes := map[string]int{}
	for _, p := range members {
		if v, err := c.view(ctx, p, "?consistency=stale"); err == nil {
			votes[v.Leader]++
		}
	}
	for _, p := range members {
		if votes[p.name] > 0 && (leader == nil || votes[p.name] > votes[leader.name]) {
			leader = p
		}
	}
	return leader
}

// heal takes all faults back.
func (c *cluster) heal() error {
	c.net.heal()
	var errs []error
	for _, p := range append(c.running(), c.s3) {
		p.fillDisk(false)
		errs = append(errs, p.fillFilesystem(false))
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
	if err := c.finish(ctx); err != nil {
		return err
	}
	return errors.Join(c.ready(ctx), c.compareMembers(ctx))
}

// close ends everything. keep leaves what the nodes had on their disks.
func (c *cluster) close(keep bool) error {
	var errs []error
	for _, p := range c.running() {
		p.stop()
	}
	for _, p := range c.in(joining, member, leaving) {
		kept := ""
		if keep {
			kept = filepath.Join(c.dir, p.name+".kept")
		}
		errs = append(errs, p.unmountDisk(kept))
	}
	if c.front != nil {
		c.front.Close()
	}
	if c.s3 != nil {
		c.s3.stop()
	}
	c.net.close()
	return errors.Join(errs...)
}

// freePorts returns addresses on the loopback that nobody listens on, below the ports that the kernel gives to connections:
// one of those might have the port of a process that is down just then.
func freePorts(n int) ([]string, error) {
	var addrs []string
	for tries := 0; len(addrs) < n; tries++ {
		addr := fmt.Sprint("127.0.0.1:", 10000+rand.IntN(22000))
		l, err := net.Listen("tcp", addr)
		if err != nil && tries > 1000 {
			return nil, err
		}
		if err == nil {
			defer l.Close() // after the loop: all are different
			addrs = append(addrs, addr)
		}
	}
	return addrs, nil
}
