package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// owners knows which process has the other end of a connection, from /proc: an address on the loopback tells nothing, and
// the program under test shall know nothing of proxies.
type owners struct {
	mu   sync.Mutex
	pids map[int]string // mu; process id -> name
}

func (o *owners) set(pid int, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pids == nil {
		o.pids = map[int]string{}
	}
	o.pids[pid] = name
}

func (o *owners) forget(pid int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.pids, pid)
}

// of returns the name of who dialled c: "client" for this process, "?" for one that is gone.
func (o *owners) of(c *net.TCPConn) string {
	inode := inodeOf(c.RemoteAddr().(*net.TCPAddr), c.LocalAddr().(*net.TCPAddr))
	if inode == "" {
		return "?"
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for pid, name := range o.pids {
		if has(pid, inode) {
			return name
		}
	}
	if has(os.Getpid(), inode) {
		return "client"
	}
	return "?"
}

// inodeOf finds the socket with these ends.
func inodeOf(local, remote *net.TCPAddr) string {
	text, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return ""
	}
	ends := []byte(fmt.Sprintf(" %s %s ", hexAddr(local), hexAddr(remote)))
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); bytes.Contains(line, ends) && len(f) > 9 {
			return string(f[9])
		}
	}
	return ""
}

// hexAddr is an address as /proc/net/tcp writes it: bytes of an IPv4 address from the last to the first.
func hexAddr(a *net.TCPAddr) string {
	ip := a.IP.To4()
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], a.Port)
}

// has reports whether a process has a socket open.
func has(pid int, inode string) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	want := "socket:[" + inode + "]"
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && to == want {
			return true
		}
	}
	return false
}
