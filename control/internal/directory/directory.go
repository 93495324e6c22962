// Package directory knows which devices that are online hold which object. All of it is soft state in
// memory: what is not announced again expires, and a restart begins a new epoch in which the clients
// list everything once more. It must never do I/O or read a clock; times come from the caller.
//
// An object's holders stand in lines, one for each network, so that a look-up costs the same whether the
// object has ten holders or a million: it looks at the asker's own line first and at the heads of some
// others. Whoever is picked goes to the end of his line.
package directory

import (
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
)

// shardCount spreads the locks; a power of two.
const shardCount = 64

// Directory is safe for concurrent use.
type Directory struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

type shard struct {
	mu      sync.Mutex // guards the map and everything reachable from it, entries included
	objects map[protocol.ContentID]*object
}

// New returns an empty directory.
func New() *Directory {
	d := &Directory{seed: maphash.MakeSeed()}
	for i := range d.shards {
		d.shards[i].objects = make(map[protocol.ContentID]*object)
	}
	return d
}

func (d *Directory) shard(content protocol.ContentID) *shard {
	return &d.shards[maphash.Comparable(d.seed, content)%shardCount]
}

// Announce puts the holder into the line of the object until expires, or refreshes what stands there. It reports whether the holder
// has something to give now and had not before.
func (d *Directory) Announce(h *Holder, content protocol.ContentID, percent uint8, expires time.Time) (begins bool) {
	s := d.shard(content)
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := h.find(content)
	if known && !h.held[at].gone {
		begins = h.held[at].percent == 0 && percent > 0
		h.held[at].percent, h.held[at].expires = percent, seconds(expires)
		return begins
	}
	o := s.objects[content]
	if o == nil {
		o = &object{content: content}
		s.objects[content] = o
	}
	e := &entry{holder: h, object: o, percent: percent, expires: seconds(expires)}
	o.add(e)
	if known {
		h.held[at] = e
	} else {
		h.held = slices.Insert(h.held, at, e)
	}
	return percent > 0
}

// Withdraw takes the holder out of the line of the object, if it stands there.
func (d *Directory) Withdraw(h *Holder, content protocol.ContentID) {
	at, known := h.find(content)
	if !known {
		return
	}
	d.remove(h.held[at])
	h.held = slices.Delete(h.held, at, at+1)
}

// Leave takes the holder out of all lines.
func (d *Directory) Leave(h *Holder) {
	for _, e := range h.held {
		d.remove(e)
	}
	h.held = nil
}

// remove only marks the entry, which costs the same in a line of any length. Look-ups and Sweep throw
// marked entries out as they pass.
func (d *Directory) remove(e *entry) {
	s := d.shard(e.object.content)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.gone {
		return
	}
	e.gone = true
	s.forget(e.object)
}

// forget counts one holder less and drops the object with its last.
func (s *shard) forget(o *object) {
	if o.holders--; o.holders == 0 {
		delete(s.objects, o.content)
	}
}

// Select picks holders of the object for the asker, see selection.Select, and sends them to the end of
// their lines. holders is how many the directory knows, picked or not.
func (d *Directory) Select(asker selection.End, content protocol.ContentID, excluded map[selection.PeerID]bool, want int, seed uint64, now time.Time) (picked []selection.End, holders int) {
	s := d.shard(content)
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[content]
	if o == nil {
		return nil, 0
	}
	g := gatherings.Get().(*gathering)
	defer g.forget()
	g.asker, g.excluded, g.now = asker, excluded, seconds(now)
	g.collect(o, seed)
	chosen := selection.Select(asker, g.candidates, excluded, want, seed)
	picked = make([]selection.End, 0, len(chosen))
	for _, i := range chosen {
		picked = append(picked, g.candidates[i].End)
		g.entries[i].picked = true
	}
	g.rotate()
	return picked, o.holders
}

// Sweep removes what has expired by now.
func (d *Directory) Sweep(now time.Time) {
	for i := range d.shards {
		d.shards[i].sweep(seconds(now))
	}
}

func (s *shard) sweep(now uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		for _, l := range o.lines {
			l.entries = slices.DeleteFunc(l.entries, func(e *entry) bool {
				if !e.gone && e.expires < now {
					e.gone = true
					s.forget(o)
				}
				return e.gone
			})
		}
		o.lines = slices.DeleteFunc(o.lines, func(l *line) bool { return len(l.entries) == 0 })
	}
}

// Size returns how many objects and entries are known, expired ones included that were not swept yet.
func (d *Directory) Size() (objects, entries int) {
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.Lock()
		objects += len(s.objects)
		for _, o := range s.objects {
			entries += o.holders
		}
		s.mu.Unlock()
	}
	return objects, entries
}

// seconds is a time as entries keep it: four bytes, good until 2106.
func seconds(t time.Time) uint32 { return uint32(t.Unix()) }
