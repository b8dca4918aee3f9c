package main

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"colsum/csvsum"
)

// A testCluster is real processes on this machine: coordinators without workers of their own, and workers.
type testCluster struct {
	t       testing.TB
	dir     string
	http    []string // base URLs of the nodes
	nodes   []*process
	workers []*process

	mu     sync.Mutex
	keys   int
	digest map[string]string // file -> what colsum sum says
	works  map[string]string // work id -> file: all that were accepted
}

// startCluster starts one and waits until it is ready. Its nodes are given flags besides those they need.
func startCluster(t testing.TB, nodes, workers int, flags ...string) *testCluster {
	t.Helper()
	return startClusterIn(t, t.TempDir(), nodes, workers, flags...)
}

// startClusterIn starts a cluster in a folder; that of node i is state<i> in it.
func startClusterIn(t testing.TB, dir string, nodes, workers int, flags ...string) *testCluster {
	t.Helper()
	c := &testCluster{t: t, dir: dir, digest: map[string]string{}, works: map[string]string{}}
	data := filepath.Join(c.dir, "data")
	for i, f := range []struct {
		name          string
		columns, rows int
	}{{"f0.csv", 30, 12000}, {"f1.csv", 100, 2500}, {"small.csv", 12, 500}} { // 7 MB, 5 MB and 0.1 MB
		name := f.name
		path := filepath.Join(data, name)
		mustRun(t, "generate", fmt.Sprint("--columns=", f.columns), fmt.Sprint("--rows=", f.rows), fmt.Sprint("--seed=", i), "--out", path)
		c.digest[name] = sumOf(t, path).Digest
	}
	addrs := freePorts(t, 3*nodes)
	var peers, coordinators []string
	for i := range nodes {
		peers = append(peers, fmt.Sprintf("--peer=n%d=%s", i, addrs[3*i+1]))
		coordinators = append(coordinators, "--coordinator="+addrs[3*i+2])
	}
	for i := range nodes {
		c.http = append(c.http, "http://"+addrs[3*i])
		args := append([]string{"serve", fmt.Sprint("--id=n", i), fmt.Sprint("--dir=state", i), "--workers=0", "--min-chunk=1",
			"--data=data", "--http=" + addrs[3*i], "--raft=" + addrs[3*i+1], "--rpc=" + addrs[3*i+2]}, append(peers, flags...)...)
		c.nodes = append(c.nodes, spawn(t, fmt.Sprint("n", i), c.dir, args...))
	}
	for i := range workers {
		args := append([]string{"worker", fmt.Sprint("--id=w", i), "--slots=2", "--data=data"}, coordinators...)
		c.workers = append(c.workers, spawn(t, fmt.Sprint("w", i), c.dir, args...))
	}
	c.ready()
	return c
}

// ready waits until every node knows the leader.
func (c *testCluster) ready() {
	c.t.Helper()
	for _, url := range c.http {
		eventually(c.t, "ready: "+url, func() (bool, string) { return call(c.t.Context(), "GET", url+"/readyz", "", nil, nil) })
	}
}

