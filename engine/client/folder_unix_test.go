//go:build unix

package client

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tributary-dl/tributary/engine/api"
)

// flips is how often the adversary exchanges what is in our way, in each of the cases.
const flips = 10_000

// fastFolder is in memory where there is such a folder: on a disk ten thousand renames take a minute.
func fastFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tributary-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Somebody who may write where the user downloads to exchanges names for links, as fast as they can. Not a byte and not
// a name goes to where the links lead.
func TestNothingIsWrittenThroughLinks(t *testing.T) {
	tests := []struct {
		name string
		// flip puts something in our way and takes it away again.
		flip func(shared, outside string)
		// use does as the client does.
		use func(t *testing.T, shared string)
	}{
		{"the unfinished file becomes a link", func(shared, outside string) {
			path := filepath.Join(shared, "f"+partSuffix)
			_ = os.Symlink(filepath.Join(outside, "victim"), path)
			_ = os.Remove(path)
		}, createAndWrite},
		{"the folder becomes a link", func(shared, outside string) {
			_ = os.Rename(shared, shared+".away")
			_ = os.Symlink(outside, shared)
			_ = os.Remove(shared)
			_ = os.Rename(shared+".away", shared)
		}, createAndWrite},
		{"the final name becomes a link", func(shared, outside string) {
			path := filepath.Join(shared, "final")
			_ = os.Symlink(filepath.Join(outside, "victim"), path)
			_ = os.Remove(path)
		}, createAndName},
		{"what is handed over again becomes a link", func(shared, outside string) {
			path := filepath.Join(shared, "again"+partSuffix)
			_ = os.Symlink(filepath.Join(outside, "precious"+partSuffix), path)
			_ = os.Remove(path)
		}, openAgain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, err := filepath.EvalSymlinks(fastFolder(t))
			if err != nil {
				t.Fatal(err)
			}
			shared, outside := filepath.Join(base, "shared"), filepath.Join(base, "outside")
			precious := filepath.Join(outside, "precious"+partSuffix)
			if err := errors.Join(os.Mkdir(shared, 0o700), os.Mkdir(outside, 0o700), os.WriteFile(precious, []byte("precious"), 0o600)); err != nil {
				t.Fatal(err)
			}
			var stop atomic.Bool
			var adversary sync.WaitGroup
			adversary.Go(func() {
				for n := 0; n < flips || !stop.Load(); n++ {
					tt.flip(shared, outside)
				}
			})
			const uses = 100
			for range uses {
				tt.use(t, shared)
			}
			stop.Store(true)
			adversary.Wait()
			entries, err := os.ReadDir(outside)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(precious)
			if len(entries) != 1 || err != nil || string(text) != "precious" {
				t.Errorf("outside there is %v, and the precious file holds %q, %v", entries, text, err)
			}
		})
	}
}

func createAndWrite(_ *testing.T, shared string) {
	folder, err := openFolder(shared)
	if err != nil {
		return // the adversary was faster, and that is all they get
	}
	defer folder.Close()
	file, err := folder.createPart("f")
	if err != nil {
		return
	}
	defer file.Close()
	_, _ = file.WriteString("payload")
	_ = folder.remove(filepath.Base(file.Name()))
}

func createAndName(t *testing.T, shared string) {
	folder, err := openFolder(shared)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	file, err := folder.createPart("f")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_, _ = file.WriteString("payload")
	name, err := folder.giveName(file, filepath.Base(file.Name()), "final")
	if err != nil {
		return // who may write there may also delete or exchange what has just been named, and that is noticed
	}
	_ = folder.remove(name)
}

func openAgain(t *testing.T, shared string) {
	folder, err := openFolder(shared)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if file, err := folder.openPart("again" + partSuffix); err == nil {
		t.Error("a file was opened through a link")
		_, _ = file.WriteString("payload")
		_ = file.Close()
	}
}

