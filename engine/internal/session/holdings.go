package session

import (
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// percentStep is by how much a holding must grow before the node is told again. The first and the last of it are told at once.
const percentStep = 10

// holdings is what this device offers, and what of it the node does not know yet. It is a plain struct:
// the session guards it.
type holdings struct {
	have    map[protocol.ContentID]holding
	unsaid  map[protocol.ContentID]bool // to be announced
	revoked map[protocol.ContentID]bool // to be withdrawn
}

type holding struct {
	percent int
	said    int // what the node was told last; -1: nothing
}

func newHoldings() *holdings {
	return &holdings{
		have:    make(map[protocol.ContentID]holding),
		unsaid:  make(map[protocol.ContentID]bool),
		revoked: make(map[protocol.ContentID]bool),
	}
}

// announce notes a holding. It reports whether there is something to tell.
func (h *holdings) announce(content protocol.ContentID, percent int) bool {
	percent = min(max(percent, 0), 100)
	known, ok := h.have[content]
	if !ok {
		known.said = -1
	}
	known.percent = percent
	h.have[content] = known
	delete(h.revoked, content)
	if known.said < 0 || known.percent-known.said >= percentStep || (percent == 0) != (known.said == 0) || (percent == 100) != (known.said == 100) {
		h.unsaid[content] = true
	}
	return h.unsaid[content]
}

// withdraw forgets a holding. It reports whether there is something to tell.
func (h *holdings) withdraw(content protocol.ContentID) bool {
	known, ok := h.have[content]
	delete(h.have, content)
	delete(h.unsaid, content)
	if ok && known.said >= 0 {
		h.revoked[content] = true
	}
	return h.revoked[content]
}

// relist makes everything unsaid: the node knows nothing, or is to be reminded.
func (h *holdings) relist() {
	for content, known := range h.have {
		known.said = -1
		h.have[content] = known
		h.unsaid[content] = true
	}
}

// pending reports whether next has something.
func (h *holdings) pending() bool { return len(h.unsaid)+len(h.revoked) > 0 }

// next returns the next message to send, nil if the node knows everything. It counts as said.
func (h *holdings) next() *wire.ClientMessage {
	if len(h.revoked) > 0 {
		w := &wire.Withdraw{}
		for content := range h.revoked {
			if len(w.Content) == protocol.MaxHoldings {
				break
			}
			w.Content = append(w.Content, content[:])
			delete(h.revoked, content)
		}
		return &wire.ClientMessage{Body: &wire.ClientMessage_Withdraw{Withdraw: w}}
	}
	if len(h.unsaid) > 0 {
		a := &wire.Announce{}
		for content := range h.unsaid {
			if len(a.Holdings) == protocol.MaxHoldings {
				break
			}
			known := h.have[content]
			known.said = known.percent
			h.have[content] = known
			a.Holdings = append(a.Holdings, &wire.Announce_Holding{Content: content[:], CompletePercent: uint32(known.percent)})
			delete(h.unsaid, content)
		}
		return &wire.ClientMessage{Body: &wire.ClientMessage_Announce{Announce: a}}
	}
	return nil
}
