package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/engine/api"
)

func TestFullDiskWaitsForSpace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	w := newWorld(t)
	original, url := w.publish(32 * mib)
	u := w.user("carla")
	mountSmall(t, u.folder, 48*mib)
	ballast := filepath.Join(u.folder, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 32*mib), 0o600); err != nil {
		t.Fatal(err)
	}
	id := u.add(w.ctx, url)
	d := u.until(w.ctx, id, func(d api.Download) bool { return d.Problem != nil || fleet.Ended(d) })
	if d.State != api.StateWaiting || d.Problem == nil || d.Problem.Code != api.CodeDiskFull || d.Problem.Text == "" {
		t.Fatalf("on a full disk the download is %s with problem %+v; want waiting, and a sentence", d.State, d.Problem)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	u.completes(w.ctx, id, original)
}

// mountSmall puts a file system in memory over a folder.
func mountSmall(t *testing.T, folder string, size int64) {
	t.Helper()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatalf("mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		// Services that still hold files there are ended after this cleanup, so it is detached.
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", folder, err)
		}
	})
}
