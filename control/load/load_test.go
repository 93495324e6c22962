package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/tributary-dl/tributary/control/internal/serve"
)

// started runs a control plane until the test ends or stop is called, and returns its base URL.
func started(t *testing.T, data, listen string) (base string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan serve.Ready, 1), make(chan error, 1)
	go func() {
		ended <- serve.Run(ctx, serve.Config{Data: data, Listen: listen, Log: slog.New(slog.DiscardHandler)},
			func(r serve.Ready) error { ready <- r; return nil })
	}()
	select {
	case r := <-ready:
		return r.Control, func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	case err := <-ended:
		cancel()
		t.Fatal(err)
		return "", nil
	}
}

// What is sent and counted is what the server sees: a crowd that did less would measure nothing.
func TestCrowdDoesWhatItSays(t *testing.T) {
	data := t.TempDir()
	base, stop := started(t, data, "127.0.0.1:0")
	in, commands := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(t.Context(), data, base, 3, in, out)
		out.CloseWithError(err)
		ended <- err
	}()
	decoder := json.NewDecoder(bufio.NewReader(answers))
	do := func(command string) (r result) {
		t.Helper()
		io.WriteString(commands, command+"\n")
		if err := decoder.Decode(&r); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		return r
	}
	const clients = 12
	if r := do("connect 12"); r.Count != clients || r.Failed != 0 {
		t.Errorf("connect: %+v", r)
	}
	if r := do("announce 3 2"); r.Count != 3*clients {
		t.Errorf("announce: %+v", r)
	}
	if r := do("lookup 1 0"); r.Count < clients || r.Introductions != 0 {
		t.Errorf("look-ups that want no peers: %+v", r)
	}
	stop()
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	_, stop = started(t, data, at.Host)
	defer stop()
	if r := do("await"); r.Count != clients {
		t.Errorf("await: %+v", r)
	}
	do("announce 3 3")
	if r := do("meet 1 2"); r.Count == 0 || r.Introductions == 0 || r.Signals == 0 {
		t.Errorf("meetings: %+v", r)
	}
	commands.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestBadCommands(t *testing.T) {
	for _, line := range []string{"", "dance", "connect many", "connect -1", "lookup 1 2 3"} {
		c := &crowd{}
		if r, err := c.obey(t.Context(), line); err == nil {
			t.Errorf("%q was obeyed: %+v", line, r)
		}
	}
	if err := run(t.Context(), t.TempDir(), "https://127.0.0.1:1", 1, strings.NewReader(""), io.Discard); err == nil {
		t.Error("a folder without a certificate was accepted")
	}
}
