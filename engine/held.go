package engine

import (
	"cmp"
	"slices"

	"github.com/tributary-dl/tributary/engine/api"
)

// Held lists the finished objects on this computer's disk that peers can be given, the newest first.
func (e *Engine) Held() []api.Held {
	given := e.ledger.given()
	held := []api.Held{}
	for _, d := range e.List() {
		if d.State != api.StateComplete || d.ContentID == "" {
			continue
		}
		g := given[d.ContentID]
		held = append(held, api.Held{Download: d.ID, ContentID: d.ContentID, Name: d.Name, Publisher: d.Publisher, Path: d.Path,
			Bytes: d.TotalBytes, Sent: g.Bytes, LastSent: g.Day, Finished: d.Finished, Shared: d.Shared})
	}
	slices.SortStableFunc(held, func(a, b api.Held) int {
		if a.Finished == nil || b.Finished == nil {
			return cmp.Compare(a.Name, b.Name)
		}
		return b.Finished.Compare(*a.Finished)
	})
	return held
}

// given sums up the ledger by object: bytes ever, and the last day.
func (u *uploads) given() map[string]api.LedgerEntry {
	sums := map[string]api.LedgerEntry{}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, entry := range u.entries {
		s := sums[entry.ContentID]
		s.Bytes += entry.Bytes
		s.Day = max(s.Day, entry.Day)
		sums[entry.ContentID] = s
	}
	return sums
}
