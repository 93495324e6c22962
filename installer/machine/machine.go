//go:build linux

// Package machine boots whole Linux systems, with a real systemd as their process 1, in namespaces of this computer, so
// that tests can install, upgrade and remove packages for real. A machine has its own processes, mounts, network, host name and
// control groups, and a file system that forgets. It must never change the computer that it runs on: what kills a
// machine's process 1 removes all of it but a folder and an empty control group, and Close removes those.
package machine

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed init.sh
var initScript string

const (
	bootTime = time.Minute           // a machine is up after 1.3 s when the computer is idle
	haltTime = 30 * time.Second      // what does not stop by then is killed
	pause    = 50 * time.Millisecond // between two looks at what nobody tells
)

// Supported says why machines cannot run here, or returns nil.
func Supported() error {
	if os.Geteuid() != 0 {
		return errors.New("a machine with systemd needs root, for namespaces and mounts")
	}
	for tool, pkg := range map[string]string{"mmdebstrap": "mmdebstrap", "unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("a machine with systemd needs the program %s (Debian package %s)", tool, pkg)
		}
	}
	if _, err := controlGroups(); err != nil {
		return err
	}
	return nil
}

// Machine is one system. It is off until Boot, and off again after Halt or Kill; what it has on its disk stays until Close.
type Machine struct {
	name   string
	base   string
	folder string // upper, work and root of the overlay, console
	group  string // its control group, from the computer's root

	unshare *exec.Cmd
	ended   chan struct{} // closed when unshare, and with it process 1, has ended
	init    int           // process 1, as the computer counts
}

// New makes a machine on a base tree. Its disk is a folder below scratch, which must not be on an overlay itself.
func New(name, base, scratch string) (*Machine, error) {
	folder, err := os.MkdirTemp(scratch, "machine-"+name+"-")
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(folder, dir), 0o755); err != nil { // the machine's users must get in
			return nil, err
		}
	}
	return &Machine{name: name, base: base, folder: folder}, nil
}

// Boot starts the machine and waits until systemd says that everything runs.
func (m *Machine) Boot(ctx context.Context) error {
	groups, err := controlGroups()
	if err != nil {
		return err
	}
	if m.group, err = os.MkdirTemp(groups, fmt.Sprintf("tributary-machine-%d-", os.Getpid())); err != nil {
		return fmt.Errorf("make a control group: %w", err)
	}
	if err := os.Chmod(m.group, 0o755); err != nil { // the machine's users must get in
		return errors.Join(err, os.Remove(m.group))
	}
	if err := m.start(); err != nil {
		return errors.Join(fmt.Errorf("boot %s: %w", m.name, err), m.clear())
	}
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	if err := m.waitUntilUp(ctx); err != nil {
		console, _ := os.ReadFile(m.console()) // without it the error must do
		return errors.Join(fmt.Errorf("boot %s: %w\n%s", m.name, err, console), m.Kill())
	}
	return nil
}

// start runs init.sh in new namespaces and finds out which process it is.
func (m *Machine) start() error {
	group, err := os.Open(m.group)
	if err != nil {
		return err
	}
	defer group.Close()
	console, err := os.Create(m.console())
	if err != nil {
		return err
	}
	defer console.Close()
	m.unshare = exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--net", "--cgroup", //nolint:noctx // Halt and Kill end it
		"sh", "-c", initScript)
	m.unshare.Env = append(os.Environ(), "NAME="+m.name, "LOWER="+m.base, "UPPER="+filepath.Join(m.folder, "upper"),
		"WORK="+filepath.Join(m.folder, "work"), "ROOT="+filepath.Join(m.folder, "root"))
	m.unshare.Stdout, m.unshare.Stderr = console, console
	m.unshare.SysProcAttr = &syscall.SysProcAttr{
		UseCgroupFD: true, CgroupFD: int(group.Fd()),
		Setsid:    true,
		Pdeathsig: syscall.SIGKILL, // a test that dies takes its machines along
	}
	if err := m.unshare.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	m.ended = ended
	go func() { // ends with the machine
		_ = m.unshare.Wait() // a machine is always killed, or says how it ended on its console
		close(ended)
	}()
	return m.findInit()
}

// findInit waits for the one child of unshare.
func (m *Machine) findInit() error {
	children := fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", m.unshare.Process.Pid)
	for deadline := time.Now().Add(bootTime); time.Now().Before(deadline); time.Sleep(pause) {
		text, err := os.ReadFile(children)
		if err != nil {
			return err
		}
		if m.init, err = strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return nil
		}
	}
	return errors.New("unshare has started nothing")
}

func (m *Machine) waitUntilUp(ctx context.Context) error {
	for {
		state, _ := m.Run(ctx, "systemctl", "is-system-running") // its exit code says the same
		switch state {
		case "running":
			return nil
		case "degraded":
			failed, err := m.Run(ctx, "systemctl", "--failed", "--no-legend", "--plain")
			return errors.Join(fmt.Errorf("these units have failed: %s", failed), err)
		}
		select {
		case <-m.ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return fmt.Errorf("systemd says %q: %w", state, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// Halt shuts the machine down in order.
func (m *Machine) Halt(ctx context.Context) error {
	if m.ended == nil {
		return nil
	}
	_, _ = m.Run(ctx, "systemctl", "poweroff") // it may end before it answers
	select {
	case <-m.ended:
		return m.clear()
	case <-time.After(haltTime):
		return errors.Join(fmt.Errorf("%s does not halt", m.name), m.Kill())
	}
}

// Kill cuts the power: every process ends at once, wherever it was. What was written stays, as the kernel of this computer
// still holds it.
func (m *Machine) Kill() error {
	if m.ended == nil {
		return nil
	}
	if m.init > 0 {
		if err := syscall.Kill(m.init, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill %s: %w", m.name, err)
		}
	}
	_ = m.unshare.Process.Kill() // it may have ended with its child
	<-m.ended
	return m.clear()
}

// clear removes the control groups of a machine that is off.
func (m *Machine) clear() error {
	m.ended, m.init = nil, 0
	var groups []string
	err := filepath.WalkDir(m.group, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Reverse(groups) // the innermost first
	for _, group := range groups {
		err = errors.Join(err, removeGroup(group))
	}
	return err
}

// removeGroup removes an empty control group; the kernel takes a moment to see that its last process is gone.
func removeGroup(group string) error {
	var err error
	for range 100 {
		if err = os.Remove(group); !errors.Is(err, syscall.EBUSY) {
			return err
		}
		time.Sleep(pause)
	}
	return err
}

// Close cuts the power if the machine is on, and removes its disk.
func (m *Machine) Close() error { return errors.Join(m.Kill(), os.RemoveAll(m.folder)) }

func (m *Machine) console() string { return filepath.Join(m.folder, "console") }

// controlGroups returns where the second version of control groups is mounted: alone, or beside the first.
func controlGroups() (string, error) {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[2] == "cgroup2" && !strings.HasPrefix(fields[3], "ro") {
			return fields[1], nil
		}
	}
	return "", errors.New("a machine with systemd needs a mount of cgroup2 that can be written")
}
