package publish

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWithdrawnObjectIsKnownButItsContentIsGone(t *testing.T) {
	dir, data := t.TempDir(), content(700_000)
	path := file(t, "a.bin", data)
	o := mustPublish(t, dir, path, options())
	other := mustPublish(t, dir, file(t, "b.bin", data), options())
	for range 2 { // the second time it changes nothing
		if err := Withdraw(dir, o); err != nil {
			t.Fatal(err)
		}
	}
	store := Open(dir)
	named, err := store.ByName("a.bin")
	if err != nil || named.ID != o.ID || named.Withdrawn.IsZero() {
		t.Errorf("withdrawn: %+v, %v", named, err)
	}
	if _, err := store.OpenContent(o.ID); !errors.Is(err, ErrWithdrawn) {
		t.Errorf("its content: %v; want ErrWithdrawn", err)
	}
	if _, err := os.Stat(filepath.Join(objectDir(dir, o.ID), contentFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its content on the disk: %v; want none", err)
	}
	f, err := store.OpenContent(other.ID)
	if !bytes.Equal(readAll(t, f, err), data) {
		t.Error("the same bytes under another name are not offered any more")
	}

	if again := mustPublish(t, dir, path, options()); again.ID != o.ID || !again.Withdrawn.IsZero() {
		t.Errorf("published again: %+v", again)
	}
	f, err = store.OpenContent(o.ID)
	if !bytes.Equal(readAll(t, f, err), data) {
		t.Error("published again, it has other content")
	}
	if named, err := store.ByName("a.bin"); err != nil || !named.Withdrawn.IsZero() {
		t.Errorf("published again: %+v, %v", named, err)
	}
	openTerms(t, store, o)
}

func TestFindTakesNamesAndIDs(t *testing.T) {
	dir := t.TempDir()
	replaced := mustPublish(t, dir, file(t, "a.bin", content(1000)), options())
	now := mustPublish(t, dir, file(t, "a.bin", content(1001)), options())
	store, id := Open(dir), replaced.ID.String()
	for what, want := range map[string]Object{"a.bin": now, id: replaced, id[:12]: replaced} {
		if o, err := store.Find(what); err != nil || o.ID != want.ID {
			t.Errorf("Find(%s) = %s, %v; want %s", what, o.ID, err, want.ID)
		}
	}
	for what, says := range map[string]string{
		"b.bin": "nothing was published under the name \"b.bin\"", id[:11]: "12 letters of it at least", "0123456789abc": "nothing was published under the name or ID",
	} {
		if _, err := store.Find(what); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Find(%s): %v; want %q", what, err, says)
		}
	}
}
