package raftnode

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// A damaged folder gives the whole state or a refusal, never part of it.
func TestDamagedFolder(t *testing.T) {
	for _, tc := range []struct {
		name     string
		trailing int
		damage   func(t *testing.T, dir string, snapshots []string) // snapshots from the oldest to the newest
		want     func(err error) bool
	}{
		{"nothing", -1, func(*testing.T, string, []string) {}, func(err error) bool { return err == nil }},
		{"newest snapshot, the log goes back far enough", 1000, func(t *testing.T, _ string, s []string) { flip(t, s[1]) }, func(err error) bool { return err == nil }},
		{"all snapshots, the log is whole", 1000, func(t *testing.T, _ string, s []string) { flip(t, s[0]); flip(t, s[1]) }, func(err error) bool { return err != nil }},
		{"newest snapshot, the log was cut behind it", -1, func(t *testing.T, _ string, s []string) { flip(t, s[1]) }, func(err error) bool { return errors.Is(err, ErrDamaged) }},
		{"no snapshots any more", -1, func(t *testing.T, dir string, _ []string) {
			if err := os.RemoveAll(filepath.Join(dir, "snapshots")); err != nil {
				t.Fatal(err)
			}
		}, func(err error) bool { return errors.Is(err, ErrDamaged) }},
		{"no log any more", 1000, func(t *testing.T, dir string, _ []string) {
			if err := os.Remove(filepath.Join(dir, "raft.db")); err != nil {
				t.Fatal(err)
			}
		}, func(err error) bool { return errors.Is(err, ErrDamaged) }},
		{"torn log", -1, func(t *testing.T, dir string, _ []string) {
			if err := os.Truncate(filepath.Join(dir, "raft.db"), 5000); err != nil {
				t.Fatal(err)
			}
		}, func(err error) bool { return err != nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t, 1, func(cfg *Config) { cfg.TrailingLogs = tc.trailing })
			list := commands(t, 7, 60)
			for i, cmd := range list {
				c.propose(cmd)
				if i%20 == 19 {
					if err := c.nodes[0].Snapshot(); err != nil {
						t.Fatal(err)
					}
				}
			}
			want := c.equal()
			c.stop(0)
			dir := c.cfgs[0].Dir
			snapshots, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", "state.bin"))
			if err != nil || len(snapshots) != snapshotsKept {
				t.Fatalf("snapshots: %q, %v", snapshots, err)
			}
			slices.SortFunc(snapshots, func(a, b string) int { return modified(t, a).Compare(modified(t, b)) })
			tc.damage(t, dir, snapshots)
			m, err := open(t, c.cfgs[0])
			if !tc.want(err) {
				t.Errorf("open: %v", err)
			}
			if err != nil {
				t.Log(err)
				return
			}
			c.nodes[0] = m
			if got := c.equal(); got != want {
				t.Errorf("state %x, want %x", got, want)
			}
		})
	}
}

// flip changes a byte in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func modified(t *testing.T, path string) time.Time {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.ModTime()
}
