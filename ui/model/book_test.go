package model_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/model"
)

// shelf returns a book with one download of each kind; the names tell the state.
func shelf() *model.Book {
	b := &model.Book{}
	b.BeginSync()
	day := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i, d := range []api.Download{
		{ID: "1", Name: "debian running", State: api.StateDownloading, TotalBytes: 1000, VerifiedBytes: 500, BytesFromEdge: 200, BytesFromPeers: 300, Rate: 30, EdgeRate: 10, PeerRate: 20, Priority: 2},
		{ID: "2", Name: "Alpine queued", State: api.StateQueued, TotalBytes: -1, Priority: 3},
		{ID: "3", Name: "fedora paused", State: api.StatePaused, TotalBytes: 4000, VerifiedBytes: 1000, Priority: 1},
		{ID: "4", Name: "blender done", State: api.StateComplete, TotalBytes: 700, VerifiedBytes: 700, Publisher: "Blender Foundation"},
		{ID: "5", Name: "node failed", State: api.StateFailed, TotalBytes: 50, URL: "https://nodejs.org/node.pkg", Priority: 5},
		{ID: "6", Name: "gimp waiting", State: api.StateWaiting, TotalBytes: 60, UploadRate: 7, Priority: 4},
	} {
		d.Added = day.Add(time.Duration(i) * time.Minute)
		b.Apply(api.Event{Download: &d})
	}
	b.Apply(api.Event{Synced: true})
	return b
}

func names(rows []*api.Download) string {
	var out []string
	for _, d := range rows {
		out = append(out, d.ID)
	}
	return strings.Join(out, " ")
}

func TestRows(t *testing.T) {
	tests := []struct {
		name  string
		query model.Query
		want  string
	}{
		{"all, what runs first and what is done last", model.Query{}, "3 1 2 6 5 4"},
		{"active", model.Query{Filter: model.FilterActive}, "1 6"},
		{"queued holds paused ones", model.Query{Filter: model.FilterQueued}, "3 2"},
		{"done", model.Query{Filter: model.FilterDone}, "4"},
		{"failed", model.Query{Filter: model.FilterFailed}, "5"},
		{"newest", model.Query{Order: model.OrderNewest}, "6 5 4 3 2 1"},
		{"by name, whatever the case", model.Query{Order: model.OrderName}, "2 4 1 3 6 5"},
		{"by size, unknown last", model.Query{Order: model.OrderSize}, "3 1 4 6 5 2"},
		{"by progress", model.Query{Order: model.OrderProgress}, "4 1 3 2 5 6"},
		{"by speed", model.Query{Order: model.OrderSpeed}, "1 2 3 4 5 6"},
		{"search in the name", model.Query{Search: "DEB"}, "1"},
		{"search in the publisher", model.Query{Search: "foundation"}, "4"},
		{"search in the address", model.Query{Search: "nodejs.org"}, "5"},
		{"every word counts", model.Query{Search: "node paused"}, ""},
		{"search in a filter", model.Query{Filter: model.FilterDone, Search: "debian"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := names(shelf().Rows(tt.query)); got != tt.want {
				t.Errorf("Rows(%+v) = %q; want %q", tt.query, got, tt.want)
			}
		})
	}
}

func TestTotals(t *testing.T) {
	want := model.Totals{EdgeRate: 10, PeerRate: 20, UploadRate: 7, Running: 3, Paused: 1}
	want.Count = [5]int{6, 2, 2, 1, 1}
	if diff := cmp.Diff(want, shelf().Totals()); diff != "" {
		t.Error(diff)
	}
}

