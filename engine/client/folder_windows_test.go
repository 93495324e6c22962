package client

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tributary-dl/tributary/engine/ownfile"
)

// The user's half of a download: an unfinished file that gets its name while the service, too, has it open, and never
// in place of another; and nothing but a name of this folder is taken.
func TestOwnFolder(t *testing.T) {
	dir, err := os.MkdirTemp("", "own") // Wine 8 cannot clear a t.TempDir away
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	folder, err := makeFolder(filepath.Join(dir, "new"))
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if err := os.WriteFile(filepath.Join(folder.path, "a.iso"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	part, err := folder.createPart("a.iso")
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	service, err := ownfile.Open(part.Name(), ownfile.Change)
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	if name, err := folder.giveName(part, filepath.Base(part.Name()), "a.iso"); name != "a (1).iso" || err != nil {
		t.Errorf("giveName() = %q, %v", name, err)
	}
	if err := folder.removeOwn("a (1).iso", 1); err == nil {
		t.Error("a file of another size is deleted")
	}
	if err := folder.removeOwn("a (1).iso", 0); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", `..\a.iso`, "a.iso:b", "a.iso.", "nul"} {
		if _, err := folder.openPart(name); err == nil || errors.Is(err, os.ErrNotExist) {
			t.Errorf("openPart(%q) = %v", name, err)
		}
	}
}
