package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// reserve is left free on a disk, but never more than a twentieth of it.
const reserve = 256 << 20

// CheckSpace returns ErrDiskFull if the volume of dir cannot take need more bytes and keep a reserve.
// A download that waits for room asks this from time to time.
func CheckSpace(dir string, need int64) error {
	f, err := openFolder(dir)
	if err != nil {
		return fmt.Errorf("free space of %s: %w", dir, classify(err))
	}
	defer f.Close()
	v, err := f.Volume()
	if err != nil {
		return fmt.Errorf("free space of %s: %w", dir, classify(err))
	}
	return checkSpace(v, need)
}

func checkSpace(v volume, need int64) error {
	if keep := min(reserve, v.total/20); need > v.free-keep {
		return fmt.Errorf("%w: %d bytes needed, %d free and %d of them kept free", ErrDiskFull, need, v.free, keep)
	}
	return nil
}

// Create makes a part file (or folder) for a new download in dir, an absolute path that exists. It
// never opens what is there: if name or its part is taken, it uses "name (2)" and so on. The caller
// stores Identity before it writes, so that the part can be found again.
func (c *Committer) Create(ctx context.Context, id, dir, name string, l Layout) (*Object, error) {
	return c.create(ctx, id, &place{dir: dir}, name, l)
}

func (c *Committer) create(ctx context.Context, id string, p *place, name string, l Layout) (*Object, error) {
	p.layout = l
	o, err := c.opens(ctx, id, p, func(reached func()) (*Object, error) { return c.createAt(id, p, name, l, reached) }, (*Object).Discard)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", filepath.Join(p.dir, name), classify(err))
	}
	return o, nil
}

func (c *Committer) createAt(id string, p *place, name string, l Layout, reached func()) (*Object, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	if err := checkComponent(name); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(p.dir) {
		return nil, fmt.Errorf("%q is no absolute path", p.dir)
	}
	now := name
	if p.handed != nil {
		now = p.handed.part
	}
	if err := p.open(c.open, now); err != nil {
		return nil, err
	}
	v, err := p.folder.Volume()
	reached()
	if err == nil {
		err = checkSpace(v, l.Length)
	}
	if err == nil {
		err = p.create(name)
	}
	if err != nil {
		_ = p.close() // err says what matters
		return nil, err
	}
	o := c.newObject(id, p, StagePart, v)
	o.left = p.made
	return o, nil
}

func (c *Committer) newObject(id string, p *place, stage Stage, v volume) *Object {
	key := v.id
	if key == "" {
		key = p.dir
	}
	if p.handed != nil { // no disk that a user lets hang keeps another's downloads waiting
		key = p.handed.owner + " " + key
	}
	geo := newGeometry(p.layout)
	name, write := p.part, true
	if stage == StageComplete {
		name, write = p.name, false
	}
	o := &Object{
		id: id, c: c, lane: c.lane(key), geo: geo, place: p, volume: v.id, stage: stage,
		sealed: !write, hurry: make(chan struct{}),
	}
	o.files = newFiles(geo.files(), p.opener(name, write), &o.lane.backlog)
	if o.sealed { // Finish flushed the files; here they are open for reading only
		for k := range o.files.list {
			o.files.list[k].synced.Store(true)
		}
	}
	return o
}

// Reopen opens what an earlier run, or an object that failed, left. durable is what the Marker has;
// clean says that the run ended by Close and ident is from after that.
//
// After an unclean stop the durable pieces are trusted if the file is the same one: that is what the
// order of flush and mark is for. After a clean stop size and time must agree too. Pieces that are
// not trusted lose their mark at once, and are among Doubtful. A stop amid Finish is sorted out; look
// at Identity().Stage. The layout of a stream has the length that was set, -1 before.
//
// The error is ErrVolumeLost if the disk is not there, ErrMissing if the file is not.
func (c *Committer) Reopen(ctx context.Context, id string, ident Identity, l Layout, durable Bitmap, clean bool) (*Object, error) {
	return c.reopen(ctx, id, nil, ident, l, durable, clean)
}

func (c *Committer) reopen(ctx context.Context, id string, h *Handed, ident Identity, l Layout, durable Bitmap, clean bool) (*Object, error) {
	p := &place{dir: ident.Dir, handed: h, part: ident.Part, name: ident.Name, layout: l}
	o, err := c.opens(ctx, id, p, func(reached func()) (*Object, error) {
		return c.reopenPlace(id, p, ident, durable, clean, reached)
	}, func(o *Object) error { return o.Close(context.WithoutCancel(ctx)) })
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Join(ident.Dir, ident.Part), classify(err))
	}
	return o, nil
}

