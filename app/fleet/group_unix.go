//go:build unix

package fleet

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps Ctrl-C in a terminal from reaching a program directly: whoever started it stops it, in
// order.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
