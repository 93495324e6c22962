//go:build unix

package e2e

import (
	"syscall"
	"testing"

	"github.com/tributary-dl/tributary/app/fleet"
)

// hangup asks a service to read its policy again.
func hangup(t *testing.T, p *fleet.Process) {
	t.Helper()
	if err := syscall.Kill(p.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}
