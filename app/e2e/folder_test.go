package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

func TestExistingFileIsNeverOverwritten(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(2 * mib)
	u := w.user("carla")
	mine := filepath.Join(u.folder, "file.bin")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := u.completes(w.ctx, u.add(w.ctx, url), original)
	if d.Path == mine || filepath.Dir(d.Path) != u.folder {
		t.Errorf("the file is at %s; want another name in %s", d.Path, u.folder)
	}
	if got, err := os.ReadFile(mine); err != nil || string(got) != "mine" {
		t.Errorf("the user's file now holds %d bytes, %v; want it untouched", len(got), err)
	}
	if names := filesIn(t, u.folder); len(names) != 2 {
		t.Errorf("the folder holds %q; want two files", names)
	}
}
