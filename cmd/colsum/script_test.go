package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scripts/cluster starts, kills, restarts and stops what it says, and nothing else.
func TestClusterScript(t *testing.T) {
	dir, data := filepath.Join(t.TempDir(), "cluster"), t.TempDir()
	base := freeBase(t)
	script := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "bash", append([]string{"../../scripts/cluster", "--dir", dir}, args...)...)
		cmd.Env = environ("COLSUM_BIN=" + program)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := script(args...)
		if err != nil {
			t.Fatalf("cluster %q: %v\n%s", args, err, out)
		}
		return out
	}
	type state struct {
		Processes []struct {
			Name, Kind, Role string
			PID              *int
			HTTP             *string
		}
	}
	// roles is "node1:leader node2:follower ...", and the name of the leader.
	roles := func() (all, leader string) {
		t.Helper()
		var s state
		text := must("status", "--json")
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatalf("status --json: %v\n%s", err, text)
		}
		for _, p := range s.Processes {
			if p.Role == "leader" {
				leader = p.Name
			}
			if (p.PID == nil) != (p.Role == "dead") || (p.HTTP == nil) != (p.Kind == "worker") {
				t.Errorf("status: %+v", p)
			}
			all += p.Name + ":" + p.Role + " "
		}
		return all, leader
	}

	defer func() {
		if out, err := script("down"); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	}()
	must("up", "--nodes", "3", "--workers", "1", "--port-base", fmt.Sprint(base), "--data", data)
	all, leader := roles()
	if leader == "" || strings.Count(all, ":follower") != 2 || !strings.Contains(all, "worker1:worker") {
		t.Fatalf("after up: %s", all)
	}
	if out, err := script("up", "--port-base", fmt.Sprint(base)); err == nil || !strings.Contains(out, "runs already") {
		t.Errorf("up twice: %v, %s", err, out)
	}

	if out := must("kill", "leader"); !strings.Contains(out, "killed "+leader+", pid") {
		t.Errorf("kill leader: %s", out)
	}
	eventually(t, "led by another", func() (bool, string) {
		all, next := roles()
		return next != "" && next != leader && strings.Contains(all, leader+":dead"), all
	})
	must("start", "node", strings.TrimPrefix(leader, "node"))
	must("kill", "worker", "1")
	eventually(t, "whole again, but for the worker", func() (bool, string) {
		all, _ := roles()
		return strings.Count(all, ":follower") == 2 && strings.Contains(all, "worker1:dead"), all
	})

	// A pid file that speaks of an earlier process with our pid is no licence to kill.
	if err := os.WriteFile(filepath.Join(dir, "worker1.pid"), fmt.Appendf(nil, "%d 1\n", os.Getpid()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := script("kill", "worker", "1"); err == nil || !strings.Contains(out, "does not run") {
		t.Errorf("kill of a stranger: %v, %s", err, out)
	}

	must("down")
	if all, _ := roles(); strings.Count(all, ":dead") != 4 {
		t.Errorf("after down: %s", all)
	}
}

// freeBase finds a port base for scripts/cluster: three nodes' ports, of which nobody uses any.
func freeBase(t testing.TB) int {
	t.Helper()
next:
	for base := 20000; base < 30000; base += 100 {
		for _, p := range []int{0, 1, 2, 10, 11, 12, 20, 21, 22} {
			l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", base+p))
			if err != nil {
				continue next
			}
			l.Close()
		}
		return base
	}
	t.Fatal("no free ports")
	return 0
}
