package download

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
)

// A disk that fills up costs the user nothing but time: what is there stays, and the download goes on by itself.
func TestDiskFillsUp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	simulate(t, 16*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.set(func() { w.settings.Dir = dir })
		w.start(record(edgeURL))
		before := w.wait("half", half)
		ballast := filepath.Join(dir, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 24*mib), 0o600); err == nil {
			t.Fatal("the disk has room for more than it should")
		}
		s := w.wait("trouble", in(api.StateWaiting, api.StateComplete, api.StateFailed))
		if s.State != api.StateWaiting || s.Problem.Code != api.CodeDiskFull || s.Problem.RetryAt == nil {
			t.Fatalf("%s: %+v", s.State, s.Problem)
		}
		if s.VerifiedBytes < before.VerifiedBytes {
			t.Errorf("%d bytes were there, %d are", before.VerifiedBytes, s.VerifiedBytes)
		}
		var saved int
		w.set(func() { saved = w.saved })
		time.Sleep(time.Hour)
		w.set(func() { saved = w.saved - saved })
		if s := w.download.Snapshot(); s.State != api.StateWaiting || saved > 0 {
			t.Errorf("after an hour %s, and %d records written to say the same", s.State, saved)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		w.complete(t)
	})
}