// A taken name is never replaced, and what is no plain file of ours is never opened.
func TestOwnFolder(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	real := filepath.Join(dir, "real")
	if err := errors.Join(os.Mkdir(real, 0o700), os.Symlink(real, filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	folder, err := makeFolder(filepath.Join(dir, "link"))
	if err != nil || folder.path != real {
		t.Fatalf("makeFolder() of a link = %v, %v; want %s", folder, err, real)
	}
	defer folder.Close()
	if _, err := openFolder(filepath.Join(dir, "link")); err == nil {
		t.Error("openFolder() follows a link")
	}
	for _, want := range []string{"a.tar.gz", "a (1).tar.gz", "a (2).tar.gz"} {
		part, err := folder.createPart("x")
		if err != nil {
			t.Fatal(err)
		}
		if info, err := part.Stat(); err != nil || info.Mode() != 0o600 {
			t.Errorf("the unfinished file has the mode %v, %v", info.Mode(), err)
		}
		name, err := folder.giveName(part, filepath.Base(part.Name()), "a.tar.gz")
		if err != nil || name != want {
			t.Errorf("giveName() = %q, %v; want %q", name, err, want)
		}
		_ = part.Close()
	}
	if err := errors.Join(os.Link(filepath.Join(real, "a.tar.gz"), filepath.Join(real, "second")), os.Symlink("a.tar.gz", filepath.Join(real, "soft"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"second", "soft", ".", "..", "../real/a (1).tar.gz/x"} {
		if f, err := folder.openFinished(name); err == nil {
			t.Errorf("%s is opened as %s", name, f.Name())
		}
	}
}

// The service is trusted with bytes, not with the user's folders.
func TestErrandsThatAreRefused(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id_ed25519", "letter.txt", "f" + partSuffix} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []api.Errand{
		{Kind: api.ErrandHand, Dir: dir, Part: "id_ed25519"},
		{Kind: api.ErrandHand, Dir: "relative", Part: "f" + partSuffix},
		{Kind: api.ErrandName, Dir: dir, Part: "id_ed25519", Name: "x"},
		{Kind: api.ErrandName, Dir: dir, Part: "f" + partSuffix, Name: ".bashrc"},
		{Kind: api.ErrandName, Dir: dir, Part: "f" + partSuffix, Name: "../f"},
		{Kind: api.ErrandName, Dir: dir, Part: "f" + partSuffix, Name: ""},
		{Kind: api.ErrandName, Dir: dir, Part: "f" + partSuffix, Name: "a\x1b[2Jb"},
		{Kind: api.ErrandName, Dir: dir, Part: "gone" + partSuffix, Name: "letter.txt"},
		{Kind: api.ErrandShare, Dir: dir, Part: "gone" + partSuffix, Name: "letter.txt"},
		{Kind: api.ErrandShare, Dir: dir, Part: "gone" + partSuffix, Name: "../letter.txt"},
		{Kind: api.ErrandShare, Dir: dir, Part: "gone" + partSuffix, Name: "missing.txt"},
	}
	for _, e := range tests {
		c := &Client{Socket: filepath.Join(dir, "nobody")}
		if err := c.runErrand(t.Context(), "d1", e); err == nil || errors.Is(err, ErrUnreachable) {
			t.Errorf("%+v: %v; want that it is refused before the service is called", e, err)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"https://a.example/f.iso", "https://a.example/%2e%2e/", "https://a.example/a%2fb%00", "::", "https://h/" + strings.Repeat("é", 300)} {
		f.Add(seed, "")
	}
	f.Add("", ".profile")
	f.Fuzz(func(t *testing.T, link, out string) {
		stem := stemOf(api.AddRequest{URL: link, Out: out})
		if stem == "" || len(stem) > longestStem || acceptable(numbered(stem, 7)) != nil {
			t.Errorf("stemOf(%q, %q) = %q", link, out, stem)
		}
	})
}
