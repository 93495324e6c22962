//go:build linux

package linux_test

import (
	"context"
	"fmt"
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

const (
	// patience bounds every wait for something that is not promised within a time; a loaded computer needs a tenth of it.
	patience = 90 * time.Second
	// answers is how long a service may take from the end of dpkg until it answers, and longestGap how long it may be away
	// after kill -9.
	answers    = 3 * time.Second
	longestGap = 5 * time.Second
	// slack is what a computer that is busy with other tests may take longer.
	slack = 10 * time.Second
)

const unit = "tributaryd.service"

// site is a machine with an ordinary user, alice, whose home is hers alone, and publishers whose certificates the
// machine trusts.
type site struct {
	*machine.Machine
	t   *testing.T
	ctx context.Context
}

func newSite(t *testing.T, name string) *site {
	t.Helper()
	t.Parallel()
	s := &site{Machine: machinetest.Boot(t, name), t: t, ctx: t.Context()}
	s.shell("useradd --create-home --shell /bin/bash alice; chmod 700 /home/alice")
	return s
}

// shell runs a script as root and returns what it prints.
func (s *site) shell(script string) string {
	s.t.Helper()
	out, err := s.Shell(s.ctx, script)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// as runs a program as a user and returns what it prints.
func (s *site) as(user string, words ...string) string {
	s.t.Helper()
	out, err := s.As(s.ctx, user, words[0], words[1:]...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// copy puts a file of this computer into the machine's /srv, where nothing is compared, and returns its path there.
func (s *site) copy(file string) string {
	s.t.Helper()
	to := "/srv/" + filepath.Base(file)
	if err := s.Copy(s.ctx, file, to, "0755"); err != nil {
		s.t.Fatal(err)
	}
	return to
}

// until waits until ok, and says what it waited for if that takes longer than limit.
func (s *site) until(limit time.Duration, what string, ok func() bool) time.Duration {
	s.t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			s.t.Fatalf("after %s still not: %s\n%s", limit, what, s.journal())
		}
		time.Sleep(20 * time.Millisecond) // a process outside tells nobody
	}
	return time.Since(start)
}

// untilAnswers waits until the service answers alice, and returns how long that took.
func (s *site) untilAnswers(limit time.Duration) time.Duration {
	s.t.Helper()
	var err error
	defer func() {
		if s.t.Failed() {
			s.t.Logf("alice was told: %v", err)
		}
	}()
	return s.until(limit, "the service answers an ordinary user", func() bool {
		_, err = s.As(s.ctx, "alice", "tributaryctl", "list")
		return err == nil
	})
}

// journal returns what the service said last.
func (s *site) journal() string {
	out, err := s.Shell(context.WithoutCancel(s.ctx), "journalctl --no-pager -n 40 -u "+unit+"; systemctl status --no-pager "+unit+" || true")
	return fmt.Sprint(out, err)
}

// show returns a property of the service's unit.
func (s *site) show(property string) string {
	s.t.Helper()
	return s.shell("systemctl show --value -p " + property + " " + unit)
}

// want compares a property of the service's unit.
func (s *site) want(property, value string) {
	s.t.Helper()
	if got := s.show(property); got != value {
		s.t.Errorf("%s of the service is %q; want %q\n%s", property, got, value, s.journal())
	}
}

// killService kills the service's process, and nothing else.
func (s *site) killService() {
	s.t.Helper()
	pid := s.show("MainPID")
	if pid == "0" {
		s.t.Fatalf("the service does not run\n%s", s.journal())
	}
	s.shell("kill -9 " + pid)
}

// Versions that are installed one after the other.
const (
	older = "0.1.0"
	newer = "0.1.1"
)

// built are the packages of the service in a format, by version: built once, however many tests ask.
var built = map[string]func() (string, error){
	"deb " + older: sync.OnceValues(func() (string, error) { return build("deb", older) }),
	"deb " + newer: sync.OnceValues(func() (string, error) { return build("deb", newer) }),
	"rpm " + older: sync.OnceValues(func() (string, error) { return build("rpm", older) }),
	"rpm " + newer: sync.OnceValues(func() (string, error) { return build("rpm", newer) }),
}

// packages is the folder for what these tests build; TestMain makes and removes it.
var packages string

func TestMain(m *testing.M) {
	var err error
	if packages, err = os.MkdirTemp("", "tributary-packages-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(packages) // a temporary folder
	os.Exit(code)
}

// build makes one package of the service, hardly compressed, and returns its path.
func build(format, version string) (string, error) {
	out := filepath.Join(packages, format+version)
	cmd := exec.Command("./build", "service")
	cmd.Env = append(os.Environ(), "OUT="+out, "FORMATS="+format, "VERSION="+version, "LEVEL=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the %s of %s: %w: %s", format, version, err, said)
	}
	made, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(made) != 1 {
		return "", fmt.Errorf("building the %s of %s made %q: %w", format, version, made, err)
	}
	return made[0], nil
}

// bring builds a package and returns its path in the machine.
func (s *site) bring(format, version string) string {
	s.t.Helper()
	file, err := built[format+" "+version]()
	if err != nil {
		s.t.Fatal(err)
	}
	return s.copy(file)
}

// files lists what an installation may change: all but users' files, logs, and the package manager's own records.
func (s *site) files() map[string]string {
	s.t.Helper()
	files, err := s.Files(s.ctx, "/srv", "/home", "/root", "/tmp", "/var/tmp", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/systemd/timers")
	if err != nil {
		s.t.Fatal(err)
	}
	for path := range files { // copies that the account tools make, and what keeps time
		if strings.HasPrefix(path, "/etc/") && strings.HasSuffix(path, "-") || path == "/etc/.pwd.lock" {
			delete(files, path)
		}
	}
	return files
}
