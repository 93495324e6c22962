package directory

import (
	"bytes"
	"sort"
	"sync/atomic"
	"unique"

	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
)

// Holder is one device that is online. Its announcements are made by one goroutine at a time: the one
// that owns the device's session.
type Holder struct {
	end     atomic.Pointer[selection.End]
	network unique.Handle[selection.Network]
	held    []*entry // sorted by content
}

// NewHolder returns a holder of nothing.
func NewHolder(end selection.End) *Holder {
	h := &Holder{network: unique.Make(end.Network)}
	h.end.Store(&end)
	return h
}

// End returns what is known of the device.
func (h *Holder) End() selection.End { return *h.end.Load() }

// Update replaces what is known of the device, except for its network, which decides where it stands.
func (h *Holder) Update(end selection.End) {
	end.Network = h.network.Value()
	h.end.Store(&end)
}

// Len returns how many objects the holder has announced and not withdrawn, expired ones included.
func (h *Holder) Len() int { return len(h.held) }

// find returns where the content stands in held, or where it would.
func (h *Holder) find(content protocol.ContentID) (at int, known bool) {
	at = sort.Search(len(h.held), func(i int) bool {
		return bytes.Compare(h.held[i].object.content[:], content[:]) >= 0
	})
	return at, at < len(h.held) && h.held[at].object.content == content
}
