package model_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/model"
)

// draw writes a condensed map with one letter a cell.
func draw(cells []model.Piece) string {
	var s strings.Builder
	for _, c := range cells {
		s.WriteByte(".?HEP"[c])
	}
	return s.String()
}

func TestCondense(t *testing.T) {
	tests := []struct {
		name, pieces string
		cells        int
		want         string
	}{
		{"nothing", "", 10, ""},
		{"no room", "EEPP", 0, ""},
		{"each its cell", "EPepH.", 10, "EP??H."},
		{"halved", "EEPPHH..", 4, "EPH."},
		{"one missing piece shows", "EEEEEEE.", 1, "."},
		{"what is asked for shows first", "EEEEEE.p", 1, "?"},
		{"the commonest source wins", "EPPEPP", 2, "PP"},
		{"uneven", "EEEEE", 2, "EE"},
		{"letters from a newer service", "EXE", 3, "E.E"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := draw(model.Condense(tt.pieces, tt.cells)); got != tt.want {
				t.Errorf("Condense(%q, %d) = %q; want %q", tt.pieces, tt.cells, got, tt.want)
			}
		})
	}
	if got, want := model.PieceCount("EEPpe.H"), [5]int{1, 2, 1, 2, 1}; got != want {
		t.Errorf("PieceCount() = %v; want %v", got, want)
	}
}

func TestHistory(t *testing.T) {
	h := model.NewHistory(10 * time.Second)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range 30 {
		h.Push(model.Sample{At: at.Add(time.Duration(i) * time.Second), Edge: int64(i), Peers: 100})
	}
	h.Push(model.Sample{At: at, Edge: 1 << 40}) // the clock was set back
	points := h.Points()
	if len(points) != 11 || points[0].X != 0 || points[10].X != 1 || points[10].Edge != 29 {
		t.Errorf("%d points from %+v to %+v; want 11 over the last 10 s", len(points), points[0], points[len(points)-1])
	}
	if h.Peak() != 129 {
		t.Errorf("Peak() = %d; want 129", h.Peak())
	}
	for peak, want := range map[int64]int64{0: 1e5, 1e5: 1e5, 120_000: 2e5, 19_600_000: 2e7, 21_000_000: 5e7, 1<<63 - 1: 1e18} {
		if got := model.Ceiling(peak); got != want {
			t.Errorf("Ceiling(%d) = %d; want %d", peak, got, want)
		}
	}
}

func TestGiven(t *testing.T) {
	ledger := []api.LedgerEntry{
		{Day: "2026-11-20", ContentID: "a", Name: "old", Publisher: "P", Bytes: 1000, Peers: 1},
		{Day: "2026-11-21", ContentID: "a", Name: "old", Publisher: "P", Bytes: 10, Peers: 2},
		{Day: "2026-11-22", ContentID: "b", Name: "new", Publisher: "P", Bytes: 30, Peers: 4},
		{Day: "2026-11-22", ContentID: "a", Name: "old", Publisher: "P", Bytes: 10, Peers: 3},
		{Day: "2026-11-22", ContentID: "c", Name: "other", Publisher: "Q", Bytes: 5, Peers: 1},
	}
	files := []model.Given{
		{Name: "new", Publisher: "P", ContentID: "b", Bytes: 30, Peers: 4, LastDay: "2026-11-22"},
		{Name: "old", Publisher: "P", ContentID: "a", Bytes: 20, Peers: 3, LastDay: "2026-11-22"},
		{Name: "other", Publisher: "Q", ContentID: "c", Bytes: 5, Peers: 1, LastDay: "2026-11-22"},
	}
	if diff := cmp.Diff(files, model.GivenByFile(ledger, "2026-11-21")); diff != "" {
		t.Error("by file:", diff)
	}
	publishers := []model.Given{
		{Name: "P", Publisher: "P", Bytes: 1050, Peers: 4, LastDay: "2026-11-22"},
		{Name: "Q", Publisher: "Q", Bytes: 5, Peers: 1, LastDay: "2026-11-22"},
	}
	if diff := cmp.Diff(publishers, model.GivenByPublisher(ledger, "")); diff != "" {
		t.Error("by publisher:", diff)
	}
}

func TestLocks(t *testing.T) {
	const office = "/etc/tributary/policy.d/10-office.json"
	settings := []api.Effective{{Name: "sharing", Origin: office, Locked: true}, {Name: "dir", Origin: "user"}}
	for _, test := range []struct {
		service api.Status
		want    model.Locks
	}{
		{api.Status{}, model.Locks{"sharing": office}},
		{api.Status{Machine: true, Administrator: true}, model.Locks{"sharing": office}},
		{api.Status{Machine: true}, model.Locks{"sharing": office, "dir": ""}},
	} {
		if diff := cmp.Diff(test.want, model.LocksOf(settings, test.service)); diff != "" {
			t.Errorf("at %+v: %s", test.service, diff)
		}
	}
}
