//go:build unix

package localapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/client"
	"github.com/tributary-dl/tributary/engine/localapi"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

func TestSocketIsForOneUser(t *testing.T) {
	socket, _ := localapitest.Serve(t, localapitest.NewFake())
	for path, want := range map[string]fs.FileMode{socket: fs.ModeSocket | 0o600, filepath.Dir(socket): fs.ModeDir | 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("mode of %s is %v; want %v", path, info.Mode(), want)
		}
	}
	if _, err := (&client.Client{Socket: socket}).Status(t.Context()); err != nil {
		t.Errorf("Status() = %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string) (socket string)
		says    string
	}{
		{"a relative path", func(*testing.T, string) string { return "run/d.sock" }, "must be absolute"},
		{"a path that is too long", func(_ *testing.T, dir string) string {
			return filepath.Join(dir, strings.Repeat("x", 200))
		}, "choose a shorter one"},
		{"a folder open to others", func(t *testing.T, dir string) string {
			must(t, os.Chmod(dir, 0o750))
			return filepath.Join(dir, "d.sock")
		}, "open to other users (mode 750)"},
		{"a folder that is a link", func(t *testing.T, dir string) string {
			must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
			must(t, os.Symlink("real", filepath.Join(dir, "link")))
			return filepath.Join(dir, "link", "d.sock")
		}, "socket's folder"},
		{"a folder that is a file", func(t *testing.T, dir string) string {
			must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
			return filepath.Join(dir, "file", "d.sock")
		}, "socket's folder"},
		{"a file in its place", func(t *testing.T, dir string) string {
			must(t, os.WriteFile(filepath.Join(dir, "d.sock"), []byte("precious"), 0o600))
			return filepath.Join(dir, "d.sock")
		}, "something else is there"},
		{"a folder of another user", func(t *testing.T, dir string) string {
			if os.Geteuid() != 0 {
				t.Skip("giving a folder away needs root")
			}
			must(t, os.Chown(dir, 65534, 65534))
			return filepath.Join(dir, "d.sock")
		}, "belongs to uid 65534"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := tt.prepare(t, privateDir(t))
			l, err := localapi.Listen(socket)
			if err == nil {
				_ = l.Close()
				t.Fatalf("Listen(%s) succeeds", socket)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Listen(%s) = %q; want %q in it", socket, err, tt.says)
			}
		})
	}
}

func TestSecondServiceIsToldThatOneRuns(t *testing.T) {
	socket, _ := localapitest.Serve(t, localapitest.NewFake())
	if _, err := localapi.Listen(socket); !errors.Is(err, localapi.ErrInUse) {
		t.Errorf("Listen() beside a running service = %v; want ErrInUse", err)
	}
	if _, err := (&client.Client{Socket: socket}).Status(t.Context()); err != nil {
		t.Errorf("the first service after that: %v", err)
	}
}

func TestDeadSocketIsReplaced(t *testing.T) {
	socket := filepath.Join(privateDir(t), "d.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as after kill -9
	must(t, dead.Close())
	l, err := localapi.Listen(socket)
	if err != nil {
		t.Fatalf("Listen() = %v; want the dead socket to be replaced", err)
	}
	must(t, l.Close())
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// Another user cannot reach the socket; and if the folder were opened to all, would still be refused.
func TestAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("acting as another user needs root")
	}
	fake := localapitest.NewFake(api.Detail{Download: api.Download{ID: "d1"}})
	socket, _ := localapitest.Serve(t, fake)
	if got := callAs(t, 65534, socket); got != "unreachable unreachable unreachable" {
		t.Errorf("through a closed folder another user gets %q", got)
	}
	must(t, os.Chmod(filepath.Dir(filepath.Dir(socket)), 0o755))
	must(t, os.Chmod(filepath.Dir(socket), 0o755))
	must(t, os.Chmod(socket, 0o666))
	if got := callAs(t, 65534, socket); got != "denied denied denied" {
		t.Errorf("through an open folder another user gets %q", got)
	}
	if got := callAs(t, 0, socket); got != "done done done" {
		t.Errorf("the same user gets %q", got)
	}
	if got := strings.Join(fake.Calls(), ", "); got != "pause d1, remove d1" {
		t.Errorf("the service was asked to %q; want only the same user's calls", got)
	}
}

// callerSocket makes the test binary act as a client of the socket it names, see TestMain.
const callerSocket = "TRIBUTARY_TEST_CALLER_SOCKET"

func TestMain(m *testing.M) {
	if socket := os.Getenv(callerSocket); socket != "" {
		fmt.Print(callAll(context.Background(), socket))
		return
	}
	os.Exit(m.Run())
}

// callAll reads, changes and deletes, and says how each went.
func callAll(ctx context.Context, socket string) string {
	c := &client.Client{Socket: socket}
	_, err := c.Status(ctx)
	var outcomes []string
	for _, err := range []error{err, c.Pause(ctx, "d1"), c.Remove(ctx, "d1", false)} {
		switch {
		case err == nil:
			outcomes = append(outcomes, "done")
		case errors.Is(err, client.ErrUnreachable):
			outcomes = append(outcomes, "unreachable")
		default:
			outcomes = append(outcomes, api.CodeOf(err))
		}
	}
	return strings.Join(outcomes, " ")
}

// callAs runs callAll in a process of user uid.
func callAs(t *testing.T, uid uint32, socket string) string {
	t.Helper()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Skip("acting as another user needs root and /proc")
	}
	defer self.Close()
	dir := privateDir(t)
	must(t, os.Chmod(dir, 0o755))
	binary, err := os.OpenFile(filepath.Join(dir, "caller"), os.O_WRONLY|os.O_CREATE, 0o755)
	must(t, err)
	_, err = io.Copy(binary, self)
	must(t, errors.Join(err, binary.Close()))

	cmd := exec.CommandContext(t.Context(), binary.Name())
	cmd.Dir = dir
	cmd.Env = []string{callerSocket + "=" + socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("run as uid %d: %v\n%s", uid, err, stderr.String())
	}
	return stdout.String()
}

// privateDir returns a short path: a socket's name has about a hundred bytes.
func privateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tributary")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
