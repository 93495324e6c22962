package directory

import (
	"slices"
	"sync"
	"unique"

	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
)

// entry says that a holder has an object. There are millions of them: think before adding a field.
type entry struct {
	holder  *Holder
	object  *object
	expires uint32 // Unix seconds
	percent uint8
	gone    bool // withdrawn or expired; to be thrown out of the line
	picked  bool // only while a look-up is under way
}

type object struct {
	content protocol.ContentID
	holders int     // entries not gone
	lines   []*line // one for each network, in order of appearance
}

// line holds the entries of one network, longest unpicked first.
type line struct {
	network unique.Handle[selection.Network] // a pointer: there are nearly as many lines as entries
	entries []*entry
}

func (o *object) add(e *entry) {
	network := e.holder.network
	at := slices.IndexFunc(o.lines, func(l *line) bool { return l.network == network })
	if at < 0 {
		at = len(o.lines)
		o.lines = append(o.lines, &line{network: network})
	}
	o.lines[at].entries = append(o.lines[at].entries, e)
	o.holders++
}

// How much of an object a look-up considers.
const (
	nearScan = 256 // entries of the asker's own network
	wideKeep = 64  // eligible holders of each wider set
	minHeads = 4   // eligible holders of one other network
)

// gathering is the work of one look-up, under the shard's lock.
type gathering struct {
	asker    selection.End
	excluded map[selection.PeerID]bool
	now      uint32

	candidates []selection.Holder
	entries    []*entry // parallel to candidates
	scanned    []scanned
}

// scanned is how far a line has been looked at.
type scanned struct {
	line   *line
	length int
}

// gatherings are used again: for an object that many hold, one has 50 KB.
var gatherings = sync.Pool{New: func() any { return new(gathering) }}

// forget makes the gathering ready for another look-up.
func (g *gathering) forget() {
	clear(g.candidates)
	clear(g.entries)
	clear(g.scanned)
	*g = gathering{candidates: g.candidates[:0], entries: g.entries[:0], scanned: g.scanned[:0]}
	gatherings.Put(g)
}

// collect gathers candidates: all that fit of the asker's own network, and of each wider set the heads
// of its lines, beginning with one that the seed chooses.
func (g *gathering) collect(o *object, seed uint64) {
	var sets [selection.World + 1][]*line
	for _, l := range o.lines {
		distance := g.asker.Network.To(l.network.Value())
		sets[distance] = append(sets[distance], l)
	}
	for distance := selection.SameNetwork; distance <= selection.World; distance++ {
		lines := sets[distance]
		if len(lines) == 0 {
			continue
		}
		heads, limit := max(minHeads, wideKeep/len(lines)), wideKeep
		if distance == selection.SameNetwork {
			heads, limit = nearScan, nearScan
		}
		enough := len(g.candidates) + limit
		first := int(seed % uint64(len(lines)))
		for i := range lines {
			if len(g.candidates) >= enough {
				break
			}
			g.scan(lines[(first+i)%len(lines)], heads)
		}
	}
}

// scan takes up to keep eligible holders from the head of the line.
func (g *gathering) scan(l *line, keep int) {
	kept, length := 0, 0
	for looked := 0; length < len(l.entries) && looked < nearScan && kept < keep; length++ {
		e := l.entries[length]
		if e.gone || e.expires < g.now {
			continue // rotate throws the gone out and Sweep the expired, so they are passed few times
		}
		looked++
		if end := e.holder.end.Load(); selection.Eligible(g.asker, *end, g.excluded) {
			kept++
			g.candidates = append(g.candidates, selection.Holder{End: *end, Percent: e.percent})
			g.entries = append(g.entries, e)
		}
	}
	g.scanned = append(g.scanned, scanned{line: l, length: length})
}

// rotate moves the picked to the ends of their lines and throws out the gone, touching no more of a line
// than was scanned: those who stay are shifted back, and the line begins later.
func (g *gathering) rotate() {
	for _, s := range g.scanned {
		entries := s.line.entries
		var picked []*entry
		start := s.length
		for i := s.length - 1; i >= 0; i-- {
			switch e := entries[i]; {
			case e.gone:
			case e.picked:
				e.picked = false
				picked = append(picked, e)
			default:
				start--
				entries[start] = e
			}
		}
		slices.Reverse(picked)
		if s.length == len(entries) {
			n := copy(entries, entries[start:])
			n += copy(entries[n:], picked)
			clear(entries[n:])
			s.line.entries = entries[:n]
			continue
		}
		clear(entries[:start])
		s.line.entries = append(entries[start:], picked...) //nolint:gocritic // moves the line only when its memory is used up
	}
}
