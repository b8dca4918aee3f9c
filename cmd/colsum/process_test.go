package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A process is one run of the program that goes on. It can be killed and started again, with the same arguments.
type process struct {
	name string
	args []string
	dir  string // where it runs
	log  string // file with its standard error, of all its runs
	cmd  *exec.Cmd
	done chan struct{} // closed when the run has ended
}

// spawn starts the program; the test's end kills it and shows the end of its log if the test failed.
func spawn(t testing.TB, name, dir string, args ...string) *process {
	t.Helper()
	p := &process{name: name, args: args, dir: dir, log: filepath.Join(dir, name+".log")}
	p.start(t)
	t.Cleanup(func() {
		p.kill()
		if !t.Failed() {
			return
		}
		if text, err := os.ReadFile(p.log); err == nil {
			t.Logf("log of %s ends with:\n%s", name, tail(text, 4000))
		}
	})
	return p
}

func (p *process) start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(program, p.args...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.dir, environ(), log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd, done := p.cmd, make(chan struct{})
	p.done = done
	go func() {
		cmd.Wait()
		close(done)
	}()
}

// kill is the death of the machine: SIGKILL, and no more.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// terminate asks the process to end and returns its exit status.
func (p *process) terminate(t testing.TB) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("%s has not ended %v after SIGTERM", p.name, patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

func tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }

// patience is how long a test waits for what must happen. Only a failing test takes that long.
const patience = 90 * time.Second

// eventually waits until ok, and fails the test when patience is over; what and the last words of ok go into the message.
func eventually(t testing.TB, what string, ok func() (bool, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, last := ok()
		if done {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not %s after %v; last seen: %s", what, patience, last)
		case <-tick.C:
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

// call sends one request and decodes the answer into v. ok is false without an answer or with a status of 300 and more.
func call(ctx context.Context, method, url, key string, body any, v any) (ok bool, problem string) {
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return false, err.Error()
		}
		r = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		return false, err.Error()
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, err.Error()
	}
	if resp.StatusCode >= 300 {
		return false, fmt.Sprintf("%s %s: %s: %s", method, url, resp.Status, text)
	}
	if v != nil {
		if err := json.Unmarshal(text, v); err != nil {
			return false, fmt.Sprintf("%v in %s", err, text)
		}
	}
	return true, strings.TrimSpace(string(text))
}
