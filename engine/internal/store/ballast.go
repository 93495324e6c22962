package store

import (
	"crypto/rand"
	"os"
	"time"
)

// ballastBytes is enough for several transactions on a disk that is otherwise full.
const ballastBytes = 1 << 20

// ballastPause keeps a nearly full disk from seeing a try at every change.
const ballastPause = time.Minute

// ballast is a file that only takes room. It is deleted when the disk is full, so that the state
// change that says so can still be written, and made again when there is room.
type ballast struct {
	path  string
	there bool
	tried time.Time // when it was last tried to make it
}

// restore makes the file if it is missing and the last try is long enough ago. That it cannot be
// made is no error: it is tried again.
func (b *ballast) restore(now time.Time) {
	if b.there || (!b.tried.IsZero() && now.Sub(b.tried) < ballastPause) {
		return
	}
	b.tried = now
	if info, err := os.Lstat(b.path); err == nil && info.Size() == ballastBytes {
		b.there = true
		return
	}
	// Random, because some file systems store zeros in no room at all.
	filler := make([]byte, ballastBytes)
	rand.Read(filler)
	if err := writeSynced(b.path, filler); err != nil {
		os.Remove(b.path) // the part that was written would only take room
		return
	}
	b.there = true
}

// drop gives the room back and reports whether there was any.
func (b *ballast) drop() bool {
	b.there = false
	b.tried = time.Now()
	return os.Remove(b.path) == nil
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}
