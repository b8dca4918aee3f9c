package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"colsum/csvsum"
)

// A cluster is real processes on this machine, and what they answered.
type cluster struct {
	t     testing.TB
	dir   string   // state folders and logs
	data  string   // the default store of all: a folder
	urls  []string // of the nodes' HTTP
	rpc   []string // --coordinator flags
	flags []string // storage flags of all
	procs []*process

	mu      sync.Mutex
	answers bytes.Buffer // mu; every body that came over HTTP
}

// startCluster starts coordinators without workers of their own, and workers of two slots. Storage is given up for the time
// being after 2 s without a byte, so that a test sees it soon.
func startCluster(t testing.TB, nodes, workers int, flags ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), data: t.TempDir()}
	c.flags = append([]string{"--storage-patience=2s", "--log-level=debug"}, flags...)
	t.Cleanup(c.search) // runs when all processes have ended
	addrs := freePorts(t, 3*nodes)
	var peers []string
	for i := range nodes {
		peers = append(peers, fmt.Sprintf("--peer=n%d=%s", i, addrs[3*i+1]))
		c.rpc = append(c.rpc, "--coordinator="+addrs[3*i+2])
	}
	for i := range nodes {
		c.urls = append(c.urls, "http://"+addrs[3*i])
		args := append([]string{"serve", fmt.Sprint("--id=n", i), fmt.Sprint("--dir=state", i), "--workers=0", "--min-chunk=1",
			"--data", c.data, "--http=" + addrs[3*i], "--raft=" + addrs[3*i+1], "--rpc=" + addrs[3*i+2]}, c.flags...)
		c.spawn(fmt.Sprint("n", i), append(args, peers...)...)
	}
	for i := range workers {
		c.worker(fmt.Sprint("w", i), c.data)
	}
	for i := range c.urls {
		c.eventually("ready", func() (bool, string) { return c.call(i, "GET", "/readyz", nil, nil) })
	}
	return c
}

// worker starts a worker whose plain paths lie in data.
func (c *cluster) worker(id, data string) *process {
	c.t.Helper()
	args := append([]string{"worker", "--id=" + id, "--slots=2", "--data", data}, c.rpc...)
	return c.spawn(id, append(args, c.flags...)...)
}

// A process is one run of the program that goes on.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// spawn starts the program; the test's end kills it and shows the end of its log if the test failed.
func (c *cluster) spawn(name string, args ...string) *process {
	c.t.Helper()
	p := &process{name: name, log: filepath.Join(c.dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = c.dir, environ(), log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	c.procs = append(c.procs, p)
	c.t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		if c.t.Failed() {
			text := p.logged()
			c.t.Logf("log of %s ends with:\n%s", name, text[max(0, len(text)-3000):])
		}
	})
	return p
}

func (p *process) logged() []byte {
	text, _ := os.ReadFile(p.log)
	return text
}

// signal sends a signal.
func (c *cluster) signal(p *process, s syscall.Signal) {
	c.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// search looks for the S3 keys in every state folder, log and answer of the cluster. That the search finds what is there
// is shown by words that must be found.
func (c *cluster) search() {
	if c.t.Failed() {
		return // it may not have come to anything
	}
	var logs, state []byte
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		noKeys(c.t, path, text)
		if filepath.Dir(path) == c.dir {
			logs = append(logs, text...)
		} else {
			state = append(state, text...)
		}
		return nil
	})
	if err != nil {
		c.t.Error(err)
	}
	noKeys(c.t, "an answer", c.answers.Bytes())
	for _, place := range []struct {
		name, word string
		text       []byte
	}{{"logs", "colsum serves", logs}, {"state folders", ".csv", state}, {"answers", ".csv", c.answers.Bytes()}} {
		if !bytes.Contains(place.text, []byte(place.word)) {
			c.t.Errorf("%s (%d bytes) do not hold %q: were they searched?", place.name, len(place.text), place.word)
		}
	}
}

// call sends one request to node i and decodes the answer into v. ok is false without an answer or with a status of 300
// and more.
func (c *cluster) call(i int, method, path string, body, v any) (ok bool, text string) {
	c.t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.urls[i%len(c.urls)]+path, r)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, err.Error()
	}
	c.mu.Lock()
	fmt.Fprintf(&c.answers, "%s %s %v\n%s\n", method, path, resp.Header, b)
	c.mu.Unlock()
	if resp.StatusCode >= 300 {
		return false, fmt.Sprintf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	if v != nil {
		if err := json.Unmarshal(b, v); err != nil {
			c.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return true, string(b)
}

// submit asks for a work, which any node has to accept.
func (c *cluster) submit(path string, chunk int) string {
	c.t.Helper()
	var accepted struct {
		WorkID string `json:"work_id"`
	}
	c.eventually("accepted: "+path, func() (bool, string) {
		return c.call(1, "POST", "/api/schedule_work", map[string]any{"filepath": path, "chunk_bytes": chunk}, &accepted)
	})
	return accepted.WorkID
}

// result is the document of a work as it is now.
func (c *cluster) result(id string) (d *csvsum.Document, text string) {
	c.t.Helper()
	d = &csvsum.Document{}
	if ok, text := c.call(2, "GET", "/api/get_result/"+id, nil, d); !ok {
		c.t.Fatal(text)
	}
	b, _ := json.Marshal(struct{ Status, Error, Progress any }{d.Status, d.Error, d.Progress})
	return d, string(b)
}

// until waits for the document of a work to be as ok wants it, and returns it.
func (c *cluster) until(what, id string, ok func(*csvsum.Document) bool) (d *csvsum.Document) {
	c.t.Helper()
	c.eventually(what, func() (bool, string) {
		var text string
		d, text = c.result(id)
		return ok(d), text
	})
	return d
}

// ends waits for the end of a work.
func (c *cluster) ends(id string) *csvsum.Document {
	c.t.Helper()
	return c.until("ended: work "+id, id, func(d *csvsum.Document) bool {
		return d.Status == "done" || d.Status == "failed" || d.Status == "cancelled"
	})
}

// done waits for the end of a work, which must have the digest.
func (c *cluster) done(id, digest string) {
	c.t.Helper()
	if d := c.ends(id); d.Status != "done" || d.Digest != digest {
		c.t.Errorf("work on %s: %s, digest %q, error %+v; want done, %q", d.Filepath, d.Status, d.Digest, d.Error, digest)
	}
}

// failed waits for the end of a work, which must have failed with the code, without a digest. It returns the message.
func (c *cluster) failed(id, code string) string {
	c.t.Helper()
	d := c.ends(id)
	if d.Status != "failed" || d.Error == nil || d.Error.Code != code || d.Digest != "" {
		c.t.Fatalf("work on %s: %s, digest %q, error %+v; want failed, %s", d.Filepath, d.Status, d.Digest, d.Error, code)
	}
	return d.Error.Message
}

// eventually waits until ok; its last words go into the message.
func (c *cluster) eventually(what string, ok func() (bool, string)) {
	c.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		done, last := ok()
		if done {
			return
		}
		for _, p := range c.procs {
			select {
			case <-p.done:
				c.t.Fatalf("%s has ended, while waiting for: %s", p.name, what)
			default:
			}
		}
		select {
		case <-tick.C:
		case <-late:
			c.t.Fatalf("not %s after %v; last seen: %s", what, patience, last)
		}
	}
}

// freePorts returns n addresses on the loopback that nobody listened on a moment ago.
func freePorts(t testing.TB, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // after the loop: all are different
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}
