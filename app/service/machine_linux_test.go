package service_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/installer/machine"
	"github.com/tributary-dl/tributary/installer/machine/machinetest"
)

// patience bounds every wait; a computer that does nothing else needs a tenth of it.
const patience = 60 * time.Second

// programs builds what the machines get, once.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tributary-service-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", dir, "../tributaryd", "../tributaryctl")
	build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	return dir, build.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil && code >= 0 {
		_ = os.RemoveAll(dir) // a temporary folder
	}
	os.Exit(code)
}

// computer is a machine with the programs in /usr/local/bin and an ordinary user, alice.
type computer struct {
	*machine.Machine
	t *testing.T
}

func boot(t *testing.T, name string) *computer {
	t.Helper()
	c := &computer{Machine: machinetest.Boot(t, name), t: t}
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"tributaryd", "tributaryctl"} {
		if err := c.Copy(t.Context(), filepath.Join(dir, program), "/usr/local/bin/"+program, "0755"); err != nil {
			t.Fatal(err)
		}
	}
	c.shell("useradd --create-home --shell /bin/bash alice")
	return c
}

// shell runs a script as root and returns what it prints.
func (c *computer) shell(script string) string {
	c.t.Helper()
	out, err := c.Shell(c.t.Context(), script)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// service runs `tributaryd service` as a script does, with standard input closed, and compares its exit code.
func (c *computer) service(user, words string, code string) string {
	c.t.Helper()
	out := c.shell("exec <&-; set +e; runuser -u " + user + " -- env -u XDG_RUNTIME_DIR HOME=$(getent passwd " + user +
		" | cut -d: -f6) tributaryd service " + words + " 2>&1; echo \"exit code $?\"")
	if !strings.HasSuffix(out, "exit code "+code) {
		c.t.Errorf("tributaryd service %s as %s: %s; want %s\n%s", words, user, out, code, c.journal())
	}
	return out
}

// signal sends a signal to the service's process. Process 0 would be the group of this test.
func (c *computer) signal(name string) {
	c.t.Helper()
	c.shell(`pid=$(systemctl show --value -p MainPID tributaryd); [ "$pid" -gt 1 ] || exit 9; kill -` + name + ` "$pid"`)
}

func (c *computer) journal() string {
	return c.shell("journalctl --no-pager -n 30 -u tributaryd -u 'user@*'; systemctl status --no-pager tributaryd || true")
}

// until waits until a script succeeds.
func (c *computer) until(what, script string) {
	c.t.Helper()
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) { // programs outside tell nobody
		_, err := c.Shell(c.t.Context(), script)
		if err == nil {
			return
		}
		if time.Since(start) > patience {
			c.t.Fatalf("waited in vain until %s: %v\n%s", what, err, c.journal())
		}
	}
}

// leftovers is whatever the service manager and the file system still know of the service.
func (c *computer) leftovers() string {
	return c.shell("pgrep -a tributaryd || true; systemctl --failed --no-legend --plain; systemctl list-units --all --no-legend --plain 'tributaryd*'" +
		"; systemctl list-unit-files --no-legend 'tributaryd*' || true; find /etc/systemd /home/alice /root -path '*/systemd/*' -name 'tributaryd*'")
}

const answers = "tributaryctl --socket /run/tributary/ctl.sock status"

