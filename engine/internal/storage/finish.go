package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// Identity returns what to remember of the object. After Close it holds what the next run compares.
func (o *Object) Identity() Identity {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.identityLocked()
}

func (o *Object) identityLocked() Identity {
	return Identity{
		Stage: o.stage, Dir: o.place.dir, Part: o.place.part, Name: o.place.name,
		Volume: o.volume, Files: slices.Clone(o.left),
	}
}

// Path returns where the object is, or will be.
func (o *Object) Path() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return filepath.Join(o.place.dir, o.place.name)
}

// Finish gives a verified object its final name and returns its path. First all is made durable; then
// renaming is called with an Identity that the caller stores, synced, before it returns; then the name
// is given, without replacing anything: if it was taken meanwhile, renaming is called again with
// another one. Store Identity afterwards, and it is complete. The object stays readable.
//
// A file that was handed to us ends with ErrOwnerNames, once all is durable and the name stored: its owner gives it,
// and the caller then stores an Identity with that name and StageComplete.
//
// Finish may be called again after an error, unless the object has failed, and does nothing when the
// object is complete. One call at a time.
func (o *Object) Finish(ctx context.Context, renaming func(Identity) error) (path string, err error) {
	if err := o.finish(ctx, renaming); err != nil {
		return "", fmt.Errorf("finish %s: %w", o.Path(), classify(err))
	}
	return o.Path(), nil
}

func (o *Object) finish(ctx context.Context, renaming func(Identity) error) error {
	if err := o.Err(); err != nil || o.Identity().Stage == StageComplete {
		return err
	}
	if p := o.Progress(); p.Pieces < 0 || p.Verified < p.Pieces {
		return ErrIncomplete
	}
	if err := o.flush(ctx); err != nil {
		return err
	}
	if p := o.Progress(); p.Durable < p.Pieces {
		return ErrIncomplete
	}
	// Files without pieces, and the length of a stream.
	for k := range o.geo.files() {
		if err := o.broke(o.files.sync(k, o.geo.fileLength(k))); err != nil {
			return err
		}
	}
	if err := o.look(); err != nil {
		return err
	}
	return o.rename(renaming)
}

// look records the files as they are now.
func (o *Object) look() error {
	left := make([]FileIdentity, o.geo.files())
	for k := range left {
		s, err := o.files.stat(k)
		if err != nil {
			return o.broke(err)
		}
		left[k] = FileIdentity{ID: s.id, Size: s.size, ModTime: s.modTime}
	}
	o.mu.Lock()
	o.left = left
	o.mu.Unlock()
	return nil
}

// rename looks for a free name, beginning with the one that was promised, and gives it.
func (o *Object) rename(renaming func(Identity) error) error {
	promised := o.place.name
	for n := 1; n <= maxTries; n++ {
		name := numbered(promised, n)
		free, err := o.place.free(name)
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		o.mu.Lock()
		o.place.name, o.stage = name, StageRenaming
		ident := o.identityLocked()
		o.mu.Unlock()
		if err := renaming(ident); err != nil {
			return err
		}
		err = o.files.move(func() error { return o.place.rename() }, o.place.opener(name, false))
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if errors.Is(err, ErrOwnerNames) {
			return err // all is durable, and the name was promised: nothing has failed
		}
		if err != nil { // which name it has is for Reopen to find out
			err = classify(err)
			o.fail(err)
			return err
		}
		return o.renamed()
	}
	return fmt.Errorf("%s and %d further names are taken: %w", promised, maxTries-1, fs.ErrExist)
}

