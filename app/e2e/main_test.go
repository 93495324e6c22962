package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tributary-dl/tributary/app/fleet"
)

var programs fleet.Programs

// mains are the programs under test and the packages they are built from.
var mains = map[string]string{
	"tributary-control": "../../control",
	"tributaryd":        "../tributaryd",
	"tributaryctl":      "../tributaryctl",
}

func TestMain(m *testing.M) {
	bin := flag.String("bin", "", "the `folder` with the built programs, relative to the top of the repository; default: build them")
	flag.Parse()
	code, err := withPrograms(*bin, m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, "prepare the programs:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func withPrograms(dir string, run func() int) (code int, err error) {
	if dir == "" {
		built, err := os.MkdirTemp("", "tributary-e2e-bin-")
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(built)) }()
		for name, pkg := range mains {
			build := exec.Command("go", "build", "-o", filepath.Join(built, name), pkg)
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			build.Stderr = os.Stderr
			if err := build.Run(); err != nil {
				return 0, fmt.Errorf("build %s: %w", name, err)
			}
		}
		dir = built
	} else if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", "..", dir)
	}
	if programs, err = fleet.FindPrograms(dir); err != nil {
		return 0, err
	}
	return run(), nil
}
