package engine

import (
	"slices"
	"sync"

	"github.com/tributary-dl/tributary/engine/api"
)

// mostOpen is how many finished files of one user of the machine are offered at most: the service holds each of them
// open, and no user shall use up what is there for all.
const mostOpen = 64

// offers says which finished objects fit the room that the user gave to sharing: the newest first.
type offers struct {
	mu     sync.Mutex
	beyond map[string]bool // by download ID: does not fit
}

// may tells whether a download's object may be offered. One that is not known yet has just been finished,
// and so is the newest.
func (o *offers) may(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.beyond[id]
}

// settle works out anew what fits into keep bytes (0: everything) and returns the downloads for which the
// answer has changed.
func (o *offers) settle(list []api.Download, keep int64) (changed []string) {
	finished := slices.DeleteFunc(slices.Clone(list), func(d api.Download) bool {
		return d.State != api.StateComplete || d.ContentID == "" || d.Finished == nil
	})
	slices.SortFunc(finished, func(a, b api.Download) int { return b.Finished.Compare(*a.Finished) })
	beyond := map[string]bool{}
	var held int64
	open := map[string]int{} // by owner
	for _, d := range finished {
		if held += d.TotalBytes; keep > 0 && held > keep {
			held -= d.TotalBytes // a smaller, older one may still fit
			beyond[d.ID] = true
			continue
		}
		if open[d.Owner]++; d.Owner != "" && open[d.Owner] > mostOpen {
			beyond[d.ID] = true
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range finished {
		if beyond[d.ID] != o.beyond[d.ID] {
			changed = append(changed, d.ID)
		}
	}
	o.beyond = beyond
	return changed
}