// After the service was away, a watch tells everything again: what it does not name is gone.
func TestANewWatchForgetsWhatIsGone(t *testing.T) {
	b := shelf()
	b.BeginSync()
	b.Apply(api.Event{Download: &api.Download{ID: "1"}})
	b.Apply(api.Event{Download: &api.Download{ID: "7"}})
	if b.Len() != 7 {
		t.Errorf("%d downloads while the watch still tells; want 7, so that the list does not flicker", b.Len())
	}
	b.Apply(api.Event{Synced: true})
	if b.Len() != 2 || b.Find("1") == nil || b.Find("7") == nil {
		t.Errorf("%d downloads after the watch has told everything; want 1 and 7", b.Len())
	}
	b.Apply(api.Event{Removed: "7"})
	if b.Find("7") != nil {
		t.Error("a removed download is still there")
	}
}

func TestShares(t *testing.T) {
	tests := []struct {
		name        string
		d           api.Download
		edge, peers float64
	}{
		{"nothing yet", api.Download{TotalBytes: 100}, 0, 0},
		{"unknown size", api.Download{TotalBytes: -1, VerifiedBytes: 10, BytesFromEdge: 10}, 0, 0},
		{"both", api.Download{TotalBytes: 100, VerifiedBytes: 50, BytesFromEdge: 20, BytesFromPeers: 30}, 0.2, 0.3},
		{"some was on disk", api.Download{TotalBytes: 100, VerifiedBytes: 80, BytesFromPeers: 30}, 0.5, 0.3},
		{"peers say more than there is", api.Download{TotalBytes: 100, VerifiedBytes: 50, BytesFromPeers: 300}, 0, 0.5},
		{"complete without counters", api.Download{State: api.StateComplete, TotalBytes: 100}, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edge, peers := model.Shares(&tt.d)
			if diff := fmt.Sprintf("%.2f %.2f", edge, peers); diff != fmt.Sprintf("%.2f %.2f", tt.edge, tt.peers) {
				t.Errorf("Shares() = %s; want %.2f %.2f", diff, tt.edge, tt.peers)
			}
		})
	}
}

func TestSelection(t *testing.T) {
	rows := shelf().Rows(model.Query{Order: model.OrderNewest}) // 6 5 4 3 2 1
	tests := []struct {
		name string
		do   func(s *model.Selection)
		want string
	}{
		{"nothing", func(*model.Selection) {}, ""},
		{"one replaces another", func(s *model.Selection) { s.Only("5"); s.Only("3") }, "3"},
		{"toggle", func(s *model.Selection) { s.Toggle("5"); s.Toggle("3"); s.Toggle("5") }, "3"},
		{"a range upwards", func(s *model.Selection) { s.Only("2"); s.Extend(rows, "4") }, "4 3 2"},
		{"a range turns at its anchor", func(s *model.Selection) { s.Only("4"); s.Extend(rows, "6"); s.Extend(rows, "3") }, "4 3"},
		{"a range without an anchor", func(s *model.Selection) { s.Extend(rows, "4") }, "4"},
		{"all", func(s *model.Selection) { s.All(rows) }, "6 5 4 3 2 1"},
		{"step down from nowhere", func(s *model.Selection) { s.Step(rows, 1, false) }, "6"},
		{"step beyond the end", func(s *model.Selection) { s.Only("2"); s.Step(rows, 5, false) }, "1"},
		{"step up with Shift", func(s *model.Selection) { s.Only("4"); s.Step(rows, -1, true); s.Step(rows, -1, true) }, "6 5 4"},
		{"rows that are gone", func(s *model.Selection) { s.All(rows); s.Prune(rows[:2]) }, "6 5"},
		{"clear", func(s *model.Selection) { s.All(rows); s.Clear() }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s model.Selection
			tt.do(&s)
			if got := names(s.Selected(rows)); got != tt.want {
				t.Errorf("selected %q; want %q", got, tt.want)
			}
		})
	}
}

func BenchmarkRowsOf10000(b *testing.B) {
	book := &model.Book{}
	for i := range 10_000 {
		book.Apply(api.Event{Download: &api.Download{ID: fmt.Sprint(i), Name: fmt.Sprintf("file %d.iso", i*7919%10_000), TotalBytes: int64(i)}})
	}
	for b.Loop() {
		book.Rows(model.Query{Order: model.OrderName, Search: "iso"})
	}
}
