package pipe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/nettest"
	"golang.org/x/sys/windows"

	"github.com/tributary-dl/tributary/engine/pipe"
)

var pipes atomic.Int32

// listen makes a pipe that only this test knows, open to this user.
func listen(t *testing.T) *pipe.Listener {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf(`\\.\pipe\tributary-test-%d-%d`, os.Getpid(), pipes.Add(1))
	l, err := pipe.Listen(name, "D:P(A;;GA;;;SY)(A;;"+pipe.Connect+";;;WD)(A;;GA;;;"+me.Uid+")")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// connect returns both ends of one connection.
func connect(t *testing.T, l *pipe.Listener, trust pipe.Trust) (server *pipe.Conn, client net.Conn) {
	t.Helper()
	type accepted struct {
		net.Conn
		error
	}
	done := make(chan accepted, 1)
	go func() {
		c, err := l.Accept()
		done <- accepted{c, err}
	}()
	client, err := pipe.Dial(t.Context(), l.Addr().String(), trust)
	if err != nil {
		t.Fatal(err)
	}
	a := <-done
	if a.error != nil {
		t.Fatal(a.error)
	}
	t.Cleanup(func() { _, _ = client.Close(), a.Conn.Close() })
	return a.Conn.(*pipe.Conn), client
}

func TestConformsToNetConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		l := listen(t)
		server, client := connect(t, l, pipe.Identify)
		return server, client, func() { _, _, _ = server.Close(), client.Close(), l.Close() }, nil
	})
}

// A connection carries request after request: between two of them net/http ends a read by a deadline, and must
// recognise that deadline as its own.
func TestHTTPKeepsTheConnection(t *testing.T) {
	l := listen(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Millisecond) // lets the server begin to read ahead
		if r.Context().Err() != nil {
			t.Error("a request begins with its context ended")
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	var dials int
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		dials++
		return pipe.Dial(ctx, l.Addr().String(), pipe.Identify)
	}}}
	for range 20 {
		r, err := client.Get("http://pipe/")
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil || n != 100_000 {
			t.Fatalf("%d bytes, %v", n, err)
		}
		_ = r.Body.Close()
	}
	if dials != 1 {
		t.Errorf("20 requests needed %d connections", dials)
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve() = %v", err)
	}
}

func TestPeerIsTheUser(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	server, _ := connect(t, listen(t), pipe.Identify)
	peer, err := server.Peer()
	if err != nil || peer.SID != me.Uid {
		t.Errorf("Peer() = %+v, %v; want %s", peer, err, me.Uid)
	}
	if peer.Administrator != windows.GetCurrentProcessToken().IsElevated() {
		t.Errorf("Peer() says administrator: %v", peer.Administrator)
	}
}

// The service makes a file with the user's rights, and goes on without them.
func TestAsPeerMakesAFile(t *testing.T) {
	server, _ := connect(t, listen(t), pipe.Act)
	// Not in t.TempDir, which old Wines cannot clear.
	path := filepath.Join(os.TempDir(), fmt.Sprintf("tributary-test-%d", os.Getpid()))
	t.Cleanup(func() { _ = os.Remove(path) })
	var file *os.File
	err := server.AsPeer(func() (err error) {
		file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte("bytes"), 0); err != nil {
		t.Errorf("the handle is of no use afterwards: %v", err)
	}
	wrong := errors.New("wrong")
	if err := server.AsPeer(func() error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("AsPeer() = %v; want what it ran returned", err)
	}
}

func TestNameHasOneOwner(t *testing.T) {
	if err := windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find(); err == nil {
		t.Skip("Wine takes no notice of FILE_FLAG_FIRST_PIPE_INSTANCE")
	}
	l := listen(t)
	if second, err := pipe.Listen(l.Addr().String(), "D:P(A;;GA;;;WD)"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a second Listen() = %v, %v; want fs.ErrPermission", second, err)
	}
}

func TestListenReadsAccess(t *testing.T) {
	if _, err := pipe.Listen(`\\.\pipe\tributary-test-nonsense`, "D:(nonsense"); err == nil || !strings.Contains(err.Error(), "access list") {
		t.Errorf("Listen() with nonsense for access = %v", err)
	}
}

func TestDialWithoutServer(t *testing.T) {
	if _, err := pipe.Dial(t.Context(), `\\.\pipe\tributary-test-nobody`, pipe.Identify); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Dial() = %v; want fs.ErrNotExist", err)
	}
}

// With its one instance taken and nobody accepting, the pipe is busy: Dial waits, but not for ever.
func TestDialWaitsForABusyServer(t *testing.T) {
	l := listen(t)
	first, err := pipe.Dial(t.Context(), l.Addr().String(), pipe.Identify)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := pipe.Dial(ctx, l.Addr().String(), pipe.Identify); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial() = %v; want context.DeadlineExceeded", err)
	}
}

// Callers that hang up before they are accepted, as a probe does, must not stop the server.
func TestAcceptSurvivesCallersThatLeave(t *testing.T) {
	l := listen(t)
	first, err := pipe.Dial(t.Context(), l.Addr().String(), pipe.Identify)
	if err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	served := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				served <- err
				return
			}
			_, _ = io.WriteString(c, "hello")
			_ = c.Close()
		}
	}()
	c, err := pipe.Dial(t.Context(), l.Addr().String(), pipe.Identify)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if text, err := io.ReadAll(c); err != nil || string(text) != "hello" {
		t.Errorf("read %q, %v", text, err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept() after Close() = %v; want net.ErrClosed", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second Close() = %v; want net.ErrClosed", err)
	}
}
