package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFlags(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "")
	dir := t.TempDir()
	t.Chdir(dir)
	got, err := Flags{Data: "state", Socket: filepath.Join(dir, "s"), ListenPeers: ":4500", Control: "https://c.example/", LogLevel: "debug", Policies: []string{"p.json", dir}}.Check()
	if err != nil {
		t.Fatal(err)
	}
	want := Daemon{Data: filepath.Join(dir, "state"), Socket: filepath.Join(dir, "s"), ListenPeers: ":4500", Control: "https://c.example",
		LogLevel: slog.LevelDebug, LogFile: filepath.Join(dir, "state", "tributaryd.log"), Policies: []string{filepath.Join(dir, "p.json"), dir}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Check() (-want +got):\n%s", diff)
	}
}

func TestFlagFaults(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "no.pem"), "hello")
	tests := []struct {
		flags Flags
		says  string
	}{
		{Flags{CA: filepath.Join(dir, "no.pem")}, "--ca: " + filepath.Join(dir, "no.pem") + " holds no certificate"},
		{Flags{CA: filepath.Join(dir, "missing.pem")}, "--ca: open"},
		{Flags{Control: "http://c.example"}, "--control: \"http://c.example\": a control plane is spoken to over https only"},
		{Flags{Control: "c.example"}, "--control: \"c.example\" is not a URL with a host"},
		{Flags{Control: "https://user@c.example"}, "--control: the URL of a control plane has no user"},
		{Flags{ListenPeers: "localhost:1"}, "--listen-peers: \"localhost:1\" is not ADDR:PORT"},
		{Flags{ListenPeers: "4500"}, "--listen-peers:"},
		{Flags{LogLevel: "loud"}, "--log-level: \"loud\" is not one of"},
	}
	for _, tt := range tests {
		tt.flags.Data, tt.flags.Socket = dir, filepath.Join(dir, "s")
		if _, err := tt.flags.Check(); err == nil || !strings.HasPrefix(err.Error(), tt.says) {
			t.Errorf("Check() = %v; want %q", err, tt.says)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
