package model

import (
	"cmp"
	"slices"

	"github.com/tributary-dl/tributary/engine/api"
)

// Given is what left this computer of one file, or of one publisher's files.
type Given struct {
	Name, Publisher string
	ContentID       string // empty when it stands for a publisher
	Bytes           int64
	Peers           int // the most on one day; the same peer may come on many
	LastDay         string
}

// GivenByFile sums up a ledger by object, most bytes first. Days before from ("2026-11-22") do not count.
func GivenByFile(ledger []api.LedgerEntry, from string) []Given {
	return sum(ledger, from, func(e api.LedgerEntry) (string, Given) {
		return e.ContentID, Given{Name: e.Name, Publisher: e.Publisher, ContentID: e.ContentID}
	})
}

// GivenByPublisher sums up a ledger by publisher, most bytes first.
func GivenByPublisher(ledger []api.LedgerEntry, from string) []Given {
	return sum(ledger, from, func(e api.LedgerEntry) (string, Given) {
		return e.Publisher, Given{Name: e.Publisher, Publisher: e.Publisher}
	})
}

func sum(ledger []api.LedgerEntry, from string, keyOf func(api.LedgerEntry) (string, Given)) []Given {
	sums := map[string]*Given{}
	var all []*Given
	for _, e := range ledger {
		if e.Day < from {
			continue
		}
		key, fresh := keyOf(e)
		g := sums[key]
		if g == nil {
			g = &fresh
			sums[key], all = g, append(all, g)
		}
		g.Bytes += e.Bytes
		g.Peers = max(g.Peers, e.Peers)
		g.LastDay = max(g.LastDay, e.Day)
	}
	out := make([]Given, len(all))
	for i, g := range all {
		out[i] = *g
	}
	slices.SortStableFunc(out, func(x, y Given) int { return cmp.Or(cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(x.Name, y.Name)) })
	return out
}
