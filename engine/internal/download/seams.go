package download

import (
	"encoding/binary"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/budget"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/manifest"
	"github.com/tributary-dl/tributary/engine/internal/storage"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

// Journal keeps records. Save returns at once; the channel brings one value when the record, or a
// newer one of the same download, is durable.
type Journal interface {
	Save(id string, record []byte) <-chan error
	SaveManifest(id string, manifest, record []byte) <-chan error
}

// Marks is where the pieces on disk are remembered.
type Marks interface {
	Durable(id string) (storage.Bitmap, error)
	ClearDurable(id string, pieces []int) error // nil: all
}

// Peering connects objects with their swarms. It is implemented over the piece engine, ICE and the
// session with the control plane; none of its methods but Swarm.Leave waits for the network.
type Peering interface {
	// Join makes the object known to peers and, if seek, looks for some. An object has one swarm, which one download of it is in
	// at a time; others wait, see Totals.Behind. Who seeks goes before who does not.
	Join(o Object, seek bool) (Swarm, error)
}

// Object is what a swarm is about.
type Object struct {
	Manifest *manifest.Manifest
	Data     *storage.Object
	Request  edge.Request    // what the user gave: proxy, and which addresses may be asked
	GrantURL string          // any URL of the edge that issues grants
	ReportID [16]byte        // names the download in reports to the control plane
	Observer Observer        // called from the swarm's goroutine
	Limit    *budget.Limiter // of this download alone; nil: none
}

// Observer hears of pieces. Its methods may wait for the download's goroutine, so a swarm must not hold
// a lock of its own while it calls them, and must return from Leave without waiting for that goroutine.
type Observer interface {
	PieceVerified(i int, bytes int64) // verified and in Object.Data; bytes is the piece's size
	PieceRejected(i int, bytes int64) // the bytes are in Totals.Wasted already
	PeersChanged()
	StorageFailed(error) // never waits
	Withheld() bool      // the user gives nothing of the object; asked at any time, never waits
}

// Totals are payload bytes since Join; they can be read after Leave, too.
type Totals struct {
	Received, Wasted, Sent int64
	Peers                  int // connected
	Delivering             int // connected, not stalled

	Behind bool // another download of the object is in its swarm; this one is when that has left, or has all

	Near           int64 // of Received: from peers in the LAN
	NearDelivering int   // of Delivering
}

// Neighbours are those who are downloading, too, and give what they have. All are random numbers, the same wherever they
// are seen.
type Neighbours struct {
	Self      uint64
	Near, Far []uint64 // in the LAN, and elsewhere
}

// NeighboursAmong tells of an object's peers which are neighbours.
func NeighboursAmong(self swarm.PeerID, peers []swarm.PeerStats, pieces int) Neighbours {
	number := func(id swarm.PeerID) uint64 { return binary.BigEndian.Uint64(id[:8]) }
	n := Neighbours{Self: number(self)}
	for _, p := range peers {
		switch {
		case p.Has >= pieces || p.Choking || p.Stalled:
		case p.Near:
			n.Near = append(n.Near, number(p.ID))
		default:
			n.Far = append(n.Far, number(p.ID))
		}
	}
	return n
}

// Add counts what a swarm has moved, and who is connected.
func (t *Totals) Add(moved swarm.Totals, peers []swarm.PeerStats) {
	t.Received += moved.Received
	t.Wasted += moved.Wasted
	t.Sent += moved.Sent
	t.Near += moved.Near
	for _, p := range peers {
		t.Peers++
		if p.Stalled || p.Has == 0 {
			continue
		}
		t.Delivering++
		if p.Near {
			t.NearDelivering++
		}
	}
}

// Swarm is one object's peers.
type Swarm interface {
	Want(pieces ...int)
	Unwant(pieces ...int)
	Progress(dst []swarm.PieceProgress) // dst has room for all pieces
	Availability(dst []uint16) []uint16
	Neighbours() Neighbours
	Turns(turns []int, only bool)  // by piece, as hybrid.Turns says; only: what is not this client's turn comes from neighbours in the LAN
	Claim(pieces []int)            // tell peers what is being fetched from the edge
	Claimed(dst []uint16) []uint16 // how many peers are fetching each piece from it
	Beside(rate float64)           // bytes a second that the edge sends, of what peers could be asked for as well
	Done(i int, kept int64)
	Totals() Totals
	UplinkQueue() time.Duration // that what this device sends waits in front of its line now, acknowledgements of what it downloads, too
	Sources() []api.Source
	Seek(bool)                 // look for peers, or not any more
	ReportProgress(p Progress) // to the control plane; cumulative
	Leave()
}

// Progress is what is reported to the control plane.
type Progress struct {
	Sequence                             uint32
	Total, Edge, Peers, Wasted, Uploaded int64
	Milliseconds                         int64
	Outcome, Reason                      string
}
