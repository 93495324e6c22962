package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/download"
)

// lookAgain is how soon the queue looks again while others wait and a place is taken by a download to which nobody sends anything.
const lookAgain = 5 * time.Second

// look makes the queue look again.
func (e *Engine) look() {
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

// runQueue admits downloads, as many as the settings allow, and keeps what is offered to peers within its room.
func (e *Engine) runQueue() {
	var again <-chan time.Time
	retried := false // the last one that was admitted had failed before
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-e.kick:
		case <-again:
		}
		list, settings := e.List(), e.Settings()
		for _, id := range e.offers.settle(list, settings.KeepShared) {
			if d, err := e.find(id); err == nil {
				e.noteUntold(d, d.SettingsChanged(e.ctx))
			}
		}
		next, waiting := turns(list, settings.MaxActive, retried)
		for _, s := range next {
			if d, err := e.find(s.ID); err == nil {
				retried = hasFailed(s)
				e.noteUntold(d, d.Admit(e.ctx, true))
			}
		}
		again = nil
		if waiting > 0 && e.freePlaces(list, waiting) {
			again = time.After(lookAgain)
		}
	}
}

// turns returns those that are admitted next, in this order, and how many wait on. They come in the order of their priority,
// then of their age. But of those that have failed before no two are admitted in a row while another waits, or a few dead links
// would take all turns for ever.
func turns(list []api.Download, places int, retried bool) (next []api.Download, waiting int) {
	var queue []api.Download
	for _, s := range list {
		switch {
		case download.Active(s.State):
			places--
		case s.State == api.StateQueued:
			queue = append(queue, s)
		}
	}
	slices.SortStableFunc(queue, inOrder)
	for ; places > 0 && len(queue) > 0; places-- {
		i := 0
		if retried {
			i = max(0, slices.IndexFunc(queue, func(s api.Download) bool { return !hasFailed(s) }))
		}
		next = append(next, queue[i])
		retried = hasFailed(queue[i])
		queue = slices.Delete(queue, i, i+1)
	}
	return next, len(queue)
}

// inOrder is the user's order.
func inOrder(a, b api.Download) int {
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), a.Added.Compare(b.Added))
}

// hasFailed tells of a download in the queue that it has been active before, in vain.
func hasFailed(s api.Download) bool { return s.Problem != nil }

// freePlaces has downloads rest to which nobody sends anything, the last first, if others need their places; and tells
// whether there are some that may have to do so later.
func (e *Engine) freePlaces(list []api.Download, needed int) (later bool) {
	idle := slices.DeleteFunc(slices.Clone(list), func(s api.Download) bool { return !download.Idle(s) })
	slices.SortStableFunc(idle, inOrder)
	for _, s := range slices.Backward(idle) {
		d, err := e.find(s.ID)
		if err != nil || needed == 0 {
			continue
		}
		yielded, err := d.Yield(e.ctx)
		e.noteUntold(d, err)
		if yielded {
			needed-- // its new state brings us back
		} else {
			later = true
		}
	}
	return later
}
