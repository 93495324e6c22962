package localapi_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/localapi"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

// A caller may send descriptors with anything, as many as they like: none stays open when their connection has ended.
func TestNoDescriptorLeaks(t *testing.T) {
	socket := localapitest.Socket(t)
	l, err := localapi.ListenMachine(socket)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	server := localapi.ForMachine(localapitest.NewFake(api.Detail{Download: api.Download{ID: "d1"}}), slog.New(slog.DiscardHandler))
	go func() { done <- server.Serve(ctx, l) }()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	must(t, err)
	defer f.Close()
	before := openFiles(t)
	for n := range 200 {
		c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
		must(t, err)
		rights := syscall.UnixRights(slicesOf(int(f.Fd()), 1+n%20)...)
		request := fmt.Sprintf("GET /v1/status HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", api.LocalHost)
		for _, part := range []string{request[:7], request[7:]} { // some come with each half
			_, _, err = c.WriteMsgUnix([]byte(part), rights, nil)
			must(t, err)
		}
		_, _ = io.Copy(io.Discard, c)
		must(t, c.Close())
	}
	cancel()
	must(t, <-done)
	// The listener and its poller are gone too, so there may be fewer.
	for deadline := time.Now().Add(10 * time.Second); openFiles(t) > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d files are open; before there were %d", openFiles(t), before)
		}
	}
}

func slicesOf(fd, n int) (fds []int) {
	for range n {
		fds = append(fds, fd)
	}
	return fds
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}
