// Package fleet runs the product's programs as processes, each on this machine or on a host of a laboratory, and
// speaks to them as their users do: flags, the ready line, the local socket. The demo, the tests of the whole
// product and the benchmarks share it. It must never import what the programs are made of, so that
// whatever it shows is shown of the real thing.
package fleet

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

const (
	controlProgram = "tributary-control"
	daemonProgram  = "tributaryd"
	ctlProgram     = "tributaryctl"
)

// Programs is the folder that holds the built programs.
type Programs string

// FindPrograms checks that a folder holds the programs and returns it.
func FindPrograms(dir string) (Programs, error) {
	dir, err := filepath.Abs(dir) // they run with other working folders, too
	if err != nil {
		return "", err
	}
	p := Programs(dir)
	for _, name := range []string{controlProgram, daemonProgram, ctlProgram} {
		if _, err := exec.LookPath(p.path(name)); err != nil {
			return "", fmt.Errorf("find the program %s (run `make build` first): %w", name, err)
		}
	}
	return p, nil
}

func (p Programs) path(name string) string { return filepath.Join(string(p), name) }
