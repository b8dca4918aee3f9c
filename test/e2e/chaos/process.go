package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// restartAfter is how long a process that ended stays away: what a service manager would wait.
const restartAfter = 300 * time.Millisecond

// A process is one of the programs of a run, kept alive as a service manager would: whenever it ends it is started again,
// unless it is held down.
type process struct {
	name string
	argv []string
	env  []string
	log  string // file with what it writes
	net  *network

	// Of a node:
	url, raft, rpc string   // its addresses, through the proxies
	direct         string   // its URL, past them
	folder         string   // its state
	disk           string   // where the filesystem of its folder is mounted, "" if it has none of its own
	standing       standing // under the cluster's mu

	mu      sync.Mutex
	cmd     *exec.Cmd     // mu; nil while down
	ended   chan struct{} // mu; closed when cmd has ended
	held    bool          // mu; not to be started
	asked   bool          // mu; the end of cmd is the nemesis's doing
	excused bool          // mu; it may end by itself: its disk is full
	deaths  []string      // mu; ends that nobody asked for
	stopped bool          // mu; the run is over
	limit   bool          // mu; its files cannot grow
}

// start runs the process until kill, terminate or its own end.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = false
	return p.launch()
}

// launch is start with mu held.
func (p *process) launch() error {
	if p.cmd != nil || p.held || p.stopped {
		return nil
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // no orphans should the run be killed
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended, p.asked = cmd, ended, false
	p.net.owners.set(cmd.Process.Pid, p.name)
	if p.limit {
		setFileLimit(cmd.Process.Pid, diskFull)
	}
	go p.reap(cmd, ended)
	return nil
}

// reap waits for the end of a process and starts it again.
func (p *process) reap(cmd *exec.Cmd, ended chan struct{}) {
	_ = cmd.Wait() // how it ended is in its state
	p.net.owners.forget(cmd.Process.Pid)
	p.mu.Lock()
	if !p.asked && !p.excused && !p.stopped {
		p.deaths = append(p.deaths, fmt.Sprintf("%s ended by itself: %s\n%s", p.name, cmd.ProcessState, p.tail(1500)))
	}
	p.cmd = nil
	close(ended)
	p.mu.Unlock()
	time.Sleep(restartAfter)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.launch(); err != nil {
		p.deaths = append(p.deaths, err.Error())
	}
}

// tail is the end of the process's log.
func (p *process) tail(n int) string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-n):]))
}

// signal sends a signal; false if the process is down. The end of a process after SIGKILL or SIGTERM is held to be wanted.
func (p *process) signal(s syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return false
	}
	if s == syscall.SIGKILL || s == syscall.SIGTERM {
		p.asked = true
	}
	return p.cmd.Process.Signal(s) == nil
}

// end ends the process by a signal and waits; hold keeps it down.
func (p *process) end(s syscall.Signal, hold bool) {
	p.mu.Lock()
	ended := p.ended
	running := p.cmd != nil
	p.held = hold
	p.mu.Unlock()
	if !running || !p.signal(s) {
		return
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		p.mu.Lock()
		p.deaths = append(p.deaths, fmt.Sprintf("%s has not ended 30 s after %s\n%s", p.name, s, p.tail(1500)))
		p.mu.Unlock()
		p.signal(syscall.SIGKILL)
		<-ended
	}
}

// stop ends the process for good.
func (p *process) stop() {
	p.mu.Lock()
	p.stopped, p.held = true, true
	ended, running := p.ended, p.cmd != nil
	p.mu.Unlock()
	if running && p.signal(syscall.SIGKILL) {
		<-ended
	}
}

// diskFull is the size beyond which no file of a process may be written: all but the smallest writes fail then.
const diskFull = 4096

// fillDisk makes every write fail that would be beyond the first bytes of a file, with EFBIG for ENOSPC; empty takes it back.
func (p *process) fillDisk(full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = full
	if full {
		p.excused = true
	}
	if p.cmd != nil {
		size := uint64(unix.RLIM_INFINITY)
		if full {
			size = diskFull
		}
		setFileLimit(p.cmd.Process.Pid, size)
	}
}

func setFileLimit(pid int, size uint64) {
	var old unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &old) != nil {
		return // it has just ended
	}
	_ = unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: min(size, old.Max), Max: old.Max}, nil) // likewise
}

// forgive says from when on the process has no excuse any more.
func (p *process) forgive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.excused = false
}

func (p *process) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.deaths...)
}
