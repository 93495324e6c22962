//go:build linux

package machinetest

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/tributary-dl/tributary/installer/machine"
)

// Boot returns a machine that runs until the end of the test.
func Boot(t *testing.T, name string) *machine.Machine {
	t.Helper()
	Require(t, machine.Supported())
	base, err := machine.Base(t.Context(), filepath.Join(root(t), "build", "machines"))
	if err != nil {
		Require(t, errors.Join(errors.New("no Debian system could be made; this needs the Debian mirror"), err))
	}
	m, err := machine.New(name, base, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := m.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

// Run runs a program in the machine and returns what it printed; its failure is the test's.
func Run(t *testing.T, m *machine.Machine, name string, args ...string) string {
	t.Helper()
	out, err := m.Run(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// root returns the top of the repository: trees of whole systems are kept there, for all packages.
func root(t *testing.T) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	if !filepath.IsAbs(file) { // built with -trimpath
		t.Fatal("these tests find the repository by the path of their source: run them without -trimpath")
	}
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}
