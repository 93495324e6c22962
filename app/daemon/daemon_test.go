package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tributary-dl/tributary/app/config"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

// configure returns the configuration of a service with all its places in a fresh folder.
func configure(t *testing.T) Config {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	return Config{
		Daemon:         config.Daemon{Data: data, Socket: localapitest.Socket(t), LogFile: filepath.Join(data, "d.log"), ListenPeers: "127.0.0.1:0"},
		NoSystemPolicy: true,
		Ready:          io.Discard,
	}
}

// stopWhenReady is a Ready that ends the service as soon as it runs.
type stopWhenReady struct{ stop func() }

func (s stopWhenReady) Write(b []byte) (int, error) {
	s.stop()
	return len(b), nil
}

func TestStartAndStopAgain(t *testing.T) {
	c := configure(t)
	for range 2 { // the second finds what the first left
		ctx, stop := context.WithCancel(t.Context())
		c.Ready = stopWhenReady{stop}
		if err := Run(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(c.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), "msg=ready") != 2 || strings.Count(string(text), "msg=stopped") != 2 || strings.Contains(string(text), "level=ERROR") {
		t.Errorf("the log is\n%s", text)
	}
}

func TestStartFaults(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, c *Config)
		says    string
	}{
		{"data folder in use", func(t *testing.T, c *Config) {
			if err := makePrivate(c.Data); err != nil {
				t.Fatal(err)
			}
			release, err := lockData(c.Data)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = release() })
		}, "another tributaryd uses the data folder"},
		{"socket in use", func(t *testing.T, c *Config) {
			c.Socket, _ = localapitest.Serve(t, localapitest.NewFake())
		}, "another tributaryd answers there"},
		{"data folder is a file", func(t *testing.T, c *Config) {
			c.Data = filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(c.Data, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "make the data folder"},
		{"malformed policy", func(t *testing.T, c *Config) {
			path := filepath.Join(t.TempDir(), "p.json")
			if err := os.WriteFile(path, []byte("{\"lock\": 1}"), 0o600); err != nil {
				t.Fatal(err)
			}
			c.Policies = []string{path}
		}, "p.json:1:10: lock: a number where a list"},
		{"nobody reads that it is ready", func(_ *testing.T, c *Config) { c.Ready = broken{} }, "say that the service is ready"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := configure(t)
			tt.prepare(t, &c)
			if err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Run() = %v; want %q in it", err, tt.says)
			}
		})
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// An open folder is closed if it is ours to close, and refused if it holds other people's things.
func TestDataFolderIsPrivate(t *testing.T) {
	if os.PathSeparator != '/' {
		return // Windows folders have no such mode
	}
	tests := []struct {
		name   string
		holds  string // a file in it
		closed bool
	}{{"empty", "", true}, {"ours", lockFile, true}, {"somebody's", "thesis.doc", false}}
	for _, tt := range tests {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if tt.holds != "" {
			if err := os.WriteFile(filepath.Join(dir, tt.holds), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := makePrivate(dir)
		info, statErr := os.Stat(dir)
		if statErr != nil {
			t.Fatal(statErr)
		}
		if closed := info.Mode().Perm() == 0o700; closed != tt.closed || (err == nil) != tt.closed {
			t.Errorf("%s: makePrivate() = %v, mode %v; want it closed: %v", tt.name, err, info.Mode(), tt.closed)
		}
	}
}

func TestCrashOfAnEarlierRunIsKept(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, crashFile), []byte("panic: boom"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if err := catchCrashes(dir, slog.New(slog.NewTextHandler(&said, nil))); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(dir, previousFile))
	if string(kept) != "panic: boom" || err != nil || !strings.Contains(said.String(), previousFile) {
		t.Errorf("the record is %q, %v; the log says %q", kept, err, said.String())
	}
}
