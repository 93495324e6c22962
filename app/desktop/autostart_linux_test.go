package desktop

import (
	"os"
	"path/filepath"
	"testing"
)

// The switch in the settings holds, whether or not a package starts the tray for everybody.
func TestStartAtLogin(t *testing.T) {
	for _, packaged := range []bool{false, true} {
		system, own := t.TempDir(), t.TempDir()
		t.Setenv("XDG_CONFIG_DIRS", system)
		t.Setenv("XDG_CONFIG_HOME", own)
		if packaged {
			entry := filepath.Join(system, "autostart", autostartName)
			if err := os.MkdirAll(filepath.Dir(entry), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(entry, []byte("[Desktop Entry]\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		program := filepath.Join(t.TempDir(), "tributary-tray")
		if err := os.WriteFile(program, nil, 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
		t.Setenv("PATH", filepath.Dir(program))
		var p Place
		if p.StartsAtLogin() != packaged {
			t.Errorf("packaged %t: at first it starts: %t", packaged, p.StartsAtLogin())
		}
		for _, on := range []bool{true, false, false, true, true, false} {
			if err := p.SetStartAtLogin(on); err != nil {
				t.Fatal(err)
			}
			if p.StartsAtLogin() != on {
				t.Errorf("packaged %t: set to %t, it starts: %t", packaged, on, p.StartsAtLogin())
			}
		}
	}
}
