package localapitest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/tributary-dl/tributary/engine/localapi"
)

// Socket returns a name for a socket or pipe that is free, short enough, and in a folder of its own.
func Socket(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tributary")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if runtime.GOOS == "windows" {
		return `\\.\pipe\` + filepath.Base(dir)
	}
	return filepath.Join(dir, "run", "d.sock")
}

// Serve answers for s at a socket until the test ends, and returns the socket and a function that stops it sooner.
func Serve(t testing.TB, s localapi.Service) (socket string, stop func()) {
	t.Helper()
	socket = Socket(t)
	l, err := localapi.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	server := localapi.New(s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	go func() { done <- server.Serve(ctx, l) }()
	var stopped bool
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(fmt.Errorf("Serve: %w", err))
		}
	}
	t.Cleanup(stop)
	return socket, stop
}
