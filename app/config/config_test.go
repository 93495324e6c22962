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

func TestPolicyFolder(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "10-site.json"), filepath.Join(dir, "20-office.json")
	write(t, first, `{"settings": {"sharing": "lan", "upload_limit": 1000000}, "lock": ["upload_limit"]}`)
	write(t, second, `{"settings": {"sharing": "off"}, "lock": ["sharing", "proxy"]}`)
	write(t, filepath.Join(dir, "README"), `not a policy`)

	got, err := LoadPolicy(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if *got.Settings.Sharing != "off" || *got.Settings.UploadLimit != 1_000_000 || got.Settings.Dir != nil {
		t.Errorf("settings are %+v", got.Settings)
	}
	if diff := cmp.Diff(map[string]bool{"proxy": true, "sharing": true, "upload_limit": true}, got.Locked); diff != "" {
		t.Errorf("locked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"sharing": second, "proxy": second, "upload_limit": first}, got.Origin); diff != "" {
		t.Errorf("origin (-want +got):\n%s", diff)
	}
}

func TestPolicyFaultsNameFileAndLine(t *testing.T) {
	tests := []struct{ name, text, says string }{
		{"empty", "", ":1: EOF"},
		{"cut short", "{\n\"settings\": {", ":2: unexpected EOF"},
		{"a comma too many", "{\n \"settings\": {\n  \"sharing\": \"off\",\n }\n}", ":4: invalid character"},
		{"unknown part", "{\n\n\"setings\": {}}", `:3: unknown field "setings"`},
		{"unknown setting", "{\n\"settings\": {\n\"sharring\": \"off\"}}", `:3: there is no setting "sharring"`},
		{"another case", `{"settings": {"Sharing": "off"}}`, `:1: there is no setting "Sharing"`},
		{"wrong type", "{\n\"settings\": {\n\"upload_limit\": \"1M\"}}", ":3: upload_limit: string where a whole number belongs"},
		{"fraction", `{"settings": {"max_active": 1.5}}`, ":1: max_active: number 1.5 where a whole number belongs"},
		{"null", `{"settings": {"sharing": null}}`, ":1: sharing: null is no value"},
		{"bad value", "{\"settings\": {\n\"sharing\": \"wan\"}}", `:2: sharing: "wan" is not one of off, lan, on`},
		{"unknown lock", "{\"lock\": [\n\"shaaring\"]}", `:2: lock: there is no setting "shaaring"`},
		{"lock is no list", `{"lock": "sharing"}`, ":1: lock: string does not belong here"},
		{"two policies", "{}\n{}", ":2: more after the end"},
		{"a list", `[]`, "array does not belong here"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "p.json")
			write(t, path, tt.text)
			_, err := LoadPolicy(path, false)
			if err == nil || !strings.HasPrefix(err.Error(), path+":") || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("LoadPolicy() = %v; want %q in it", err, path+tt.says)
			}
		})
	}
}

func TestMissingPolicy(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	if p, err := LoadPolicy(missing, true); err != nil || p.Locked != nil {
		t.Errorf("LoadPolicy() of an optional folder = %+v, %v", p, err)
	}
	if _, err := LoadPolicy(missing, false); err == nil {
		t.Error("LoadPolicy() of a missing file that was asked for succeeds")
	}
	if _, err := LoadPolicy(os.DevNull, false); err == nil {
		t.Error("LoadPolicy() of a device succeeds")
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"settings": {"sharing": "off", "upload_limit": 1000000}, "lock": ["sharing"]}`))
	f.Add([]byte(`{"settings": {"sharing": null}}`))
	f.Add([]byte("{\n\"lock\": [1]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p := Policy{Locked: map[string]bool{}, Origin: map[string]string{}}
		if err := p.merge("p.json", text); err != nil {
			return
		}
		if _, err := p.Settings.Check(); err != nil {
			t.Errorf("a policy passes with a setting that does not: %v", err)
		}
	})
}

func TestFlags(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "")
	dir := t.TempDir()
	t.Chdir(dir)
	got, err := Flags{Data: "state", Socket: filepath.Join(dir, "s"), ListenPeers: ":4500", Control: "https://c.example/", LogLevel: "debug", Policy: dir}.Check()
	if err != nil {
		t.Fatal(err)
	}
	want := Daemon{Data: filepath.Join(dir, "state"), Socket: filepath.Join(dir, "s"), ListenPeers: ":4500", Control: "https://c.example",
		LogLevel: slog.LevelDebug, LogFile: filepath.Join(dir, "state", "tributaryd.log"), Policy: Policy{Locked: map[string]bool{}, Origin: map[string]string{}}}
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
		{Flags{Policy: filepath.Join(dir, "missing.json")}, "--policy: read the policy"},
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