func (c *Committer) reopenPlace(id string, p *place, ident Identity, durable Bitmap, clean bool, reached func()) (*Object, error) {
	if err := p.layout.validate(); err != nil {
		return nil, err
	}
	for _, name := range []string{ident.Part, ident.Name} {
		if err := checkComponent(name); err != nil {
			return nil, err
		}
	}
	now := ident.Part
	if ident.Stage == StageComplete {
		now = ident.Name
	}
	err := p.open(c.open, now)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.gone(ident)
	}
	if err != nil {
		return nil, err
	}
	o, err := c.reopenAt(id, p, ident, durable, clean, reached)
	if err != nil {
		_ = p.close() // err says what matters
		return nil, err
	}
	return o, nil
}

func (c *Committer) reopenAt(id string, p *place, ident Identity, durable Bitmap, clean bool, reached func()) (*Object, error) {
	v, err := p.folder.Volume()
	reached()
	if err != nil {
		return nil, err
	}
	stage := ident.Stage
	if stage == StageRenaming {
		if stage, err = p.recoverRename(ident); err != nil {
			return nil, err
		}
	}
	name := p.part
	if stage == StageComplete {
		name = p.name
	}
	there, err := p.folder.Exists(name)
	if err != nil {
		return nil, err
	}
	if !there && p.handed != nil {
		return nil, ErrMissing
	}
	if !there {
		return nil, c.gone(ident)
	}
	if err := p.openInner(name); err != nil {
		return nil, err
	}
	o := c.newObject(id, p, stage, v)
	if err := o.trust(ident, durable, clean || stage == StageComplete); err != nil {
		_ = o.files.close() // err says what matters
		return nil, err
	}
	return o, nil
}

// gone tells a file that was deleted from a disk that was unplugged: then the folder, or the nearest
// one above it that exists, is on another volume.
func (c *Committer) gone(ident Identity) error {
	for dir := ident.Dir; ; dir = filepath.Dir(dir) {
		if f, err := c.open(dir); err == nil {
			v, err := f.Volume()
			f.Close()
			if err == nil && ident.Volume != "" && v.id != "" && v.id != ident.Volume {
				return ErrVolumeLost
			}
			return ErrMissing
		}
		if dir == filepath.Dir(dir) {
			return ErrVolumeLost
		}
	}
}

// trust takes over the durable pieces of the files that are as they were left.
func (o *Object) trust(ident Identity, durable Bitmap, exact bool) error {
	sameVolume := ident.Volume == "" || o.volume == "" || ident.Volume == o.volume
	reach := make([]int64, o.geo.files()) // how far each file is trusted
	for k := range reach {
		var remembered *FileIdentity
		if sameVolume && k < len(ident.Files) {
			remembered = &ident.Files[k]
		}
		var err error
		if reach[k], err = o.inspect(k, remembered, exact); err != nil {
			return err
		}
	}
	var lost []int
	for _, i := range durable.all() {
		if o.checkPiece(i) != nil {
			lost = append(lost, i)
			continue
		}
		file, at, length := o.geo.at(i)
		if at+length > reach[file] {
			o.suspect.set(i)
			lost = append(lost, i)
			continue
		}
		o.verified.set(i)
		o.durable.set(i)
		o.verifiedBytes += length
		o.verifiedCount++
	}
	o.durableBytes, o.durableCount = o.verifiedBytes, o.verifiedCount
	if len(lost) == 0 {
		return nil
	}
	// At once: after another crash the marks would be trusted.
	return o.c.marker.ClearDurable(o.id, lost)
}

// inspect returns how far file k can be trusted, and makes an unfinished one as long as it must be.
// remembered is nil if nothing of it is.
func (o *Object) inspect(k int, remembered *FileIdentity, exact bool) (reach int64, err error) {
	s, err := o.files.stat(k)
	if errors.Is(err, fs.ErrNotExist) && !o.sealed && o.geo.layout.Files != nil {
		// A power cut soon after Create; none of its pieces can be durable, or it was deleted.
		if s, err = o.place.makeFile(o.place.inner, o.place.path(k), o.geo.fileLength(k)); err == nil {
			remembered = nil
		}
	}
	if err != nil {
		return 0, err
	}
	o.left = append(o.left, FileIdentity{ID: s.id, Size: s.size})
	if o.sealed {
		o.left[k].ModTime = s.modTime
	}
	length := o.geo.fileLength(k)
	if length >= 0 && s.size != length {
		remembered = nil
		if !o.sealed {
			if err := o.files.truncate(k, length); err != nil {
				return 0, err
			}
		}
	}
	if remembered == nil || !remembered.same(s, exact) {
		return 0, nil
	}
	return s.size, nil
}
