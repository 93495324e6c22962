package download

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// disk opens the file of one download, by its path or as it was handed over. It is a copy that a worker may use.
type disk struct {
	Config
	id     string
	handed *storage.Handed // nil: by its path
}

func (a *actor) disk() disk { return disk{a.cfg, a.rec.ID, a.handed} }

func (d disk) reopen(ctx context.Context, ident storage.Identity, l storage.Layout, durable storage.Bitmap, clean bool) (*storage.Object, error) {
	if d.handed != nil {
		return d.Disk.ReopenHanded(ctx, d.id, d.handed, ident, l, durable, clean)
	}
	return d.Disk.Reopen(ctx, d.id, ident, l, durable, clean)
}

// createFile makes the part file, or begins anew with the one that was handed over.
func (d disk) createFile(ctx context.Context, dir, name string, l storage.Layout) (*storage.Object, error) {
	// Marks of an earlier file would make a later run take holes of this one for durable pieces.
	if err := d.Marks.ClearDurable(d.id, nil); err != nil {
		return nil, err
	}
	if d.handed != nil {
		return d.Disk.CreateHanded(ctx, d.id, d.handed, dir, name, l)
	}
	if err := d.Disk.Ask(ctx, dir, func() error { return makeFolder(dir) }); err != nil {
		return nil, err
	}
	return d.Disk.Create(ctx, d.id, dir, name, l)
}

// checkSpace returns storage.ErrDiskFull if there is no room for need more bytes in dir, or where the file is that was handed over.
func (d disk) checkSpace(ctx context.Context, dir string, need int64) error {
	if d.handed != nil { // what folder another user calls so is none of ours
		return d.Disk.Ask(ctx, d.id, func() error { return d.handed.CheckSpace(need) })
	}
	return d.Disk.Ask(ctx, dir, func() error { return storage.CheckSpace(dir, need) })
}

func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("%w: %w", storage.ErrFolder, err)
	}
	return nil
}

// reopenFile opens the part file of an earlier run and hashes what cannot be trusted; verify is nil if there are no
// hashes.
func (d disk) reopenFile(ctx context.Context, r *Record, l storage.Layout, verify func(int, []byte) bool) (*storage.Object, error) {
	durable, err := d.Marks.Durable(d.id)
	if err != nil {
		return nil, err
	}
	file, err := d.reopen(ctx, *r.File, l, durable, d.CleanBoot)
	if err != nil || verify == nil {
		return file, err
	}
	doubtful, err := file.Doubtful()
	if err == nil && r.Suspect {
		for i := range file.Progress().Pieces {
			if file.Verified(i) {
				doubtful = append(doubtful, i)
			}
		}
	}
	if err == nil {
		_, err = file.Recheck(ctx, doubtful, verify)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(context.WithoutCancel(ctx)))
	}
	return file, nil
}

// openFinished opens a finished file if it is what it was when it was finished.
func (d disk) openFinished(ctx context.Context, ident storage.Identity, l storage.Layout) (*storage.Object, error) {
	durable, err := d.Marks.Durable(d.id)
	if err != nil {
		return nil, err
	}
	file, err := d.reopen(ctx, ident, l, durable, true)
	if err != nil {
		return nil, err
	}
	if p := file.Progress(); p.Verified < p.Pieces {
		return nil, errors.Join(storage.ErrTouched, file.Close(ctx))
	}
	return file, nil
}
