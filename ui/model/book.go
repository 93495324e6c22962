package model

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tributary-dl/tributary/engine/api"
)

// Book holds the newest snapshot of each download. Feed it the events of a watch. It is not safe for use by
// several goroutines; the goroutine of the user interface owns it.
type Book struct {
	downloads map[string]*api.Download // snapshots: nobody changes one after it came
	seen      map[string]bool          // IDs that came since BeginSync; nil once synced
	synced    bool
}

// BeginSync is called when a watch starts: what it does not name before it says Synced no longer exists.
func (b *Book) BeginSync() { b.seen = map[string]bool{} }

// Synced says whether a watch has told everything once.
func (b *Book) Synced() bool { return b.synced }

// Apply takes one event in. Events without a download change nothing.
func (b *Book) Apply(e api.Event) {
	if d := e.Download; d != nil {
		if b.downloads == nil {
			b.downloads = map[string]*api.Download{}
		}
		b.downloads[d.ID] = d
		if b.seen != nil {
			b.seen[d.ID] = true
		}
	}
	if e.Removed != "" {
		delete(b.downloads, e.Removed)
	}
	if e.Synced && b.seen != nil {
		for id := range b.downloads {
			if !b.seen[id] {
				delete(b.downloads, id)
			}
		}
		b.seen, b.synced = nil, true
	}
}

// Find returns the download with an ID, or nil.
func (b *Book) Find(id string) *api.Download { return b.downloads[id] }

// Len is the number of downloads.
func (b *Book) Len() int { return len(b.downloads) }

// Filter is a set of downloads by what they do.
type Filter int

const (
	FilterAll    Filter = iota
	FilterActive        // something happens, or is tried again
	FilterQueued        // waits for its turn or for the user
	FilterDone
	FilterFailed
	filters // their number
)

// filterOf returns the one filter besides FilterAll that shows a state. A state this program does not
// know comes from a newer service and counts as active.
func filterOf(s api.State) Filter {
	switch s {
	case api.StateQueued, api.StatePaused:
		return FilterQueued
	case api.StateComplete:
		return FilterDone
	case api.StateFailed:
		return FilterFailed
	}
	return FilterActive
}

// Order is what rows are sorted by.
type Order int

const (
	OrderQueue Order = iota // what runs first comes first
	OrderNewest
	OrderName
	OrderSize
	OrderProgress
	OrderSpeed
)

// Query says which downloads to show, and how.
type Query struct {
	Filter Filter
	Search string // every word must be in the name, the address or the publisher
	Order  Order
}

// Rows returns the snapshots that a query shows, in order. Equal ones are ordered by age, so that rows do
// not swap places from one update to the next.
func (b *Book) Rows(q Query) []*api.Download {
	words := strings.Fields(strings.ToLower(q.Search))
	rows := make([]*api.Download, 0, len(b.downloads))
	for _, d := range b.downloads {
		if (q.Filter == FilterAll || filterOf(d.State) == q.Filter) && matches(d, words) {
			rows = append(rows, d)
		}
	}
	first := orders[q.Order]
	slices.SortFunc(rows, func(x, y *api.Download) int {
		return cmp.Or(first(x, y), x.Added.Compare(y.Added), cmp.Compare(x.ID, y.ID))
	})
	return rows
}

var orders = map[Order]func(x, y *api.Download) int{
	OrderQueue: func(x, y *api.Download) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(x.Priority, y.Priority))
	},
	OrderNewest:   func(x, y *api.Download) int { return y.Added.Compare(x.Added) },
	OrderName:     func(x, y *api.Download) int { return cmp.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)) },
	OrderSize:     func(x, y *api.Download) int { return cmp.Compare(y.TotalBytes, x.TotalBytes) },
	OrderProgress: func(x, y *api.Download) int { return cmp.Compare(Progress(y), Progress(x)) },
	OrderSpeed:    func(x, y *api.Download) int { return cmp.Compare(y.Rate, x.Rate) },
}

// rank puts what is done below what is still to do.
func rank(d *api.Download) int {
	if d.State == api.StateComplete {
		return 1
	}
	return 0
}

func matches(d *api.Download, words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(d.Name + "\n" + d.URL + "\n" + d.Publisher)
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// Progress is the verified share of a download, 0 to 1; 0 while the size is unknown.
func Progress(d *api.Download) float64 {
	if d.State == api.StateComplete {
		return 1
	}
	return share(d.VerifiedBytes, d.TotalBytes)
}

// Shares returns how much of the whole file each kind of source has given, 0 to 1 each. What was on disk
// before the counters began counts as given by the edge.
func Shares(d *api.Download) (edge, peers float64) {
	done := Progress(d)
	peers = min(share(d.BytesFromPeers, max(d.TotalBytes, d.BytesFromEdge+d.BytesFromPeers)), done)
	return done - peers, peers
}

func share(part, whole int64) float64 {
	if whole <= 0 || part <= 0 {
		return 0
	}
	return min(float64(part)/float64(whole), 1)
}

// Totals sums up what the header, the sidebar and the tray show.
type Totals struct {
	Count                          [filters]int // by Filter
	EdgeRate, PeerRate, UploadRate int64        // bytes a second
	Running                        int          // downloads the user wants to run that are not done
	Paused                         int
}

// Totals counts all downloads, whatever a query shows.
func (b *Book) Totals() Totals {
	var t Totals
	for _, d := range b.downloads {
		t.Count[FilterAll]++
		t.Count[filterOf(d.State)]++
		t.EdgeRate += d.EdgeRate
		t.PeerRate += d.PeerRate
		t.UploadRate += d.UploadRate
		switch {
		case CanPause(d):
			t.Running++
		case d.State == api.StatePaused:
			t.Paused++
		}
	}
	return t
}

// CanPause says whether pausing makes sense.
func CanPause(d *api.Download) bool {
	return d.State != api.StatePaused && d.State != api.StateComplete && d.State != api.StateFailed
}

// CanResume says whether the download rests and could go on or be tried again.
func CanResume(d *api.Download) bool {
	return d.State == api.StatePaused || d.State == api.StateFailed || d.State == api.StateWaiting
}

// Recent returns the n downloads that changed their state last: running ones first, then the newest.
func (b *Book) Recent(n int) []*api.Download {
	rows := b.Rows(Query{Order: OrderNewest})
	slices.SortStableFunc(rows, func(x, y *api.Download) int { return cmp.Compare(rank(x), rank(y)) })
	return rows[:min(n, len(rows))]
}