// The whole life of a hand installation, each step twice: what is so already is no error.
func TestServiceOfTheSystem(t *testing.T) {
	t.Parallel()
	c := boot(t, "byhand")
	c.service("root", "status", "4")
	c.service("root", "stop", "4")
	c.service("root", "start", "4")
	c.service("root", "uninstall", "0")
	c.service("alice", "install", "77")
	for range 2 {
		c.service("root", "install", "0")
	}
	if out := c.service("alice", "status --json", "3"); !strings.Contains(out, `"state":"stopped"`) {
		t.Errorf("after install: %s", out)
	}
	for range 2 {
		c.service("root", "start", "0")
		c.shell(answers) // at once: start waits until it answers
	}
	if out := c.service("alice", "status", "0"); !strings.Contains(out, "tributaryd is running") {
		t.Errorf("after start: %s", out)
	}
	if owner := c.shell("ps -o user= -p $(systemctl show --value -p MainPID tributaryd)"); owner == "root" {
		t.Error("it runs as root")
	}

	c.signal("KILL")
	killed := time.Now()
	c.until("it answers again", answers)
	t.Logf("after kill -9 it answers again in %s", time.Since(killed).Round(time.Millisecond))

	// Another installation with other words takes hold with the next start.
	c.service("root", "install --log-level debug", "0")
	c.service("root", "restart", "0")
	c.shell("tr '\\0' ' ' </proc/$(systemctl show --value -p MainPID tributaryd)/cmdline | grep -q -- '--log-level debug'; " + answers)

	// One that takes its time to stop is said to be stopping.
	const slow = "/etc/systemd/system/tributaryd.service.d/slow.conf"
	c.shell("mkdir " + filepath.Dir(slow) + "; printf '[Service]\nExecStop=/bin/sleep 1000\n' >" + slow + "; systemctl daemon-reload; systemctl stop --no-block tributaryd")
	c.until("it stops", "systemctl show --value -p ActiveState tributaryd | grep -qx deactivating")
	if out := c.service("root", "status", "3"); !strings.Contains(out, "stopping") {
		t.Errorf("while it stops: %s", out)
	}
	c.shell("rm -r " + filepath.Dir(slow) + "; systemctl daemon-reload; systemctl kill -s KILL tributaryd")
	c.until("it has stopped", "! systemctl is-active tributaryd | grep -q deactivating")

	// A malformed policy is no reason to try again and again; uninstalling forgets the failure.
	c.shell("mkdir -p /etc/tributary/policy.d; echo '{' >/etc/tributary/policy.d/10.json")
	c.service("root", "start", "1")
	if out := c.service("root", "status", "3"); !strings.Contains(out, "failed") {
		t.Errorf("with a malformed policy: %s", out)
	}
	if again := c.shell("systemctl show --value -p NRestarts,ExecMainStatus tributaryd | sort | xargs"); again != "0 78" {
		t.Errorf("restarts and exit code are %s; want 0 and 78", again)
	}
	c.service("root", "stop", "0")
	c.shell("rm -r /etc/tributary")
	c.service("root", "start", "0")
	for range 2 {
		c.service("root", "uninstall", "0") // of a running one: the process goes too
	}
	if left := c.leftovers(); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// What an attempt left half done is mended, and what others have made is left alone.
func TestWhatWasThereBefore(t *testing.T) {
	t.Parallel()
	c := boot(t, "before")
	const unit = "/etc/systemd/system/tributaryd.service"
	c.shell(": >" + unit) // as an installation leaves it that is cut short
	c.service("root", "install", "0")
	c.service("root", "start", "0")
	c.shell("rm " + unit + "; systemctl daemon-reload") // an uninstallation that is cut short: the process lives on
	c.service("root", "uninstall", "0")
	if left := c.leftovers(); left != "" {
		t.Errorf("left behind: %s", left)
	}

	for path, says := range map[string]string{unit: "is not from", "/usr/lib/systemd/system/tributaryd.service": "a package has installed the service"} {
		c.shell("printf '[Service]\\nExecStart=/bin/sleep 1000\\n[Install]\\nWantedBy=multi-user.target\\n' >" + path + "; systemctl daemon-reload")
		before := c.shell("sha256sum " + path)
		for _, action := range []string{"install", "uninstall"} {
			if out := c.service("root", action, "1"); !strings.Contains(out, says) {
				t.Errorf("%s over %s: %s", action, path, out)
			}
		}
		c.service("root", "start", "0")
		c.service("root", "stop", "0")
		if c.shell("sha256sum "+path) != before {
			t.Errorf("%s has changed", path)
		}
		c.shell("rm " + path + "; systemctl daemon-reload; test ! -e " + unit)
	}
	c.shell("cp /usr/local/bin/tributaryd /root/")
	if out, err := c.Shell(t.Context(), "/root/tributaryd service install 2>&1"); err == nil || !strings.Contains(err.Error(), "move it to /usr/local/bin") {
		t.Errorf("a program in a home: %s, %v", out, err)
	}
}

// A user's service starts at login, and without a manager of theirs nothing is left.
func TestServiceOfAUser(t *testing.T) {
	t.Parallel()
	c := boot(t, "user")
	if out := c.service("root", "install --user", "1"); !strings.Contains(out, "tributaryd:") {
		t.Errorf("without a session: %s", out)
	}
	if left := c.leftovers(); left != "" {
		t.Errorf("left behind by an installation that failed: %s", left)
	}
	// Lingering is a login that starts with the machine and never ends.
	c.shell("loginctl enable-linger alice")
	c.until("alice's manager runs", "test -S /run/user/$(id -u alice)/systemd/private")
	for range 2 {
		c.service("alice", "install --user", "0")
		c.service("alice", "start --user", "0")
	}
	const alices = "runuser -u alice -- env XDG_RUNTIME_DIR=/run/user/$(id -u alice) tributaryctl --socket /run/user/$(id -u alice)/tributary/tributaryd.sock status"
	c.shell(alices)
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.until("it runs after alice's login", alices)
	c.service("alice", "status --user", "0")
	c.service("root", "status", "4")
	for range 2 {
		c.service("alice", "uninstall --user", "0")
	}
	if left := c.leftovers(); left != "" {
		t.Errorf("left behind: %s", left)
	}
}
