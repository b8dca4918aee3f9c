package storagetest

import (
	"os/exec"
	"syscall"
)

// noOrphan makes the kernel end a server whose test is killed before it could clean up.
func noOrphan(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
