package manager

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// notifications is a manager's socket and what arrived at it.
func notifications(t *testing.T) (Manager, func() (message string, files []int)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return Manager{socket: path}, func() (string, []int) {
		t.Helper()
		if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b, oob := make([]byte, 1024), make([]byte, 256)
		n, rights, _, _, err := l.ReadMsgUnix(b, oob)
		if err != nil {
			t.Fatal(err)
		}
		var files []int
		messages, err := syscall.ParseSocketControlMessage(oob[:rights])
		for _, m := range messages {
			fds, _ := syscall.ParseUnixRights(&m)
			files = append(files, fds...)
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n]), files
	}
}

func TestMessages(t *testing.T) {
	m, next := notifications(t)
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, call := range []func() error{m.Ready, func() error { return m.Keep("d-1", f) }, func() error { return m.Drop("d-1") }, m.Stopping} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	var files []int
	for range 4 {
		message, with := next()
		got, files = append(got, message), append(files, with...)
	}
	want := []string{"READY=1", "FDSTORE=1\nFDPOLL=0\nFDNAME=d-1", "FDSTOREREMOVE=1\nFDNAME=d-1", "STOPPING=1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if len(files) != 1 {
		t.Fatalf("%d files arrived; want one", len(files))
	}
	copied := os.NewFile(uintptr(files[0]), "copy")
	defer copied.Close()
	ours, err := f.Stat()
	theirs, otherErr := copied.Stat()
	if err != nil || otherErr != nil || !os.SameFile(ours, theirs) {
		t.Errorf("another file arrived: %v, %v", err, otherErr)
	}
}

func TestWithoutAManager(t *testing.T) {
	var none Manager
	if none.Ready() != nil || none.Keep("d", nil) != nil || none.Drop("d") != nil || none.Stopping() != nil {
		t.Error("a call fails although there is nobody to tell")
	}
	gone := Manager{socket: filepath.Join(t.TempDir(), "gone")}
	if gone.Ready() == nil {
		t.Error("nobody listens, and that is no error")
	}
}

// What is not meant for this process, or makes no sense, is left alone.
func TestInheritedNonsense(t *testing.T) {
	me := strconv.Itoa(os.Getpid())
	for _, tt := range [][3]string{{"", "", ""}, {"1", "1", "a"}, {me, "", ""}, {me, "-1", ""}, {me, "x", "a"}, {me, "99999999", "a"}} {
		if got := inherited(tt[0], tt[1], tt[2]); len(got) > 0 {
			t.Errorf("inherited(%q) = %d files", tt, len(got))
		}
	}
}