// submit asks for a work until a node accepts it, trying them in turn from the i-th on, always under the same key.
func (c *testCluster) submit(i int, file string, chunk int) string {
	c.t.Helper()
	c.mu.Lock()
	c.keys++
	key := fmt.Sprint("key-", c.keys)
	c.mu.Unlock()
	var accepted struct {
		WorkID string `json:"work_id"`
	}
	eventually(c.t, "accepted: "+file, func() (bool, string) {
		i++
		return call(c.t.Context(), "POST", c.http[i%len(c.http)]+"/api/schedule_work", key,
			map[string]any{"filepath": file, "chunk_bytes": chunk}, &accepted)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, twice := c.works[accepted.WorkID]; twice {
		c.t.Errorf("work id %q was given to two requests", accepted.WorkID)
	}
	c.works[accepted.WorkID] = file
	return accepted.WorkID
}

// result waits for the end of a work, asking the nodes in turn.
func (c *testCluster) result(i int, id string) *csvsum.Document {
	c.t.Helper()
	var d csvsum.Document
	eventually(c.t, "ended: work "+id, func() (bool, string) {
		i++
		d = csvsum.Document{}
		ok, text := call(c.t.Context(), "GET", c.http[i%len(c.http)]+"/api/get_result/"+id+"?wait=5s", "", nil, &d)
		return ok && ended(d.Status), text
	})
	return &d
}

// check waits for every work that was ever accepted and compares its sum; then no work may be left over, nor one too many.
func (c *testCluster) check() {
	c.t.Helper()
	i := 0
	for id, file := range c.works {
		i++
		d := c.result(i, id)
		if d.Status != "done" || d.Digest != c.digest[file] {
			c.t.Errorf("work %s of %s: %s, digest %s, error %+v; want done, %s", id, file, d.Status, d.Digest, d.Error, c.digest[file])
		}
	}
	list := c.list()
	if list.InProgress != 0 || list.Counts.Done != len(c.works) || list.Counts.Failed != 0 {
		c.t.Errorf("list_works: %d in progress, %d done, %d failed; want 0, %d, 0", list.InProgress, list.Counts.Done, list.Counts.Failed, len(c.works))
	}
}

// list is list_works of any node that answers.
func (c *testCluster) list() (list workList) {
	c.t.Helper()
	i := 0
	eventually(c.t, "listed", func() (bool, string) {
		i++
		return call(c.t.Context(), "GET", c.http[i%len(c.http)]+"/api/list_works?limit=1", "", nil, &list)
	})
	return list
}

// midWork waits until several works run, have come some way and have a long way to go.
func (c *testCluster) midWork() {
	c.t.Helper()
	eventually(c.t, "in the middle of the works", func() (bool, string) {
		list := c.list()
		if list.InProgress < 2 {
			c.t.Fatalf("the works were done before anything could be killed: %+v", list)
		}
		return list.Tasks.Done > 20 && list.Tasks.Leased > 0 && list.Tasks.Pending > 100, fmt.Sprintf("%+v", list.Tasks)
	})
}

// leader returns the index of the leading node and of another one.
func (c *testCluster) leader() (leader, follower int) {
	c.t.Helper()
	var view clusterView
	eventually(c.t, "led", func() (bool, string) {
		for _, url := range c.http {
			if ok, text := call(c.t.Context(), "GET", url+"/api/cluster", "", nil, &view); !ok || view.Leader == "" {
				return false, text
			}
		}
		return true, ""
	})
	for i, p := range c.nodes {
		if p.name == view.Leader {
			return i, (i + 1) % len(c.nodes)
		}
	}
	c.t.Fatalf("the leader %q is none of the nodes", view.Leader)
	return 0, 0
}

// Works sent through every node end with the digest of colsum sum; 50 of them at once from one client.
func TestClusterFiftyWorks(t *testing.T) {
	c := startCluster(t, 3, 2)
	files, chunk := []string{"f0.csv", "f1.csv"}, 1<<20
	if testing.Short() { // under the race detector scanning is 20 times as slow, and not what is looked at here
		files, chunk = []string{"small.csv"}, 16<<10
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			id := c.submit(i, files[i%len(files)], chunk)
			c.result(i+1, id)
		})
	}
	all.Wait()
	c.check()

	// Nobody's death: all end by themselves when asked, the workers first.
	for _, p := range append(c.workers, c.nodes...) {
		if code := p.terminate(t); code != 0 {
			t.Errorf("%s: exit status %d after SIGTERM, want 0", p.name, code)
		}
	}
}

// Whatever dies in the middle of the works, every accepted work ends with the right sum, and none is forgotten.
func TestClusterKill(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	c := startCluster(t, 3, 2)
	for _, round := range []struct {
		name   string
		victim func() []*process
	}{
		{"leader", func() []*process { leader, _ := c.leader(); return c.nodes[leader : leader+1] }},
		{"follower", func() []*process { _, follower := c.leader(); return c.nodes[follower : follower+1] }},
		{"worker", func() []*process { return c.workers[:1] }},
		{"leader and worker", func() []*process { leader, _ := c.leader(); return []*process{c.nodes[leader], c.workers[1]} }},
		{"all nodes", func() []*process { return c.nodes }},
		{"everything", func() []*process { return append(append([]*process{}, c.nodes...), c.workers...) }},
	} {
		ok := t.Run(round.name, func(t *testing.T) {
			c.t = t
			for i := range 4 {
				c.submit(i, fmt.Sprintf("f%d.csv", i%2), 8<<10) // some 3000 tasks
			}
			c.midWork()
			victims := round.victim()
			// Clients go on asking for works all the time: some requests are under way when their node dies.
			var clients sync.WaitGroup
			for i := range 3 {
				clients.Go(func() {
					for j := range 5 {
						c.submit(i+j, "small.csv", 32<<10)
					}
				})
			}
			for _, p := range victims {
				p.kill()
			}
			for _, p := range victims {
				p.start(t)
			}
			clients.Wait()
			c.check()
		})
		if !ok {
			return
		}
	}
}
