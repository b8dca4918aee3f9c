package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// diskRoom is the size of a node's filesystem, more than it ever needs.
const diskRoom = 1 << 30

// mountDisk gives a node a filesystem of its own for its folder, one in memory. Where that is not permitted it has none, and
// a full one is only imitated, as a full disk is.
func (p *process) mountDisk(dir string) error {
	p.folder = filepath.Join(dir, p.name+".disk", "state")
	mount := filepath.Dir(p.folder)
	if err := os.MkdirAll(mount, 0o750); err != nil {
		return err
	}
	switch err := unix.Mount("tmpfs", mount, "tmpfs", 0, fmt.Sprint("size=", diskRoom)); {
	case err == nil:
		p.disk = mount
	case !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES):
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	return nil
}

// unmountDisk takes the filesystem away with all that is on it; keep is where that is copied to, if not "".
func (p *process) unmountDisk(keep string) error {
	if p.disk == "" {
		return nil
	}
	var err error
	if keep != "" {
		err = os.CopyFS(keep, os.DirFS(p.disk))
	}
	err = errors.Join(err, unix.Unmount(p.disk, unix.MNT_DETACH))
	p.disk = ""
	return err
}

// fillFilesystem makes a node's filesystem as small as what is on it, so that nobody gets another block of it; empty makes it
// large again.
func (p *process) fillFilesystem(full bool) error {
	if p.disk == "" {
		p.fillDisk(full)
		return nil
	}
	p.mu.Lock()
	p.excused = p.excused || full
	p.mu.Unlock()
	for tries := 0; ; tries++ {
		size := uint64(diskRoom)
		if full {
			var s unix.Statfs_t
			if err := unix.Statfs(p.disk, &s); err != nil {
				return err
			}
			size = max(1, s.Blocks-s.Bfree) * uint64(s.Bsize)
		}
		err := unix.Mount("tmpfs", p.disk, "tmpfs", unix.MS_REMOUNT, fmt.Sprint("size=", size))
		if !full || !errors.Is(err, syscall.EINVAL) || tries > 1000 { // else it has grown meanwhile
			return err
		}
	}
}
