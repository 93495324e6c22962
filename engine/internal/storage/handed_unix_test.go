//go:build unix

package storage

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// handOver opens a file as its owner would.
func handOver(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const size = 64 << 10 // of a piece

func me() string { return strconv.Itoa(os.Geteuid()) }

// Whoever hands a descriptor over may be hostile: what is not plainly a file of theirs that we may use is refused.
func TestAcceptRefuses(t *testing.T) {
	dir := t.TempDir()
	open := func(name string, flags int) *os.File {
		t.Helper()
		f, err := os.OpenFile(filepath.Join(dir, name), flags, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	handOver(t, filepath.Join(dir, "one")).Close()
	if err := os.Link(filepath.Join(dir, "one"), filepath.Join(dir, "two")); err != nil {
		t.Fatal(err)
	}
	handOver(t, filepath.Join(dir, "f")).Close()
	gone := handOver(t, filepath.Join(dir, "gone"))
	if err := os.Remove(gone.Name()); err != nil {
		t.Fatal(err)
	}
	pipe, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name        string
		f           *os.File
		owner, part string
		says        string
	}{
		{"a folder", open(".", os.O_RDONLY), me(), "p", "no regular file"},
		{"a fifo", open("fifo", os.O_RDWR), me(), "p", "no regular file"},
		{"a pipe", pipe, me(), "p", "no regular file"},
		{"a device", null, me(), "p", "no regular file"},
		{"another owner's", open("f", os.O_RDWR), "12345", "p", "belongs to uid"},
		{"read-only", open("f", os.O_RDONLY), me(), "p", "reading and writing"},
		{"write-only", open("f", os.O_WRONLY), me(), "p", "reading and writing"},
		{"append-only", open("f", os.O_RDWR|os.O_APPEND), me(), "p", "appended"},
		{"hard-linked", open("one", os.O_RDWR), me(), "p", "2 names"},
		{"deleted", gone, me(), "p", "0 names"},
		{"a name that leads elsewhere", open("f", os.O_RDWR), me(), "../p", "no file name"},
	}
	for _, tt := range tests {
		h, err := Accept(tt.f, tt.owner, tt.part, false)
		if h != nil || !errors.Is(err, ErrHanded) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: Accept() = %v, %v; want %q", tt.name, h, err, tt.says)
		}
		if tt.f.Close() == nil {
			t.Errorf("%s: the refused file stays open", tt.name)
		}
	}
	h, err := Accept(open("f", os.O_RDONLY), me(), "f", true)
	if err != nil {
		t.Fatalf("a finished file that is open for reading: %v", err)
	}
	_ = h.Close()
}

// A handed file goes through everything that a path goes through, and not one path is touched on the way: the folder
// that is told does not exist.
func TestHandedObject(t *testing.T) {
	const told = "/nowhere/in/particular"
	b := newBench(t)
	path := filepath.Join(b.dir, "part")
	h, err := Accept(handOver(t, path), me(), "part", false)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	l := Layout{Length: 3*size + 7, PieceLength: size}
	o, err := b.CreateHanded(t.Context(), "d", h, told, "final", l)
	if err != nil {
		t.Fatal(err)
	}
	if got := o.Path(); got != told+"/final" {
		t.Errorf("Path() = %s", got)
	}
	content := bytes.Repeat([]byte("tributary"), int(l.Length))[:l.Length]
	write := func(o *Object, i int) {
		t.Helper()
		if err := o.WritePiece(i, content[i*size:min(int(l.Length), (i+1)*size)]); err != nil {
			t.Fatal(err)
		}
	}
	write(o, 0)
	write(o, 3)
	if err := o.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	// The owner hands it over again, as after a restart of the machine.
	again, err := Accept(handOver(t, path), me(), "part", false)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !again.SameFile(h) || again.Empty() {
		t.Error("the file is not known again")
	}
	o, err = b.ReopenHanded(t.Context(), "d", again, o.Identity(), l, b.marks.of("d"), true)
	if err != nil {
		t.Fatal(err)
	}
	if p := o.Progress(); p.Verified != 2 || p.Durable != 2 {
		t.Errorf("after a clean stop it has %+v; want 2 durable pieces", p)
	}
	write(o, 1)
	write(o, 2)
	var promised Identity
	_, err = o.Finish(t.Context(), func(i Identity) error { promised = i; return nil })
	if !errors.Is(err, ErrOwnerNames) || promised.Stage != StageRenaming || promised.Name != "final" || promised.Part != "part" {
		t.Fatalf("Finish() = %v with %+v; want that the owner gives the name", err, promised)
	}
	if p := o.Progress(); o.Err() != nil || p.Durable != p.Pieces {
		t.Errorf("after Finish it has %+v, %v", p, o.Err())
	}
	if err := o.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, filepath.Join(b.dir, "final")); err != nil {
		t.Fatal(err)
	}
	done := o.Identity()
	done.Stage = StageComplete
	o, err = b.ReopenHanded(t.Context(), "d", again, done, l, b.marks.of("d"), true)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if _, err := o.ReadAt(got, 3, 0); err != nil || !bytes.Equal(got, content[3*size:]) {
		t.Errorf("ReadAt() of the finished file = %q, %v", got, err)
	}
	if err := o.WritePiece(0, content[:size]); !errors.Is(err, ErrSealed) && err != nil {
		t.Errorf("a finished file takes bytes: %v", err)
	}
}

