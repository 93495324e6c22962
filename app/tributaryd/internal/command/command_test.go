package command

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/app/config"
	"github.com/tributary-dl/tributary/app/service"
	"github.com/tributary-dl/tributary/engine/client"
)

func TestUsageErrors(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		args []string
		says string
	}{
		{[]string{"start"}, `tributaryd does not know "start"`},
		{[]string{"run", "now"}, `tributaryd run does not know "now"`},
		{[]string{"run", "--frob"}, "unknown flag: --frob"},
		{[]string{"run", "--data", dir, "--control", "http://c.example"}, "--control:"},
		{[]string{"run", "--data", dir, "--log-level", "loud"}, "--log-level:"},
		{[]string{"help", "start"}, `there is no command "tributaryd start" to help with`},
		{[]string{"completion", "tcsh"}, `there is no completion for "tcsh"`},
		{[]string{"service"}, "service needs one of install"},
		{[]string{"service", "frob"}, `tributaryd service does not know "frob"`},
		{[]string{"service", "install", "--control", "c"}, "--control:"},
	}
	for _, tt := range tests {
		var out, err bytes.Buffer
		code := Main(t.Context(), tt.args, Streams{Out: &out, Err: &err})
		if code != service.ExitUsage || !strings.Contains(err.String(), tt.says) || out.Len() > 0 {
			t.Errorf("%q: exit %d, out %q, err %q; want exit 2 and %q", tt.args, code, out.String(), err.String(), tt.says)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, word := range []string{"version", "--version"} {
		var out bytes.Buffer
		if code := Main(t.Context(), []string{word}, Streams{Out: &out, Err: &out}); code != 0 || out.String() != "tributaryd "+config.Version()+"\n" {
			t.Errorf("%s: exit %d, %q", word, code, out.String())
		}
	}
}

// The installed service finds its places wherever it is started from.
func TestInstalledArgumentsAreAbsolute(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("p.json", []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := runArguments(config.Flags{Data: "d", Socket: "s", Policies: []string{"p.json"}, ListenPeers: ":4500", LogLevel: "debug"}, true)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"run", "--data", filepath.Join(dir, "d"), "--socket", filepath.Join(dir, "s"), "--log-file", filepath.Join(dir, "d", "tributaryd.log"),
		"--policy", filepath.Join(dir, "p.json"), "--listen-peers", ":4500", "--log-level", "debug"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

// Where the system's service lives, its service manager says.
func TestArgumentsOfTheSystemsService(t *testing.T) {
	got, err := runArguments(config.Flags{Control: "https://c.example"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"run", "--control", "https://c.example", "--machine"}, got); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	for name, flags := range map[string]config.Flags{"places": {Data: "d"}, "both kinds": {Machine: true}} {
		if _, err := runArguments(flags, name == "both kinds"); err == nil && (name != "places" || runtime.GOOS == "linux") {
			t.Errorf("%s are taken", name)
		}
	}
}

// The program answers once it has printed its line, refuses a second one, and stops when it is told to.
func TestRun(t *testing.T) {
	dir, err := os.MkdirTemp("", "tributary") // short enough for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(line, 1), make(chan int, 1)
	args := []string{"run", "--data", filepath.Join(dir, "d"), "--listen-peers", "127.0.0.1:0"}
	if os.PathSeparator == '/' {
		args = append(args, "--socket", filepath.Join(dir, "d", "socket"))
	}
	go func() { done <- Main(ctx, args, Streams{Out: ready, Err: t.Output()}) }()
	var answer struct{ Socket string }
	select {
	case code := <-done:
		t.Fatalf("it ends with %d before it is ready", code)
	case text := <-ready:
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
	}
	c := &client.Client{Socket: answer.Socket}
	status, err := c.Status(t.Context())
	if err != nil || status.DataDir != filepath.Join(dir, "d") {
		t.Errorf("Status() = %+v, %v", status, err)
	}
	if lines, err := c.Diagnostics(t.Context()); err != nil || len(lines) == 0 || !strings.Contains(lines[len(lines)-1], "msg=ready") {
		t.Errorf("Diagnostics() = %q, %v; want the log's last line", lines, err)
	}

	var complaint bytes.Buffer
	if code := Main(ctx, args, Streams{Out: &complaint, Err: &complaint}); code != service.ExitError || !strings.Contains(complaint.String(), "another tributaryd uses the data folder") {
		t.Errorf("a second one exits with %d and says %q", code, complaint.String())
	}
	stop()
	if code := <-done; code != 0 {
		t.Errorf("it ends with %d", code)
	}
}

// line takes what is printed in one piece.
type line chan string

func (l line) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}
