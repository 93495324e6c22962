package engine

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tributary-dl/tributary/engine/internal/budget"
	"github.com/tributary-dl/tributary/engine/internal/surroundings"
)

// Battery, network and VPN are looked at this often, and a look takes no longer than that.
const (
	lookEvery = 10 * time.Second
	lookTime  = 2 * time.Second
)

// around keeps what was seen last, for a rule that is asked before each block that leaves.
type around struct {
	source *surroundings.Source
	last   atomic.Pointer[budget.Surroundings]
}

// now is what was seen last.
func (a *around) now() budget.Surroundings {
	if seen := a.last.Load(); seen != nil {
		return *seen
	}
	return budget.Surroundings{}
}

// look asks the system and tells whether anything has changed.
func (a *around) look(ctx context.Context) (changed bool) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	seen := a.source.Look(ctx)
	if ctx.Err() != nil && a.last.Load() != nil {
		return false // an answer cut short says nothing
	}
	before := a.last.Swap(&seen)
	return before == nil || *before != seen
}

// watchSurroundings looks again and again until the engine closes.
func (e *Engine) watchSurroundings() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-tick.C:
		}
		if e.around.look(e.ctx) && e.peers != nil {
			e.peers.SettingsChanged() // what may be sent has changed
		}
		if e.peers != nil {
			e.peers.Reannounce() // the hour or the month's volume may have changed, too
		}
	}
}
