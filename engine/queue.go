package engine

import (
	"cmp"
	"maps"
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

// patience is how long the queue waits for a download to obey. One that does not hang with its disk needs less than a millisecond.
const patience = time.Second

// queue belongs to the goroutine that runs it.
type queue struct {
	engine  *Engine
	hung    map[string]<-chan struct{} // by download ID: did not obey in time; closed when it has done so after all
	retried bool                       // the last one that was admitted had failed before
}

// runQueue admits downloads, as many as the settings allow, and keeps what is offered to peers within its room.
func (e *Engine) runQueue() {
	q := queue{engine: e, hung: map[string]<-chan struct{}{}}
	var again <-chan time.Time
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-e.kick:
		case <-again:
		}
		again = nil
		if q.settle() {
			again = time.After(lookAgain)
		}
	}
}

// settle does once what the queue has to do, and tells whether it should look again although nothing has happened.
func (q *queue) settle() (again bool) {
	maps.DeleteFunc(q.hung, func(_ string, obeyed <-chan struct{}) bool { return closed(obeyed) })
	list, settings := q.engine.List(), q.engine.Settings()
	for _, id := range q.engine.offers.settle(list, settings.KeepShared) {
		if d, err := q.engine.find(id); err == nil {
			q.engine.work.Go(func() { q.engine.noteUntold(d, d.SettingsChanged(q.engine.ctx)) })
		}
	}
	list = slices.DeleteFunc(list, q.hangs)
	next, waiting := turns(list, settings.MaxActive, q.retried)
	for _, s := range next {
		q.retried = hasFailed(s)
		q.tell(s, func(d *download.Download) error { return d.Admit(q.engine.ctx, true) })
	}
	return waiting > 0 && q.freePlaces(list, waiting)
}

// hangs tells whether a download has not obeyed yet. It has no place as long as it hangs, and nothing else is asked of it.
func (q *queue) hangs(s api.Download) bool {
	obeyed, told := q.hung[s.ID]
	return told && !closed(obeyed)
}

// closed tells whether a channel on which nothing is sent is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// tell has a download do something, and tells whether that is done. It waits no longer than a download may need that does not
// hang: no disk keeps downloads on other disks waiting.
func (q *queue) tell(s api.Download, do func(*download.Download) error) bool {
	d, err := q.engine.find(s.ID)
	if err != nil {
		return false
	}
	obeyed := make(chan struct{})
	q.engine.work.Go(func() {
		defer close(obeyed)
		q.engine.noteUntold(d, do(d))
	})
	select {
	case <-obeyed:
		return true
	case <-time.After(patience):
	}
	q.engine.log.Warn("a download hangs, probably with its disk; others take its turn", "id", s.ID)
	q.hung[s.ID] = obeyed
	q.engine.work.Go(func() {
		<-obeyed
		q.engine.look()
	})
	return false
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
func (q *queue) freePlaces(list []api.Download, needed int) (later bool) {
	idle := slices.DeleteFunc(slices.Clone(list), func(s api.Download) bool { return !download.Idle(s) })
	slices.SortStableFunc(idle, inOrder)
	for _, s := range slices.Backward(idle) {
		if needed == 0 {
			return later
		}
		var yielded bool
		told := q.tell(s, func(d *download.Download) (err error) { yielded, err = d.Yield(q.engine.ctx); return err })
		if told && yielded {
			needed-- // its new state brings us back
		} else {
			later = true
		}
	}
	return later
}
