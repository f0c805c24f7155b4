//go:build unix

package torchrun

import (
	"os/exec"
	"syscall"
)

// apart gives a command a process group of its own: the terminal's Ctrl-C is for this program, which then asks the trainer to save.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// kill ends a command with its group; torchrun ends the processes it started.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