// renamed brings the new name to the disk and makes sure that it is the same file.
func (o *Object) renamed() error {
	before := o.Identity().Files
	err := o.place.folder.Sync(".")
	if err == nil {
		err = o.look()
	}
	if err != nil {
		err = classify(err)
		o.fail(err)
		return err
	}
	for k, is := range o.Identity().Files {
		if is.ID != before[k].ID {
			err := fmt.Errorf("%w: it was exchanged while it was renamed", ErrTouched)
			o.fail(err)
			return err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stage, o.sealed = StageComplete, true
	return nil
}

// free reports whether nothing has a name, and no other download waits to have it.
func (p *place) free(name string) (bool, error) {
	taken, err := p.folder.Exists(name)
	if err == nil && !taken && name+partSuffix != p.part {
		taken, err = p.folder.Exists(name + partSuffix)
	}
	return !taken, err
}

// rename gives the final name. No file of the object is open.
func (p *place) rename() error {
	if err := p.closeInner(); err != nil {
		return err
	}
	err := p.folder.Rename(p.part, p.name)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	}
	now := p.name
	if err != nil {
		now = p.part
	}
	return errors.Join(err, p.openInner(now))
}

// recoverRename finds out which name the bytes have after a stop amid Finish.
func (p *place) recoverRename(ident Identity) (Stage, error) {
	// With the part still there, whatever has the final name is not ours; Finish looks for another.
	if there, err := p.folder.Exists(p.part); there || err != nil {
		return StagePart, err
	}
	there, err := p.folder.Exists(p.name)
	if err != nil || !there {
		return StageComplete, err
	}
	if p.layout.Files == nil && len(ident.Files) == 1 {
		f, err := p.folder.Open(p.name, false)
		if err != nil {
			return "", err
		}
		s, err := f.Stat()
		f.Close()
		if err != nil {
			return "", err
		}
		if !ident.Files[0].same(s, ident.Files[0].ID == "" || s.id == "") {
			return "", ErrMissing // another file with our name
		}
	}
	return StageComplete, p.folder.Sync(".")
}

// removePart deletes the part file, if it is the one that was made, or the part folder.
func (p *place) removePart(made []FileIdentity) error {
	if p.layout.Files == nil {
		f, err := p.opener(p.part, false)(0)
		if err != nil {
			return err
		}
		s, err := f.Stat()
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		if made[0].ID != s.id {
			return ErrMissing
		}
	}
	if err := p.folder.Remove(p.part); err != nil {
		return err
	}
	return p.folder.Sync(".")
}

// Close makes what is verified durable and closes the files. Afterwards Identity holds their sizes and
// times, for a clean stop. ctx bounds the wait for a disk that hangs; the files are closed in any case,
// if need be later.
func (o *Object) Close(ctx context.Context) error {
	err := o.Err()
	if errors.Is(err, ErrClosed) {
		return nil
	}
	if err == nil {
		err = o.flush(ctx)
	}
	known := err == nil // before: err changes below while a disk that hangs is still being closed
	done := make(chan error, 1)
	o.c.wg.Go(func() { done <- o.shut(known) })
	var shut error
	select {
	case shut = <-done:
	case <-ctx.Done():
		shut = ctx.Err()
	}
	if err = errors.Join(err, shut); err != nil {
		return fmt.Errorf("close %s: %w", o.Path(), classify(err))
	}
	return nil
}

// shut records how the files are left, if that is known, and closes them.
func (o *Object) shut(known bool) error {
	var err error
	if known {
		err = o.look()
	}
	o.mu.Lock()
	if !known || err != nil {
		for k := range o.left {
			o.left[k].ModTime = 0
			if o.touched {
				o.left[k].ModTime = neverAgrees
			}
		}
	}
	o.endLocked(ErrClosed)
	o.mu.Unlock()
	return errors.Join(err, o.files.close(), o.place.close())
}

// Discard closes an unfinished object and deletes its part file or folder, and nothing else.
func (o *Object) Discard() error {
	if o.Identity().Stage == StageComplete {
		return fmt.Errorf("discard %s: %w", o.Path(), ErrSealed)
	}
	o.mu.Lock()
	closed := errors.Is(o.err, ErrClosed)
	o.endLocked(ErrClosed)
	o.mu.Unlock()
	if closed {
		return fmt.Errorf("discard %s: %w", o.Path(), ErrClosed)
	}
	o.files.forget()
	err := errors.Join(o.files.close(), o.place.closeInner())
	if err == nil {
		err = o.place.removePart(o.Identity().Files)
	}
	err = errors.Join(err, o.place.folder.Close())
	if err != nil {
		return fmt.Errorf("discard %s: %w", o.Path(), classify(err))
	}
	return nil
}
