//go:build linux

package machine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tributary-dl/tributary/installer/machine/machinetest"
)

func TestMachine(t *testing.T) {
	m := machinetest.Boot(t, "first")
	ctx := t.Context()
	if version := machinetest.Run(t, m, "systemctl", "--version"); !strings.HasPrefix(version, "systemd 252 ") {
		t.Errorf("%q; want systemd 252", version)
	}
	if name := machinetest.Run(t, m, "hostname"); name != "first" {
		t.Errorf("the machine is called %q", name)
	}
	// What the machine could do to the computer below it.
	if out, err := m.Shell(ctx, "echo 1 >/proc/sys/vm/swappiness"); err == nil {
		t.Errorf("the machine set a value of this computer's kernel: %s", out)
	}
	before, err := m.Files(ctx, "/var", "/run", "/tmp")
	if err != nil {
		t.Fatal(err)
	}
	if len(before) < 1000 || !strings.HasPrefix(before["/etc/passwd"], "f 644 0:0  ") {
		t.Errorf("%d files, /etc/passwd: %q", len(before), before["/etc/passwd"])
	}
	note := filepath.Join(t.TempDir(), "note")
	if err := os.WriteFile(note, []byte("kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Copy(ctx, note, "/srv/a/note", "0640"); err != nil {
		t.Fatal(err)
	}
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := m.Boot(ctx); err != nil {
		t.Fatal(err)
	}
	if text := machinetest.Run(t, m, "cat", "/srv/a/note"); text != "kept" {
		t.Errorf("after the power cut the file holds %q", text)
	}
	if err := m.Halt(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || strings.Contains(string(mounts), "machine-first") {
		t.Errorf("a mount is left: %v", err)
	}
}
