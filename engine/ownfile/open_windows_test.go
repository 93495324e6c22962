package ownfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tributary-dl/tributary/engine/ownfile"
)

// A new file is made once, and is then there to change and to read; it can be renamed while it is open.
func TestOpenOwn(t *testing.T) {
	dir, err := os.MkdirTemp("", "own") // Wine 8 cannot clear a t.TempDir away
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a.bin")
	made, err := ownfile.Open(path, ownfile.Make)
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	if _, err := made.WriteAt([]byte("own"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := ownfile.Open(path, ownfile.Make); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file is made twice: %v", err)
	}
	if err := os.Rename(path, path+"2"); err != nil {
		t.Errorf("rename of an open file: %v", err)
	}
	for _, mode := range []ownfile.Mode{ownfile.Change, ownfile.Read} {
		f, err := ownfile.Open(path+"2", mode)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 3)
		if _, err := f.ReadAt(got, 0); err != nil || string(got) != "own" {
			t.Errorf("it reads %q, %v", got, err)
		}
		if _, err := f.WriteAt(got, 0); (err == nil) != (mode == ownfile.Change) {
			t.Errorf("writing in mode %d: %v", mode, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What is not plainly a file of the user's is refused, whoever names it.
func TestOpenRefuses(t *testing.T) {
	dir, err := os.MkdirTemp("", "own")
	if err != nil {
		t.Fatal(err)
	}
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	if err := os.WriteFile(one, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(one, two); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		one:                     "2 names",
		dir:                     "",
		`relative\file`:         "absolute path",
		`\file`:                 "absolute path",
		`\\.\pipe\tributary`:    "absolute path",
		`\\?\C:\windows\x`:      "absolute path",
		`\\?\GLOBALROOT\Device`: "absolute path",
		one + ":stream":         "colon",
		dir + `\missing`:        "",
	} {
		f, err := ownfile.Open(path, ownfile.Change)
		if f != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Open(%q) = %v, %v; want %q", path, f, err, says)
		}
	}
}
