package windows_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// `tributaryd service ...` at the service manager of Windows: its exit codes are a contract, and everything may be repeated.
func TestServiceCommand(t *testing.T) {
	c := newComputer(t)
	program := c.compile("build", "-o", c.path(`C:\tributaryd.exe`), "../../app/tributaryd")
	for _, step := range []struct {
		verb string
		code int
	}{
		{"status", 4}, {"start", 4}, {"stop", 4}, {"restart", 4}, {"uninstall", 0}, {"frob", 2}, {"install --user", 1},
		{"install", 0}, {"install", 0}, {"status", 3}, {"start", 0}, {"start", 0}, {"status", 0},
		{"restart", 0}, {"status", 0}, {"stop", 0}, {"stop", 0}, {"status", 3},
		{"start", 0}, {"uninstall", 0}, {"uninstall", 0}, {"status", 4},
	} {
		said, code := c.wine(append([]string{program, "service"}, strings.Fields(step.verb)...)...)
		if code != step.code {
			t.Errorf("service %s ends with %d; want %d: %s", step.verb, code, step.code, said)
		}
		if step.verb == "install" {
			said := c.registry(`HKLM\System\CurrentControlSet\Services\tributaryd`)
			for _, want := range []string{`NT AUTHORITY\LocalService`, "run --machine"} {
				if !strings.Contains(said, want) {
					t.Errorf("the service that was installed has no %q: %s", want, said)
				}
			}
		}
	}
}

// The tests of what is written for Windows alone. Those with a t.TempDir fail in Wine 8, which cannot clear it away.
func TestUnits(t *testing.T) {
	c := newComputer(t)
	for _, unit := range []struct{ pkg, run string }{
		{"engine/pipe", ""},
		{"engine/ownfile", ""},
		{"engine/localapi", ""},
		{"engine/client", ""},
		{"app/service", "^TestService"},
	} {
		t.Run(unit.pkg, func(t *testing.T) {
			c := c.in(t)
			test := c.compile("test", "-c", "-o", c.path(fmt.Sprintf(`C:\%s.test.exe`, filepath.Base(unit.pkg))), "../../"+unit.pkg)
			if said, code := c.wine(test, "-test.run", unit.run); code != 0 {
				t.Errorf("exit %d: %s", code, said)
			}
		})
	}
}

// compile runs the go command for Windows, with -o and a file, and returns where the Windows computer finds it.
func (c *computer) compile(words ...string) string {
	c.t.Helper()
	cmd := exec.Command("go", words...)
	cmd.Env = append(cmd.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%v: %s", err, said)
	}
	return `C:\` + filepath.Base(words[len(words)-2])
}
