package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cluster is three coordinators, each a process.
type cluster struct {
	bin   string
	dir   string // state and logs; removed by stop
	data  string // the storage
	nodes []*process
	http  []string // http://host:port of each node
	rpc   []string
	more  []*process // workers
}

// start starts the coordinators and waits for their leader. The storage is an empty folder; files of root may be summed too,
// and what flags name.
func (s *settings) start(ctx context.Context, root string, flags ...string) (c *cluster, err error) {
	dir, err := os.MkdirTemp(s.dir, "cluster-")
	if err != nil {
		return nil, err
	}
	c = &cluster{bin: s.bin, dir: dir, data: filepath.Join(dir, "data")}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	if err := os.Mkdir(c.data, 0o755); err != nil {
		return nil, err
	}
	ports, err := freePorts(9)
	if err != nil {
		return nil, err
	}
	var peers []string
	for i := range 3 {
		peers = append(peers, fmt.Sprintf("node%d=%s", i+1, ports[3*i+1]))
	}
	for i := range 3 {
		p := ports[3*i:]
		id := fmt.Sprint("node", i+1)
		node, err := c.launch(id, append([]string{"serve", "--id", id, "--dir", filepath.Join(dir, id), "--workers", "0",
			"--data", c.data, "--file-root", root, "--http", p[0], "--raft", p[1], "--rpc", p[2],
			"--peer", strings.Join(peers, ","), "--log-level", "warn"}, flags...)...)
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, node)
		c.http = append(c.http, "http://"+p[0])
		c.rpc = append(c.rpc, p[2])
	}
	return c, c.ready(ctx)
}

// work starts a worker process.
func (c *cluster) work(slots int, root string, flags ...string) (*process, error) {
	w, err := c.launch(fmt.Sprint("worker", len(c.more)+1), append([]string{"worker", "--slots", fmt.Sprint(slots),
		"--data", c.data, "--file-root", root, "--coordinator", strings.Join(c.rpc, ","), "--log-level", "warn"}, flags...)...)
	if err == nil {
		c.more = append(c.more, w)
	}
	return w, err
}

// restart starts a coordinator that has ended as it was started before.
func (c *cluster) restart(i int) error {
	node, err := c.launch(fmt.Sprint("node", i+1), c.nodes[i].cmd.Args[1:]...)
	if err == nil {
		c.nodes[i] = node
	}
	return err
}

// ready waits until every node knows the leader.
func (c *cluster) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, base := range c.http {
		for get(ctx, base+"/readyz", nil) != nil {
			select {
			case <-ctx.Done():
				return fmt.Errorf("no leader within 30 s, see the logs in %s", c.dir)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

// stop ends everything, workers first, and removes the folder.
func (c *cluster) stop() {
	for _, p := range append(c.more, c.nodes...) {
		p.stop()
	}
	os.RemoveAll(c.dir)
}

// cpu is the processor time that the coordinators have used, in seconds.
func (c *cluster) cpu() (sum float64) {
	for _, p := range c.nodes {
		sum += p.cpu()
	}
	return sum
}

// memory returns the most that a coordinator has now and the most that it ever had, in MiB. bbolt maps its files: pages of
// those count as resident while the kernel keeps them, and it takes them back when it wants. anon leaves them out.
func (c *cluster) memory() (anon, resident, peak float64) {
	for _, p := range c.nodes {
		anon = max(anon, p.status("RssAnon"))
		resident = max(resident, p.status("VmRSS"))
		peak = max(peak, p.status("VmHWM"))
	}
	return anon, resident, peak
}

// process is one that was started here.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

func (c *cluster) launch(name string, args ...string) (*process, error) {
	out, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(c.bin, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ends is no concern here: what it should have done is missed elsewhere
		close(p.ended)
	}()
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// status reads a line of /proc/PID/status, in MiB; 0 where there is none.
func (p *process) status(field string) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for l := range strings.SplitSeq(string(b), "\n") {
		if v, ok := strings.CutPrefix(l, field+":"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(v)[0], 64)
			return kib / 1024
		}
	}
	return 0
}

// cpu is the processor time used so far, in seconds.
func (p *process) cpu() float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	user, _ := strconv.ParseFloat(string(f[11]), 64)
	system, _ := strconv.ParseFloat(string(f[12]), 64)
	return (user + system) / 100 // USER_HZ, 100 on every Linux that Go runs on
}

// freePorts returns so many addresses that nobody listens on.
func freePorts(n int) (list []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		list = append(list, l.Addr().String())
	}
	return list, nil
}
