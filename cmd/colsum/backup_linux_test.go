package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// peers is the --peer flags of a cluster's nodes, as they were started with.
func (c *testCluster) peers() (flags []string) {
	for _, a := range c.nodes[0].args {
		if strings.HasPrefix(a, "--peer=") {
			flags = append(flags, a)
		}
	}
	return flags
}

// What a backup holds is there again after a restore, works in the middle of their tasks included, and they go on.
func TestBackupAndRestore(t *testing.T) {
	c := startCluster(t, 3, 2)
	c.result(0, c.submit(0, "small.csv", 32<<10))
	for i := range 3 {
		c.submit(i, fmt.Sprintf("f%d.csv", i%2), 4<<10)
	}
	c.midWork()
	archive := filepath.Join(c.dir, "colsum.backup")
	if o := c.command("backup", archive); o.code != 0 {
		t.Fatalf("backup: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	for _, p := range append(c.nodes, c.workers...) {
		p.kill()
	}
	restore := func(i int, archive string) outcome {
		return invoke(t, c.dir, nil, append([]string{"cluster", "restore", archive, fmt.Sprint("--id=n", i), fmt.Sprint("--dir=state", i)}, c.peers()...)...)
	}
	if o := restore(0, archive); o.code != 1 || !strings.Contains(o.stderr, "holds a state already") {
		t.Errorf("restore over a state: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	for i := range c.nodes {
		if err := os.Rename(filepath.Join(c.dir, fmt.Sprint("state", i)), filepath.Join(c.dir, fmt.Sprint("old", i))); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"cut": text[:len(text)-1], "flipped": append(append([]byte{}, text[:len(text)/2]...), append([]byte{text[len(text)/2] ^ 1}, text[len(text)/2+1:]...)...)} {
		if o := restore(0, write(t, name, string(bad))); o.code != 1 || !strings.Contains(o.stderr, "bad snapshot") {
			t.Errorf("restore of an archive that was %s: status %d, %s%s", name, o.code, o.stdout, o.stderr)
		}
	}
	for i := range c.nodes {
		if o := restore(i, archive); o.code != 0 {
			t.Fatalf("restore: status %d, %s%s", o.code, o.stdout, o.stderr)
		}
	}
	for _, p := range append(c.nodes, c.workers...) {
		p.start(t)
	}
	c.ready()
	if list := c.list(); list.Counts.Done+list.InProgress != 4 || list.InProgress == 0 {
		t.Errorf("after the restore: %+v, want 4 works, some in progress", list)
	}
	c.submit(1, "small.csv", 32<<10)
	c.check()
	c.equal()
}

// A cluster that has lost its majority for good goes on with the node that is left, once it is told to, and new members.
func TestRecoverFromTheLastNode(t *testing.T) {
	c := startCluster(t, 3, 1)
	c.result(0, c.submit(0, "f0.csv", 64<<10))
	c.submit(0, "f1.csv", 16<<10)
	leader, _ := c.leader()
	for _, p := range c.nodes {
		p.kill()
	}
	last := c.nodes[leader] // its log is the longest
	var self string
	for _, a := range c.peers() {
		if strings.HasPrefix(a, "--peer="+last.name+"=") {
			self = a
		}
	}
	if o := invoke(t, c.dir, nil, "cluster", "recover", "--id="+last.name, fmt.Sprint("--dir=state", leader), self); o.code != 0 {
		t.Fatalf("recover: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	if o := invoke(t, c.dir, nil, "cluster", "recover", "--id=other", fmt.Sprint("--dir=state", leader), "--peer=other=127.0.0.1:1"); o.code != 1 {
		t.Errorf("recovering another's folder: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	last.start(t)
	c.nodes, c.http = []*process{last}, c.http[leader:leader+1]
	c.ready()
	c.join("d")
	c.join("e")
	c.becomes("d", "follower")
	c.becomes("e", "follower")
	if o := c.command("transfer", "d"); o.code != 0 {
		t.Errorf("transfer: status %d, %s%s", o.code, o.stdout, o.stderr)
	}
	// The worker knew the old nodes only; the leader's address comes from the one that is left.
	c.submit(0, "small.csv", 32<<10)
	c.check()
	c.equal()
}
