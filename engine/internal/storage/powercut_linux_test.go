package storage_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tributary-dl/tributary/engine/internal/storage"
	"github.com/tributary-dl/tributary/engine/internal/store"
)

func needRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a file system of its own")
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// mount mounts and, at the latest at the end of the test, unmounts.
func mount(t *testing.T, at string, args ...string) (unmount func()) {
	t.Helper()
	run(t, "mount", append(args, at)...)
	unmount = sync.OnceFunc(func() {
		if err := unix.Unmount(at, 0); err != nil {
			unix.Unmount(at, unix.MNT_DETACH)
			t.Errorf("unmount %s: %v", at, err)
		}
	})
	t.Cleanup(unmount)
	return unmount
}

// cutPower is EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: from now on nothing reaches the disk,
// and what the journal has not written is lost.
func cutPower(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	const shutdown, noLogFlush = 0x8004587d, 2
	return unix.IoctlSetPointerInt(int(f.Fd()), shutdown, noLogFlush)
}

// witness is a Marker that keeps which pieces were promised.
type witness struct {
	*store.Store
	mu       sync.Mutex
	promised map[int]bool
	first    chan struct{} // closed at the first promise
	once     sync.Once
}

func (w *witness) MarkDurable(marks map[string][]int) error {
	err := w.Store.MarkDurable(marks)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range marks["d"] {
		w.promised[i] = true
	}
	w.once.Do(func() { close(w.first) })
	return nil
}

// Each cut comes at another moment of a download. After it the database opens, it has all marks that
// were promised, and no piece is marked whose bytes are not there.
//
// A process that made itself a mount namespace meanwhile keeps what we unmounted alive, with its loop
// device. Mounting the same image again would then show the file system that was shut down; so each
// mount is of a new copy.
func TestPowerCut(t *testing.T) {
	needRoot(t)
	const cuts = 20
	images := t.TempDir()
	blank, before, after := filepath.Join(images, "blank"), filepath.Join(images, "before"), filepath.Join(images, "after")
	f, err := os.Create(blank)
	must(t, err)
	must(t, errors.Join(f.Truncate(64<<20), f.Close()))
	run(t, "mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", blank) // else each mount goes on with it
	rnd := rand.New(rand.NewPCG(7, 8))
	marked := 0
	for range cuts {
		disk := t.TempDir()
		dir := filepath.Join(disk, "cut")
		unmount := mountCopy(t, disk, blank, before)
		must(t, os.Mkdir(dir, 0o700))
		promised := downloadUntilCut(t, dir, disk, rnd)
		unmount()
		unmount = mountCopy(t, disk, before, after) // replays the journal
		marked += checkAfterCut(t, dir, promised)
		unmount()
	}
	if marked == 0 {
		t.Error("no piece was marked in any cut: the test shows nothing")
	}
	t.Logf("%d cuts, %d pieces were marked", cuts, marked)
}

// mountCopy mounts a copy of an image as a file, and so as a loop device, that nobody else can have.
func mountCopy(t *testing.T, at, image, copied string) (unmount func()) {
	t.Helper()
	run(t, "cp", "--remove-destination", "--reflink=auto", "--sparse=always", image, copied)
	return mount(t, at, "-o", "loop", copied)
}

const cutPieces = 512

func downloadUntilCut(t *testing.T, dir, disk string, rnd *rand.Rand) (promised map[int]bool) {
	t.Helper()
	db, err := store.Open(filepath.Join(dir, "state", "state.db"), discard())
	must(t, err)
	w := &witness{Store: db, promised: map[int]bool{}, first: make(chan struct{})}
	s := &session{db: db, c: storage.NewCommitter(storage.Config{Marker: w, Log: discard()})}
	defer s.end()
	s.o, err = s.c.Create(t.Context(), "d", dir, "file", storage.Layout{Length: cutPieces * pieceLength, PieceLength: pieceLength})
	must(t, err)
	must(t, s.remember(s.o.Identity()))

	var writers sync.WaitGroup
	for _, numbers := range [][]int{rnd.Perm(cutPieces), rnd.Perm(cutPieces)} {
		writers.Go(func() {
			for _, i := range numbers {
				if s.o.WritePiece(i, piece(i)) != nil {
					return // the power is gone
				}
			}
		})
	}
	<-w.first
	select {
	case <-time.After(time.Duration(rnd.IntN(80)) * time.Millisecond):
	case <-t.Context().Done():
	}
	must(t, cutPower(disk))
	writers.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.promised
}

