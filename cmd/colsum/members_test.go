package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// view is what the cluster says of itself, asked at any node that answers.
func (c *testCluster) view() (v clusterView) {
	c.t.Helper()
	i := 0
	eventually(c.t, "seen", func() (bool, string) {
		i++
		v = clusterView{}
		return call(c.t.Context(), "GET", c.http[i%len(c.http)]+"/api/cluster", "", nil, &v)
	})
	return v
}

// becomes waits until a node has a role and has announced its addresses.
func (c *testCluster) becomes(id, role string) {
	c.t.Helper()
	eventually(c.t, id+" is "+role, func() (bool, string) {
		v := c.view()
		for _, n := range v.Nodes {
			if n.ID == id {
				return n.Role == role && n.HTTP != "" && n.RPC != "", fmt.Sprintf("%+v", n)
			}
		}
		return role == "gone", fmt.Sprintf("%+v", v.Nodes)
	})
}

// join starts an empty node that asks to be a member.
func (c *testCluster) join(id string) {
	c.t.Helper()
	addrs := freePorts(c.t, 3)
	args := []string{"serve", "--id=" + id, "--dir=state-" + fmt.Sprint(len(c.nodes)), "--workers=0", "--min-chunk=1", "--data=data",
		"--http=" + addrs[0], "--raft=" + addrs[1], "--rpc=" + addrs[2], "--join=" + strings.Join(c.http, ",")}
	c.nodes = append(c.nodes, spawn(c.t, fmt.Sprint(id, "-", len(c.nodes)), c.dir, args...))
	c.http = append(c.http, "http://"+addrs[0])
}

// cluster runs `colsum cluster` against all nodes.
func (c *testCluster) command(args ...string) outcome {
	c.t.Helper()
	return invoke(c.t, c.dir, nil, append(append([]string{"cluster"}, args...), "--server="+strings.Join(c.http, ","))...)
}

// Members come and go while works run: every node is known by its addresses, a dead node is replaced by an empty one, under
// a new name and under its old one, and what would lose the quorum is refused.
func TestMembersChangeInMidWork(t *testing.T) {
	c := startCluster(t, 3, 2)
	leader, follower := c.leader()
	c.becomes(c.nodes[leader].name, "leader")
	for _, p := range c.nodes {
		if p != c.nodes[leader] {
			c.becomes(p.name, "follower")
		}
	}
	for i := range 4 {
		c.submit(i, fmt.Sprintf("f%d.csv", i%2), 16<<10)
	}

	dead := c.nodes[follower]
	dead.kill()
	other := c.nodes[3-leader-follower]
	eventually(t, "found dead", func() (bool, string) {
		for _, n := range c.view().Nodes {
			if n.ID == dead.name && n.Reachable != nil && !*n.Reachable {
				return true, ""
			}
		}
		return false, "it is held to answer"
	})
	if o := c.command("remove", other.name); o.code != 1 || !strings.Contains(o.stderr, "quorum_at_risk") {
		t.Errorf("removing one of the two that answer: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	if o := c.command("remove", "nobody"); o.code != 1 || !strings.Contains(o.stderr, "unknown_node") {
		t.Errorf("removing nobody: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	if o := c.command("add", other.name+"=127.0.0.1:1"); o.code != 1 || !strings.Contains(o.stderr, "node_conflict") {
		t.Errorf("adding a member with another address: status %d, %s%s", o.code, o.stdout, o.stderr)
	}

	if o := c.command("remove", dead.name); o.code != 0 {
		t.Fatalf("removing the dead node: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	c.becomes(dead.name, "gone")
	c.join("new")
	c.becomes("new", "follower")
	c.join(dead.name) // the dead one's name again, and an empty folder
	c.becomes(dead.name, "follower")

	if o := c.command("transfer", "new"); o.code != 0 {
		t.Errorf("transfer: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	c.becomes("new", "leader")
	c.submit(0, "small.csv", 16<<10)
	c.http = append(c.http[:follower], c.http[follower+1:]...) // the dead node answers nothing
	c.nodes = append(c.nodes[:follower], c.nodes[follower+1:]...)
	c.check()
	var view clusterView
	if err := json.Unmarshal([]byte(c.command("status", "--json").stdout), &view); err != nil || len(view.Nodes) != 4 {
		t.Errorf("status: %+v, %v; want 4 nodes", view, err)
	}
}

// A node that was removed stays out, even when it is started again, and even though it was told to join once.
func TestRemovedNodeStaysOut(t *testing.T) {
	c := startCluster(t, 1, 1)
	c.join("extra")
	c.becomes("extra", "follower")
	if o := c.command("transfer", "n0"); o.code != 0 {
		t.Errorf("transfer to the leader: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	if o := c.command("remove", "extra"); o.code != 0 {
		t.Fatalf("remove: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	extra := c.nodes[1]
	c.nodes, c.http = c.nodes[:1], c.http[:1]
	select {
	case <-extra.done:
		t.Error("the removed node ended by itself")
	default:
	}
	extra.kill()
	extra.start(t)
	c.result(0, c.submit(0, "f0.csv", 16<<10))
	c.becomes("extra", "gone")
	if o := c.command("remove", "n0"); o.code != 1 || !strings.Contains(o.stderr, "quorum_at_risk") {
		t.Errorf("removing the last node: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	c.check()
}
