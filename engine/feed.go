package engine

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// feed keeps the newest snapshot of each download and tells watchers which changed. A watcher's backlog
// is at most one entry a download, so publishing never waits and a slow watcher costs nobody anything.
type feed struct {
	mu       sync.Mutex
	newest   map[string]api.Download
	watchers map[*watcher]bool
	closed   bool
}

type watcher struct {
	changed map[string]bool // IDs since it last looked
	order   []string
	wake    chan struct{} // one slot
}

func newFeed() *feed {
	return &feed{newest: map[string]api.Download{}, watchers: map[*watcher]bool{}}
}

// set takes the newest snapshot and returns the one before it.
func (f *feed) set(s api.Download) (before api.Download, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, known = f.newest[s.ID]
	f.newest[s.ID] = s
	f.tell(s.ID)
	return before, known
}

func (f *feed) remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.newest, id)
	f.tell(id)
}

// tell marks id as changed for all watchers; f.mu is held.
func (f *feed) tell(id string) {
	for w := range f.watchers {
		w.mark(id)
	}
}

func (w *watcher) mark(id string) {
	if !w.changed[id] {
		w.changed[id] = true
		w.order = append(w.order, id)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for w := range f.watchers {
		close(w.wake)
		delete(f.watchers, w)
	}
}

// watch yields everything with Synced at its end, then what has changed since, not oftener than every, until ctx ends or
// the feed closes.
func (f *feed) watch(ctx context.Context, every time.Duration) iter.Seq[[]api.Event] {
	return func(yield func([]api.Event) bool) {
		w := &watcher{changed: map[string]bool{}, wake: make(chan struct{}, 1)}
		f.mu.Lock()
		if f.closed {
			f.mu.Unlock()
			return
		}
		f.watchers[w] = true
		for id := range f.newest {
			w.mark(id)
		}
		f.mu.Unlock()
		defer func() {
			f.mu.Lock()
			delete(f.watchers, w)
			f.mu.Unlock()
		}()
		everything := append(f.collect(w), api.Event{Synced: true})
		if !yield(everything) {
			return
		}
		rest := time.NewTimer(every)
		defer rest.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-rest.C:
			}
			select {
			case <-ctx.Done():
				return
			case _, open := <-w.wake:
				if !open {
					return
				}
			}
			// A wake-up may be older than the last look, and then there is nothing.
			if events := f.collect(w); len(events) > 0 && !yield(events) {
				return
			}
			rest.Reset(every)
		}
	}
}

// collect takes what changed for w since it last looked.
func (f *feed) collect(w *watcher) []api.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	events := make([]api.Event, 0, len(w.order))
	for _, id := range w.order {
		if s, ok := f.newest[id]; ok {
			events = append(events, api.Event{Download: &s})
		} else {
			events = append(events, api.Event{Removed: id})
		}
	}
	clear(w.changed)
	w.order = w.order[:0]
	return events
}
