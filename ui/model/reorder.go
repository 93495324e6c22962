package model

import (
	"slices"

	"github.com/tributary-dl/tributary/engine/api"
)

// Place is a download's new place in the queue.
type Place struct {
	ID       string
	Priority int
}

// Reorder says which downloads need another priority so that one of rows, in the order of the queue, moves by some
// places and all others keep theirs. Of the two ways, to lower those before it or to raise those behind, it takes the
// one that changes fewer.
func Reorder(rows []*api.Download, id string, by int) []Place {
	from := index(rows, id)
	to := from + by
	if from < 0 || to < 0 || to >= len(rows) || by == 0 {
		return nil
	}
	order := slices.Insert(slices.Delete(slices.Clone(rows), from, from+1), to, rows[from])
	raised, lowered := raise(order), lower(order)
	if len(lowered) < len(raised) {
		return lowered
	}
	return raised
}

// raise goes from the front: each priority is at least that of the one before.
func raise(order []*api.Download) (changed []Place) {
	last := order[0].Priority
	for i, d := range order {
		p := max(d.Priority, last)
		if i > 0 && p == last && younger(order[i-1], d) {
			p++ // among equals the older one would come first
		}
		if last = p; p != d.Priority {
			changed = append(changed, Place{d.ID, p})
		}
	}
	return changed
}

// lower goes from the end: each priority is at most that of the one behind.
func lower(order []*api.Download) (changed []Place) {
	last := order[len(order)-1].Priority
	for i := len(order) - 1; i >= 0; i-- {
		p := min(order[i].Priority, last)
		if i < len(order)-1 && p == last && younger(order[i], order[i+1]) {
			p--
		}
		if last = p; p != order[i].Priority {
			changed = append(changed, Place{order[i].ID, p})
		}
	}
	return changed
}

// younger says whether the queue would put a behind b if both had the same priority.
func younger(a, b *api.Download) bool {
	if a.Added.Equal(b.Added) {
		return a.ID > b.ID
	}
	return a.Added.After(b.Added)
}
