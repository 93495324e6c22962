package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// On a disk that is full to the last byte the ballast makes room for a change; without it a change
// fails, spoils nothing, and works again when there is room.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a file system of its own")
	}
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(disk, unix.MNT_DETACH)
	s := mustOpen(t, filepath.Join(disk, "state.db"))
	defer s.Close()
	fill := func() (remove func()) {
		filler := filepath.Join(disk, "filler")
		if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("filling the disk: %v; want ENOSPC", err)
		}
		return func() { os.Remove(filler) }
	}
	remove := fill()

	big := bytes.Repeat([]byte("x"), 300<<10)
	if err := s.PutDownload("a", big); err != nil {
		t.Fatalf("with the ballast: %v", err)
	}
	if _, err := os.Stat(s.ballast.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the ballast is still there: %v", err)
	}
	remove()
	remove = fill()
	if err := s.PutDownload("b", big); !isNoSpace(err) {
		t.Errorf("without the ballast: %v; want no space", err)
	}
	all, err := s.Downloads()
	if err != nil || len(all) != 1 || !bytes.Equal(all["a"], big) {
		t.Errorf("after a failed change: %d downloads, %v; want one", len(all), err)
	}
	s.ballast.restore(time.Now().Add(ballastPause))
	if s.ballast.there {
		t.Error("the ballast was made on a full disk")
	}
	remove()
	if err := s.PutDownload("b", big); err != nil {
		t.Errorf("with room again: %v", err)
	}
	s.ballast.restore(time.Now().Add(2 * ballastPause))
	if info, err := os.Stat(s.ballast.path); err != nil || info.Size() != ballastBytes {
		t.Errorf("the ballast was not made again: %v", err)
	}
}

// A database that went away with its disk is opened again when the disk is back.
func TestDiskComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := mustOpen(t, path)
	if err := s.PutDownload("a", nil); err != nil {
		t.Fatal(err)
	}
	// The file handle that bbolt writes through turns bad, and the path leads nowhere for a while.
	away := path + ".away"
	if err := errors.Join(os.Rename(path, away), os.Mkdir(path, 0o700), s.reopen()); err == nil {
		t.Fatal("a folder was opened as a database")
	}
	if err := s.PutDownload("b", nil); err == nil {
		t.Error("a change of a lost database passed")
	}
	if _, err := s.Downloads(); !errors.Is(err, errLost) {
		t.Errorf("Downloads = %v; want errLost", err)
	}
	if err := errors.Join(os.Remove(path), os.Rename(away, path)); err != nil {
		t.Fatal(err)
	}
	if err := s.PutDownload("b", nil); err != nil {
		t.Errorf("a change with the disk back: %v", err)
	}
	if all, err := s.Downloads(); err != nil || len(all) != 2 {
		t.Errorf("%d downloads, %v; want two", len(all), err)
	}
}
