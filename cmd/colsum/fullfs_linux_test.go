package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A smallDisk is a filesystem of its own that can be full: to the last block, for everybody, as no limit on a process is.
type smallDisk struct{ dir string }

// mountSmallDisks gives each node of a cluster to be started in dir a filesystem for its folder.
func mountSmallDisks(t *testing.T, dir string, nodes int) (disks []*smallDisk) {
	t.Helper()
	for i := range nodes {
		d := &smallDisk{filepath.Join(dir, fmt.Sprint("state", i))}
		if err := os.Mkdir(d.dir, 0o750); err != nil {
			t.Fatal(err)
		}
		switch err := unix.Mount("tmpfs", d.dir, "tmpfs", 0, "size=32m"); {
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
			t.Skipf("needs the right to mount a tmpfs (root): %v", err)
		case err != nil:
			t.Fatalf("mount a tmpfs: %v", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(d.dir, unix.MNT_DETACH); err != nil {
				t.Errorf("unmount %s: %v", d.dir, err)
			}
		})
		disks = append(disks, d)
	}
	return disks
}

func (d *smallDisk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill takes all the room there is.
func (d *smallDisk) fill(t *testing.T) {
	t.Helper()
	f, err := os.Create(d.ballast())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("fill %s: %v", d.dir, err)
	}
}

// free gives the room back.
func (d *smallDisk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		t.Fatal(err)
	}
}

// complained reports whether a process has said in its log that there is no room.
func (p *process) complained() (bool, string) {
	text, err := os.ReadFile(p.log)
	return err == nil && strings.Contains(string(text), unix.ENOSPC.Error()), string(tail(text, 500))
}

// fillWithWorks submits works until a node on a full filesystem has felt it.
func (c *testCluster) fillWithWorks(p *process) {
	c.t.Helper()
	eventually(c.t, p.name+" says that its disk is full", func() (bool, string) {
		c.submit(0, "small.csv", 32<<10)
		return p.complained()
	})
}

// The filesystem of a follower is full: the others go on; with room again it catches up.
func TestFollowerOnAFullFilesystem(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	dir := t.TempDir()
	disks := mountSmallDisks(t, dir, 3)
	c := startClusterIn(t, dir, 3, 1)
	leader, follower := c.leader()
	c.result(leader, c.submit(leader, "f0.csv", 64<<10))
	disks[follower].fill(t)
	c.fillWithWorks(c.nodes[follower])
	c.result(leader, c.submit(leader, "f1.csv", 64<<10))
	disks[follower].free(t)
	c.recovers(follower)
	c.ready()
	c.result(follower, c.submit(follower, "f0.csv", 64<<10))
	c.check()
	c.equal()
}

// The filesystem of the leader is full: another leads; with room again it is a member like any other.
func TestLeaderOnAFullFilesystem(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	dir := t.TempDir()
	disks := mountSmallDisks(t, dir, 3)
	c := startClusterIn(t, dir, 3, 1)
	leader, other := c.leader()
	c.result(other, c.submit(other, "f0.csv", 64<<10))
	disks[leader].fill(t)
	c.fillWithWorks(c.nodes[leader])
	c.result(other, c.submit(other, "f1.csv", 64<<10))
	eventually(t, "led by another node", func() (bool, string) {
		v := c.view()
		return v.Leader != "" && v.Leader != c.nodes[leader].name, v.Leader
	})
	disks[leader].free(t)
	c.recovers(leader)
	c.ready()
	c.result(leader, c.submit(leader, "f0.csv", 64<<10))
	c.check()
	c.equal()
}

// The filesystem of the only node is full: works are refused, with a code; with room again all that were accepted are done.
func TestLoneNodeOnAFullFilesystem(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	dir := t.TempDir()
	disks := mountSmallDisks(t, dir, 1)
	c := startClusterIn(t, dir, 1, 1)
	c.result(0, c.submit(0, "f0.csv", 64<<10))
	disks[0].fill(t)
	keys := 0
	eventually(t, "refused", func() (bool, string) {
		c.nodes[0].restarted(t)
		keys++
		var accepted struct {
			WorkID string `json:"work_id"`
		}
		ok, text := call(t.Context(), "POST", c.http[0]+"/api/schedule_work", fmt.Sprint("full-", keys), map[string]any{"filepath": "small.csv"}, &accepted)
		if ok {
			c.works[accepted.WorkID] = "small.csv"
		}
		return !ok && strings.Contains(text, `"code"`), text
	})
	if ok, text := c.nodes[0].complained(); !ok {
		t.Errorf("its log does not say why: %s", text)
	}
	disks[0].free(t)
	c.recovers(0)
	c.ready()
	// The request that was refused is asked again: whatever became of it, there is one work of this key.
	var accepted struct {
		WorkID string `json:"work_id"`
	}
	eventually(t, "accepted", func() (bool, string) {
		return call(t.Context(), "POST", c.http[0]+"/api/schedule_work", fmt.Sprint("full-", keys), map[string]any{"filepath": "small.csv"}, &accepted)
	})
	c.works[accepted.WorkID] = "small.csv"
	for id, file := range c.works {
		if d := c.result(0, id); d.Status != "done" || d.Digest != c.digest[file] {
			t.Errorf("work %s of %s: %s, digest %s; want done, %s", id, file, d.Status, d.Digest, c.digest[file])
		}
	}
}
