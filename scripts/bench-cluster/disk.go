package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// benchDisk is what bounds a commit: bbolt writes its pages, syncs, writes a meta page and syncs again, on the leader and
// then on a follower.
func benchDisk(_ context.Context, s *settings, t *table) error {
	path := filepath.Join(s.dir, "sync.tmp")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	defer f.Close()
	const pages, page = 1024, 16 << 10
	if _, err := f.Write(make([]byte, pages*page)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	took := make([]time.Duration, 500)
	buf := make([]byte, page)
	for i := range took {
		buf[0] = byte(i)
		if _, err := f.WriteAt(buf, int64(i*37%pages)*page); err != nil {
			return err
		}
		began := time.Now()
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
		took[i] = time.Since(began)
	}
	t.add("fdatasync of 16 KiB on this disk, p50 / p99", fmt.Sprintf("%.2f / %.2f ms",
		quantile(took, 0.5).Seconds()*1e3, quantile(took, 0.99).Seconds()*1e3), "", "four in a row make a commit: two on the leader, then two on a follower")
	return nil
}