func checkAfterCut(t *testing.T, dir string, promised map[int]bool) (marked int) {
	t.Helper()
	s, err := begin(dir, storage.Layout{Length: cutPieces * pieceLength, PieceLength: pieceLength})
	must(t, err)
	defer s.end()
	if moved := s.db.Recovered(); moved != "" {
		t.Errorf("the database was broken: %s", moved)
	}
	b := make([]byte, pieceLength)
	for i := range cutPieces {
		if promised[i] && !s.o.Durable(i) {
			t.Errorf("the mark of piece %d was lost", i)
		}
		if !s.o.Durable(i) {
			continue
		}
		marked++
		if _, err := s.o.ReadAt(b, i, 0); err != nil || !verify(i, b) {
			t.Errorf("piece %d is marked, but wrong (%v)", i, err)
		}
	}
	return marked
}

// A full disk is told as such, spoils nothing, and the download goes on when there is room.
func TestDiskFull(t *testing.T) {
	needRoot(t)
	disk := t.TempDir()
	mount(t, disk, "-t", "tmpfs", "-o", "size=4m", "tmpfs")
	db, err := store.Open(filepath.Join(t.TempDir(), "state.db"), discard())
	must(t, err)
	s := &session{db: db, c: storage.NewCommitter(storage.Config{Marker: db, Log: discard()})}
	defer s.end()

	tooMuch := storage.Layout{Length: 5 << 20, PieceLength: pieceLength}
	if _, err := s.c.Create(t.Context(), "d", disk, "file", tooMuch); !errors.Is(err, storage.ErrDiskFull) {
		t.Errorf("Create of 5 MiB on a disk of 4 = %v; want ErrDiskFull", err)
	}
	const pieces = 160
	s.o, err = s.c.Create(t.Context(), "d", disk, "file", storage.Layout{Length: pieces * pieceLength, PieceLength: pieceLength})
	must(t, err)
	// Somebody else takes the room.
	filler := filepath.Join(disk, "filler")
	must(t, os.WriteFile(filler, make([]byte, 3<<20), 0o600))
	i := 0
	for err == nil {
		if err = s.o.WritePiece(i, piece(i)); err == nil {
			i++
		}
	}
	if !errors.Is(err, storage.ErrDiskFull) {
		t.Errorf("WritePiece on a full disk = %v; want ErrDiskFull", err)
	}
	if err := storage.CheckSpace(disk, pieceLength); !errors.Is(err, storage.ErrDiskFull) {
		t.Errorf("CheckSpace = %v; want ErrDiskFull", err)
	}
	if s.o.Verified(i) || s.o.Err() != nil {
		t.Errorf("after a full disk: piece verified %v, object failed with %v", s.o.Verified(i), s.o.Err())
	}
	must(t, os.Remove(filler))
	must(t, storage.CheckSpace(disk, pieceLength))
	for ; i < pieces; i++ {
		must(t, s.o.WritePiece(i, piece(i)))
	}
	path, err := s.o.Finish(t.Context(), s.remember)
	must(t, err)
	got, err := os.ReadFile(path)
	must(t, err)
	for i := range pieces {
		if !verify(i, got[i*pieceLength:][:pieceLength]) {
			t.Errorf("piece %d is wrong", i)
		}
	}
}

// A disk that is not mounted any more is told from a file that was deleted.
func TestUnmountedDisk(t *testing.T) {
	needRoot(t)
	disk := t.TempDir()
	unmount := mount(t, disk, "-t", "tmpfs", "-o", "size=4m", "tmpfs")
	dir := filepath.Join(disk, "downloads")
	must(t, os.Mkdir(dir, 0o700))
	db, err := store.Open(filepath.Join(t.TempDir(), "state.db"), discard())
	must(t, err)
	s := &session{db: db, c: storage.NewCommitter(storage.Config{Marker: db, Log: discard()})}
	defer s.end()
	l := storage.Layout{Length: pieceLength, PieceLength: pieceLength}
	o, err := s.c.Create(t.Context(), "d", dir, "file", l)
	must(t, err)
	must(t, o.Close(t.Context()))
	ident := o.Identity()
	unmount()
	for name, prepare := range map[string]func() error{
		"folder gone":  func() error { return nil },
		"folder there": func() error { return os.MkdirAll(dir, 0o700) },
	} {
		must(t, prepare())
		if _, err := s.c.Reopen(t.Context(), "d", ident, l, nil, true); !errors.Is(err, storage.ErrVolumeLost) {
			t.Errorf("%s: Reopen = %v; want ErrVolumeLost", name, err)
		}
	}
}
