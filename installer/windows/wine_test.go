package windows_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/installer/machine/machinetest"
)

// patience bounds every wait for something outside that is not promised within a time.
const patience = 2 * time.Minute

// computer is a Windows of the test's own: a folder, in which Wine plays Windows. Wine runs everything as one user, so
// it shows nothing of rights; and its service manager takes no recovery actions.
type computer struct {
	t       *testing.T
	prefix  string
	session io.Closer // while it is open, services run
	keeper  *exec.Cmd // the program whose input it is
}

// newComputer installs a Windows and logs in.
func newComputer(t *testing.T) *computer {
	t.Helper()
	if !machinetest.Full() {
		t.Skip("builds the installer and lives with it under Wine for some minutes; set FULL=1")
	}
	for _, tool := range []string{"wine", "wineserver", "x86_64-w64-mingw32-gcc"} {
		_, err := exec.LookPath(tool)
		machinetest.Require(t, err)
	}
	c := &computer{t: t, prefix: filepath.Join(t.TempDir(), "prefix")}
	t.Cleanup(c.stop)
	c.mustWine("wineboot", "--init")
	library := c.path(`C:\windows\system32\bcryptprimitives.dll`)
	if _, err := os.Stat(library); err != nil {
		compile := exec.Command("x86_64-w64-mingw32-gcc", "-shared", "-o", library, "testdata/prng.c", "-ladvapi32")
		if out, err := compile.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	c.restart() // beside a session that is just ending, a new one would get a second service manager
	return c
}

// path is where this computer has a path of the Windows computer.
func (c *computer) path(windows string) string {
	return filepath.Join(c.prefix, "drive_c", filepath.FromSlash(strings.ReplaceAll(strings.TrimPrefix(windows, `C:\`), `\`, "/")))
}

// outside is a path by which the Windows computer finds a file of this one.
func outside(path string) string { return `Z:` + strings.ReplaceAll(path, "/", `\`) }

// login starts a session: services that start by themselves do so, and run until restart.
func (c *computer) login() {
	c.t.Helper()
	c.keeper = c.command(context.WithoutCancel(c.t.Context()), "wine", "cmd.exe")
	input, err := c.keeper.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	greeting, err := c.keeper.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.keeper.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.session = input
	// Beside a session that is just beginning, too.
	if _, err := greeting.Read(make([]byte, 1)); err != nil {
		c.t.Fatal(err)
	}
}

// restart ends every program, as switching the computer off and on does.
func (c *computer) restart() {
	c.t.Helper()
	c.stop()
	c.login()
}

// stop ends this Wine's programs, and no other Wine's.
func (c *computer) stop() {
	if c.session != nil {
		_ = c.session.Close() // a shell that is gone already needs no end of its input
		c.session = nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the test may have ended
	defer cancel()
	_ = c.command(ctx, "wineserver", "--kill").Run() // it fails if nothing runs
	_ = c.command(ctx, "wineserver", "--wait").Run()
	if c.keeper != nil {
		_ = c.keeper.Wait() // it was killed
		c.keeper = nil
	}
}

func (c *computer) command(ctx context.Context, words ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), "WINEPREFIX="+c.prefix, "WINEARCH=win64", "WINEDEBUG=-all", "DISPLAY=")
	return cmd
}

// wine runs a Windows program and returns what it prints and its exit code, of which Linux passes on the last eight bits.
func (c *computer) wine(words ...string) (said string, code int) {
	c.t.Helper()
	// A file and not a pipe: what Wine itself starts beside the program inherits it, and would keep a pipe open.
	file, err := os.Create(filepath.Join(c.t.TempDir(), "said"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer file.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	cmd := c.command(ctx, append([]string{"wine"}, words...)...)
	cmd.Stdout, cmd.Stderr = file, file
	ended := cmd.Run()
	out, err := os.ReadFile(file.Name())
	if err != nil {
		c.t.Fatal(err)
	}
	if failed, ok := errors.AsType[*exec.ExitError](ended); ended != nil && (!ok || !failed.Exited()) {
		c.t.Fatalf("%q: %v: %s", words, ended, out)
	}
	return strings.ReplaceAll(string(out), "\r", ""), cmd.ProcessState.ExitCode()
}

// mustWine is wine for programs that must end with 0.
func (c *computer) mustWine(words ...string) string {
	c.t.Helper()
	said, code := c.wine(words...)
	if code != 0 {
		c.t.Fatalf("%q ends with %d: %s", words, code, said)
	}
	return said
}
