package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/download"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// Keeper keeps copies of open files over a crash of this process, as systemd's file descriptor store does.
type Keeper interface {
	Keep(name string, f *os.File) error
	Drop(name string) error // all of that name; that there is none is no error
}

// Kept is a file that the keeper hands back to the next process.
type Kept struct {
	Name string
	File *os.File
}

// keptPrefix is before the ID of a download in the name of its kept file.
const keptPrefix = "download-"

// maxHanded is how many unfinished files of one user the service holds open: no user shall use up what is there for
// all. Of finished ones see mostOpen.
const maxHanded = 128

var errNoFile = &api.Error{Code: api.ErrNeedsFile, Message: "this service works for every user of the machine and opens no user's folder: " +
	"an open file must come with the request, as Tributary's own programs send it"}

// handover knows which files users have handed over.
type handover struct {
	keeper Keeper // nil: none
	log    *slog.Logger

	mu    sync.Mutex                 // held while the keeper is told, so that it hears of a file in order
	files map[string]*storage.Handed // by download
}

// AddFor is Add for a user of the machine, with the empty file r.Part in r.Dir that the user has opened. It takes file
// over, nil or not.
func (e *Engine) AddFor(ctx context.Context, owner string, file *os.File, r api.AddRequest) (_ api.Download, err error) {
	h, err := accept(file, owner, r.Part, false)
	if err != nil {
		return api.Download{}, err
	}
	id := newID()
	defer func() {
		if err != nil {
			e.handed.drop(id)
			err = errors.Join(err, h.Close())
		}
	}()
	if r.Dir == "" {
		return api.Download{}, &api.Error{Code: api.ErrInvalid, Message: "the folder of the file is missing"}
	}
	if _, err := e.handed.claim(id, h); err != nil {
		return api.Download{}, err
	}
	if !h.Empty() { // asked last: another download that the file is of may fill it
		return api.Download{}, &api.Error{Code: api.ErrInvalid, Message: "the file that was handed over is not empty"}
	}
	e.handed.keep(id, h)
	return e.add(ctx, id, r, h)
}

// Owner returns the user whose download it is, "" if all are this user's.
func (e *Engine) Owner(id string) (string, error) {
	d, err := e.find(id)
	if err != nil {
		return "", err
	}
	return d.Snapshot().Owner, nil
}

// Hand gives a download its file again, which its owner calls name: the unfinished one, or the finished one to be shared.
// It takes file over, nil or not.
func (e *Engine) Hand(ctx context.Context, id string, file *os.File, name string) error {
	return e.hand(id, file, name, false, func(d *download.Download, h *storage.Handed) error {
		err := d.Hand(ctx, h)
		if err == nil {
			e.handed.keep(id, h)
		}
		return err
	})
}

// Named tells that the owner has named the finished file, and brings the file as the proof. It takes file over, nil or
// not. Of a file that is finished the keeper has a copy already, or it need not have one.
func (e *Engine) Named(ctx context.Context, id string, file *os.File, name string) error {
	return e.hand(id, file, name, true, func(d *download.Download, h *storage.Handed) error { return d.Named(ctx, h) })
}

func (e *Engine) hand(id string, file *os.File, name string, named bool, give func(*download.Download, *storage.Handed) error) error {
	d, err := e.find(id)
	if err != nil {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
		return err
	}
	s := d.Snapshot()
	h, err := accept(file, s.Owner, name, named || s.State == api.StateComplete)
	if err != nil {
		return err
	}
	undo, err := e.handed.claim(id, h)
	if err == nil {
		if err = give(d, h); err != nil {
			undo()
		}
	}
	if err != nil {
		return errors.Join(err, h.Close())
	}
	e.look()
	return nil
}

func accept(file *os.File, owner, part string, finished bool) (*storage.Handed, error) {
	if file == nil {
		return nil, errNoFile
	}
	h, err := storage.Accept(file, owner, part, finished)
	if err != nil {
		return nil, &api.Error{Code: api.ErrInvalid, Message: err.Error()}
	}
	return h, nil
}

// claim makes sure that a file is used for one download alone. undo takes that back.
func (o *handover) claim(id string, h *storage.Handed) (undo func(), err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.files[id]
	count := 0
	for other, used := range o.files {
		if other != id && used.SameFile(h) {
			return nil, &api.Error{Code: api.ErrConflict, Message: "this file is that of download " + other}
		}
		if used.Owner() == h.Owner() && !used.Finished() {
			count++
		}
	}
	if before == nil && !h.Finished() && count >= maxHanded {
		return nil, &api.Error{Code: api.ErrConflict, Message: fmt.Sprintf("you have %d downloads that are not complete; wait for some, or remove them", count)}
	}
	o.files[id] = h
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if before == nil {
			delete(o.files, id)
		} else {
			o.files[id] = before
		}
	}, nil
}

// keep has a copy of the file kept, instead of any other of that download.
func (o *handover) keep(id string, h *storage.Handed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.keeper == nil || o.files[id] != h {
		return
	}
	o.tell(o.keeper.Drop(keptPrefix + id))
	o.tell(o.keeper.Keep(keptPrefix+id, h.File()))
}

// tell notes that the keeper did not hear us: after a crash the download waits for its owner, which is all.
func (o *handover) tell(err error) {
	if err != nil {
		o.log.Warn("a file that was handed over is not kept over a crash", "err", err)
	}
}

// drop forgets the file of a download.
func (o *handover) drop(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.files[id] == nil {
		return
	}
	delete(o.files, id)
	if o.keeper != nil {
		o.tell(o.keeper.Drop(keptPrefix + id))
	}
}

// sort tells whose the kept files are.
func (o *handover) sort(kept []Kept) map[string]*os.File {
	files := map[string]*os.File{}
	for _, k := range kept {
		id, ours := strings.CutPrefix(k.Name, keptPrefix)
		if !ours || files[id] != nil {
			o.log.Warn("the service manager kept a file that nobody knows", "name", k.Name)
			_ = k.File.Close() // it was opened to be kept, and nothing was written through it
			continue
		}
		files[id] = k.File
	}
	return files
}

// restore takes the file of a download out of those that were kept. What was good when it was handed over is checked
// again: its owner may have done anything to it since.
func (o *handover) restore(r download.Record, kept map[string]*os.File) *storage.Handed {
	file := kept[r.ID]
	if file == nil || r.Owner == "" {
		return nil
	}
	delete(kept, r.ID)
	h, err := storage.Accept(file, r.Owner, r.Part, r.Complete)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.log.Info("a kept file cannot be used any more", "download", r.ID, "err", err)
		o.tell(o.keeper.Drop(keptPrefix + r.ID))
		return nil
	}
	o.files[r.ID] = h
	return h
}

// dropAll gives back what belongs to no download.
func (o *handover) dropAll(kept map[string]*os.File) {
	for id, file := range kept {
		_ = file.Close() // see sort
		if o.keeper != nil {
			o.tell(o.keeper.Drop(keptPrefix + id))
		}
	}
}
