package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseBytes(t *testing.T) {
	good := map[string]int64{
		"0": 0, "1": 1, "250000": 250_000, "500K": 500_000, "500k": 500_000, "10M": 10_000_000, "10MB": 10_000_000,
		"10 MB/s": 10_000_000, "10MiB": 10 << 20, "10Mi/s": 10 << 20, "1.5G": 1_500_000_000, "2T": 2e12, " 7 B ": 7,
		"0.5K": 500, "1.0001K": 1000, "9223372036854775807": 1<<63 - 1,
	}
	for text, want := range good {
		if got, err := ParseBytes(text); got != want || err != nil {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "M", "-1", "-1K", "ten", "10X", "10KK", "1e9", "1..5K", "0x10", "10i", "NaN", "Inf", "0.1", "9223372036854775808", "99999999T", "10M/h", "1,5M"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %d; want an error", text, got)
		}
	}
}

func FuzzParseBytes(f *testing.F) {
	for _, seed := range []string{"500K", "1.5 GiB/s", "-1", "9223372036854775807", "..", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := ParseBytes(text); err == nil && n < 0 {
			t.Errorf("ParseBytes(%q) = %d", text, n)
		}
	})
}

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
