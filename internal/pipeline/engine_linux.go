package pipeline

import (
	"os/exec"
	"syscall"
)

// endWithUs has the kernel end a command when the thread that starts it ends, as it does when this program is killed.
func endWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
