// Package report adds up what the ledger and the edge's log say. Clients' words and our own log stand side
// by side, so that a reader sees where they differ; the package must never mix them into one number, and
// knows neither files nor the network.
package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/protocol"
)

// Totals are sums over downloads. Bytes of content only.
type Totals struct {
	Started   int `json:"started"` // downloads that clients reported, however they ended
	Running   int `json:"running"`
	Completed int `json:"completed"`
	Paused    int `json:"paused"`
	Cancelled int `json:"cancelled"`
	Failed    int `json:"failed"`
	Summed    int `json:"summed"` // of Started: those of which the ledger keeps no more than the sums

	EdgeLogged uint64 `json:"edge_bytes_logged"`   // as our log says, to all kinds of clients
	Edge       uint64 `json:"edge_bytes_reported"` // verified, as clients say; so are those that follow
	Peers      uint64 `json:"peer_bytes_reported"`
	Wasted     uint64 `json:"wasted_bytes_reported"`
	Uploaded   uint64 `json:"uploaded_bytes_reported"`
}

// Offload is verified bytes from peers ÷ all verified bytes, as clients say; 0 if there are none.
func (t Totals) Offload() float64 {
	if t.Edge+t.Peers == 0 {
		return 0
	}
	return float64(t.Peers) / float64(t.Edge+t.Peers)
}

// Row is one object.
type Row struct {
	Content protocol.ContentID
	Name    string // empty if the object is not known here any more
	Totals
}

// Report is a sum over everything up to Made.
type Report struct {
	Made    time.Time
	All     Totals
	Objects []Row // most bytes first
}

// Builder adds up. The zero value is ready for use; it is not safe for concurrent use.
type Builder struct {
	objects map[protocol.ContentID]*Totals
}

func (b *Builder) object(content protocol.ContentID) *Totals {
	if b.objects == nil {
		b.objects = make(map[protocol.ContentID]*Totals)
	}
	t := b.objects[content]
	if t == nil {
		t = &Totals{}
		b.objects[content] = t
	}
	return t
}

// Account adds what a client reported about one download.
func (b *Builder) Account(a ledger.Account) {
	b.object(a.Content).add(Totals{
		Started: 1, Running: is(a.Outcome, protocol.OutcomeRunning), Completed: is(a.Outcome, protocol.OutcomeCompleted),
		Paused: is(a.Outcome, protocol.OutcomePaused), Cancelled: is(a.Outcome, protocol.OutcomeCancelled), Failed: is(a.Outcome, protocol.OutcomeFailed),
		Edge: a.Edge, Peers: a.Peers, Wasted: a.Wasted, Uploaded: a.Uploaded,
	})
}

// Past adds what clients reported about downloads of an object whose accounts are not kept one by one any more.
func (b *Builder) Past(p ledger.Past) {
	started := 0
	for _, n := range p.Outcomes {
		started += n
	}
	b.object(p.Content).add(Totals{
		Started: started, Summed: started, Running: p.Outcomes[protocol.OutcomeRunning], Completed: p.Outcomes[protocol.OutcomeCompleted],
		Paused: p.Outcomes[protocol.OutcomePaused], Cancelled: p.Outcomes[protocol.OutcomeCancelled], Failed: p.Outcomes[protocol.OutcomeFailed],
		Edge: p.Edge, Peers: p.Peers, Wasted: p.Wasted, Uploaded: p.Uploaded,
	})
}

// Served adds bytes of an object that our edge sent.
func (b *Builder) Served(content protocol.ContentID, bytes uint64) {
	b.object(content).EdgeLogged += bytes
}

// Report returns the sums. name returns the name of an object, or "".
func (b *Builder) Report(made time.Time, name func(protocol.ContentID) string) Report {
	r := Report{Made: made}
	for content, t := range b.objects {
		r.All.add(*t)
		r.Objects = append(r.Objects, Row{Content: content, Name: name(content), Totals: *t})
	}
	slices.SortFunc(r.Objects, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.EdgeLogged+b.Peers, a.EdgeLogged+a.Peers), cmp.Compare(a.Content.String(), b.Content.String()))
	})
	return r
}

func is(a, b protocol.Outcome) int {
	if a == b {
		return 1
	}
	return 0
}

func (t *Totals) add(o Totals) {
	t.Started += o.Started
	t.Running += o.Running
	t.Completed += o.Completed
	t.Paused += o.Paused
	t.Cancelled += o.Cancelled
	t.Failed += o.Failed
	t.Summed += o.Summed
	t.EdgeLogged += o.EdgeLogged
	t.Edge += o.Edge
	t.Peers += o.Peers
	t.Wasted += o.Wasted
	t.Uploaded += o.Uploaded
}
