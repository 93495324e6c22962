package ui

import (
	"context"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// The window is drawn anew at most this often. Drawing is the dearest thing it does, and people do not read
// numbers that change more often.
const drawEvery = 500 * time.Millisecond

// A service that went away is looked for this often.
const retryEvery = time.Second

// inbox keeps what a watch has told since the window was drawn last: the newest snapshot of each download, not
// every one. Filled by the goroutine of the watch, emptied by that of the user interface.
type inbox struct {
	mu        sync.Mutex
	began     bool // a new watch began; all before it is void
	downloads map[string]*api.Download
	removed   []string
	status    *api.Status
	synced    bool
	lost      error // why the watch ended
}

func (in *inbox) begin() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.began, in.synced, in.lost, in.downloads, in.removed = true, false, nil, nil, nil
}

func (in *inbox) put(e api.Event) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if e.Download != nil {
		if in.downloads == nil {
			in.downloads = map[string]*api.Download{}
		}
		in.downloads[e.Download.ID] = e.Download
	}
	if e.Removed != "" {
		delete(in.downloads, e.Removed)
		in.removed = append(in.removed, e.Removed)
	}
	if e.Status != nil {
		in.status = e.Status
	}
	in.synced = in.synced || e.Synced
}

func (in *inbox) lose(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.lost = err
}

// news is what an inbox held.
type news struct {
	began, synced bool
	events        []api.Event
	status        *api.Status
	lost          error
}

func (in *inbox) take() news {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := news{began: in.began, synced: in.synced, status: in.status, lost: in.lost}
	for _, d := range in.downloads {
		n.events = append(n.events, api.Event{Download: d})
	}
	for _, id := range in.removed {
		n.events = append(n.events, api.Event{Removed: id})
	}
	in.began, in.synced, in.downloads, in.removed, in.status, in.lost = false, false, nil, nil, nil, nil
	return n
}

// follow watches the service until ctx ends, and again whenever it comes back.
func (u *UI) follow(ctx context.Context) {
	for ctx.Err() == nil {
		u.inbox.begin()
		for e, err := range u.cfg.Service.Watch(ctx) {
			if err != nil {
				u.inbox.lose(err)
				break
			}
			u.inbox.put(e)
			if e.Synced {
				u.cfg.Do(u.tick) // the first picture does not wait
			}
		}
		u.cfg.Do(u.tick)
		wait(ctx, retryEvery)
	}
}

// pulse draws twice a second until ctx ends.
func (u *UI) pulse(ctx context.Context) {
	beat := time.NewTicker(drawEvery)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			u.cfg.Do(u.tick)
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