// Discard frees the room and leaves the name to its owner; a new beginning finds the file empty.
func TestHandedDiscard(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.dir, "part")
	h, err := Accept(handOver(t, path), me(), "part", false)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	l := Layout{Length: 2 * size, PieceLength: size}
	for range 2 {
		o, err := b.CreateHanded(t.Context(), "d", h, b.dir, "final", l)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.WritePiece(0, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := o.Discard(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != 0 {
			t.Errorf("after Discard: %v, %v; want an empty file", info, err)
		}
	}
}

// A file that its owner changed, exchanged or deleted is never trusted.
func TestHandedFileChanges(t *testing.T) {
	l := Layout{Length: 2 * size, PieceLength: size}
	tests := []struct {
		name   string
		change func(t *testing.T, path string)
		has    int
		err    error
	}{
		{"as it was", func(*testing.T, string) {}, 2, nil},
		{"exchanged", func(t *testing.T, path string) {
			// Beside it, so that the file system cannot give it the same number.
			other := path + "2"
			if err := os.WriteFile(other, make([]byte, 2*size), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(other, path); err != nil {
				t.Fatal(err)
			}
		}, 0, nil},
		{"cut short", func(t *testing.T, path string) {
			if err := os.Truncate(path, size); err != nil {
				t.Fatal(err)
			}
		}, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			path := filepath.Join(b.dir, "part")
			h, err := Accept(handOver(t, path), me(), "part", false)
			if err != nil {
				t.Fatal(err)
			}
			o, err := b.CreateHanded(t.Context(), "d", h, b.dir, "final", l)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				if err := o.WritePiece(i, bytes.Repeat([]byte{1}, size)); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(o.Close(t.Context()), h.Close()); err != nil {
				t.Fatal(err)
			}
			tt.change(t, path)
			h, err = Accept(handOver(t, path), me(), "part", false)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			o, err = b.ReopenHanded(t.Context(), "d", h, o.Identity(), l, b.marks.of("d"), false)
			if !errors.Is(err, tt.err) {
				t.Fatalf("ReopenHanded() = %v; want %v", err, tt.err)
			}
			if p := o.Progress(); p.Verified != tt.has {
				t.Errorf("%d pieces are trusted; want %d", p.Verified, tt.has)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			ident := o.Identity()
			_ = o.Close(t.Context())
			if _, err := b.ReopenHanded(t.Context(), "d", h, ident, l, nil, false); !errors.Is(err, ErrMissing) {
				t.Errorf("ReopenHanded() of a deleted file = %v; want ErrMissing", err)
			}
		})
	}
}
