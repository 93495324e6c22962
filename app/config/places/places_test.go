package places

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlaces(t *testing.T) {
	tests := []struct {
		name, goos, home string
		env              map[string]string
		want             Places
	}{
		{"Linux without a session", "linux", "/home/ann", nil, Places{
			"/home/ann/.local/share/tributary", "/home/ann/.local/state/tributary/tributaryd.log",
			"/home/ann/.local/share/tributary/run/tributaryd.sock"}},
		{"Linux with XDG", "linux", "/home/ann", map[string]string{"XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/run/user/7"}, Places{
			"/d/tributary", "/s/tributary/tributaryd.log", "/run/user/7/tributary/tributaryd.sock"}},
		{"relative XDG is ignored", "linux", "/home/ann", map[string]string{"XDG_DATA_HOME": "d", "XDG_RUNTIME_DIR": "run"}, Places{
			"/home/ann/.local/share/tributary", "/home/ann/.local/state/tributary/tributaryd.log",
			"/home/ann/.local/share/tributary/run/tributaryd.sock"}},
		{"macOS", "darwin", "/Users/ann", nil, Places{
			"/Users/ann/Library/Application Support/Tributary", "/Users/ann/Library/Logs/Tributary/tributaryd.log",
			"/Users/ann/Library/Application Support/Tributary/run/tributaryd.sock"}},
		{"Windows", "windows", `C:\Users\ann`, map[string]string{"LocalAppData": `C:\Users\ann\AppData\Local`}, Places{
			filepath.Join(`C:\Users\ann\AppData\Local`, "Tributary"), filepath.Join(`C:\Users\ann\AppData\Local`, "Tributary", "tributaryd.log"),
			`\\.\pipe\tributary-S-1-5-21-7`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			uid := map[string]string{"windows": "S-1-5-21-7"}[tt.goos]
			got := placesOn(tt.goos, tt.home, uid, func(name string) string { return tt.env[name] })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("places (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMachinePlaces(t *testing.T) {
	tests := []struct {
		name, goos string
		env        map[string]string
		want       Places
	}{
		{"Linux", "linux", nil, Places{
			"/var/lib/tributary", "/var/lib/tributary/tributaryd.log", "/run/tributary/ctl.sock"}},
		{"systemd says where", "linux", map[string]string{"STATE_DIRECTORY": "/s:/t", "RUNTIME_DIRECTORY": "/r"}, Places{
			"/s", "/s/tributaryd.log", "/r/ctl.sock"}},
		{"macOS", "darwin", nil, Places{
			"/Library/Application Support/Tributary/state", "/Library/Logs/Tributary/tributaryd.log",
			"/Library/Application Support/Tributary/run/ctl.sock"}},
		{"Windows", "windows", map[string]string{"ProgramData": `D:\Shared`}, Places{
			filepath.Join(`D:\Shared`, "Tributary"), filepath.Join(`D:\Shared`, "Tributary", "tributaryd.log"),
			`\\.\pipe\tributary`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := machinePlacesOn(tt.goos, func(name string) string { return tt.env[name] })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("places (-want +got):\n%s", diff)
			}
		})
	}
}
