package e2e

import (
	"testing"

	"github.com/tributary-dl/tributary/app/fleet"
)

// hangup does nothing: Windows has no such signal, and the service notices the change by itself.
func hangup(*testing.T, *fleet.Process) {}
