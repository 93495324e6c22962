package fleet

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps Ctrl-C in a console from reaching a program directly: whoever started it stops it, in
// order.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
