//go:build unix

package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// Somebody who may write where this user downloads to exchanges names for links, as fast as they can. Not a byte and not a
// name goes to where the links lead. (Which folder is meant, the user has said: links above it are theirs.)
func TestNothingIsWrittenThroughLinks(t *testing.T) {
	const flips, uses = 10_000, 50
	for _, name := range []string{"f" + partSuffix, "f", "d" + partSuffix, "d"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if dir, err := os.MkdirTemp("/dev/shm", "tributary-"); err == nil { // on a disk ten thousand renames take a minute
				t.Cleanup(func() { _ = os.RemoveAll(dir) })
				b.dir = dir
			}
			shared, outside := filepath.Join(b.dir, "shared"), filepath.Join(b.dir, "outside")
			precious := filepath.Join(outside, "precious")
			must(t, os.Mkdir(shared, 0o700), os.Mkdir(outside, 0o700), os.WriteFile(precious, []byte("precious"), 0o600))
			path := filepath.Join(shared, name)
			var stop atomic.Bool
			var adversary sync.WaitGroup
			adversary.Go(func() {
				for n := 0; n < flips || !stop.Load(); n++ {
					_ = os.Rename(path, path+".away")
					_ = os.Symlink([]string{precious, outside}[n%2], path)
					_ = os.Remove(path)
				}
			})
			for use := range uses {
				useFolder(t, b, fmt.Sprint(use), shared)
			}
			stop.Store(true)
			adversary.Wait()
			entries, err := os.ReadDir(outside)
			must(t, err)
			if text, err := os.ReadFile(precious); len(entries) != 1 || err != nil || string(text) != "precious" {
				t.Errorf("outside there is %v, and the precious file holds %q, %v", entries, text, err)
			}
		})
	}
}

// useFolder leads a file and a folder through their lives. Whatever fails may fail: the names are not ours alone.
func useFolder(t *testing.T, b *bench, id, dir string) {
	for name, l := range map[string]Layout{"f": {Length: 25, PieceLength: 10}, "d": three} {
		o, err := b.Create(t.Context(), id+name, dir, name, l)
		if err != nil {
			continue
		}
		data := content(l.Length)
		for i := range o.geo.pieces() {
			err = errors.Join(err, o.WritePiece(i, pieceOf(o, data, i)))
		}
		_, finishErr := o.Finish(t.Context(), noHook)
		ident := o.Identity()
		_ = errors.Join(err, finishErr, o.Close(context.WithoutCancel(t.Context())))
		if again, err := b.Reopen(t.Context(), id+name, ident, l, b.marks.of(id+name), false); err == nil {
			_ = again.WritePiece(0, pieceOf(again, data, 0))
			_ = again.Discard()
		}
	}
}
