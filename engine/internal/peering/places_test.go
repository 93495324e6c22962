package peering

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/internal/download"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

// holds tells which of the members has the object's place, by its position; -1 if not exactly one has.
func holds(members ...*member) int {
	holder := -1
	for k, m := range members {
		m.mu.Lock()
		left := m.left
		m.mu.Unlock()
		switch {
		case left || m.Totals().Behind:
		case holder >= 0:
			return -1
		default:
			holder = k
		}
	}
	return holder
}

// Of the downloads of one object one at a time has its peers: whoever came first of those who seek, before those who give.
func TestWhoHasAnObjectsPlace(t *testing.T) {
	s := open(t)
	complete := join(t, s, false)
	if holds(complete) != 0 {
		t.Fatal("the only one has no place")
	}
	first, second, third := join(t, s, true), join(t, s, true), join(t, s, false)
	check := func(what string, want int) {
		t.Helper()
		if got := holds(complete, first, second, third); got != want {
			t.Errorf("%s: the place is with %d; want %d", what, got, want)
		}
		if n := complete.control.Status().Holdings; n != 1 {
			t.Errorf("%s: %d objects are offered; want 1", what, n)
		}
	}
	check("a download beside a complete one", 1)
	first.Seek(false)
	check("the first is complete", 2)
	second.Leave()
	check("the second was paused", 1)
	first.Leave()
	if got := holds(complete, third); got != 0 {
		t.Errorf("all have left who were downloading; the place is with %d", got)
	}
	third.Leave()
	complete.Leave()
	if n := complete.control.Status().Holdings; n != 0 || len(s.members) != 0 {
		t.Errorf("%d objects are offered, %d known, after all have left", n, len(s.members))
	}
}

// Whoever steps back leaves the swarm before the next one joins it, keeps its counts, and can come back to it.
func TestOneSwarmAtATime(t *testing.T) {
	s := open(t)
	complete := join(t, s, false)
	if _, err := complete.ensureSwarm(); err != nil {
		t.Fatal(err)
	}
	next := join(t, s, true)
	if _, err := next.ensureSwarm(); err != nil {
		t.Errorf("the next one could not join: %v", err)
	}
	if _, err := complete.ensureSwarm(); err == nil || complete.joined() != nil {
		t.Error("whoever stepped back is in the swarm")
	}
	next.Leave()
	if _, err := complete.ensureSwarm(); err != nil {
		t.Errorf("coming back: %v", err)
	}
	complete.Leave()
}

// Whoever has the place only for a moment never waits for the one before it: the next one must.
func TestPlaceChangesHandsWhileASwarmIsBeingLeft(t *testing.T) {
	for _, end := range []struct {
		name string
		with func(m *member)
	}{
		{"it gives the place up", func(m *member) { m.Seek(false) }},
		{"it leaves", (*member).Leave},
	} {
		t.Run(end.name, func(t *testing.T) {
			s := open(t)
			complete := join(t, s, false)
			if _, err := complete.ensureSwarm(); err != nil {
				t.Fatal(err)
			}
			complete.turn.Lock() // it takes its time to leave the swarm
			moment, next := join(t, s, true), join(t, s, true)
			end.with(moment)
			joined := make(chan error)
			go func() {
				_, err := next.ensureSwarm()
				joined <- err
			}()
			select {
			case err := <-joined:
				t.Errorf("the next one did not wait: %v", err)
				complete.turn.Unlock()
				return
			case <-time.After(20 * time.Millisecond):
			}
			complete.turn.Unlock()
			if err := <-joined; err != nil {
				t.Errorf("the next one could not join: %v", err)
			}
			next.Leave()
		})
	}
}

// Who waits for the place reports like all others.
func TestWhoWaitsReports(t *testing.T) {
	s := open(t)
	first, second := join(t, s, true), join(t, s, true)
	second.object.ReportID[0] = 1
	first.ReportProgress(download.Progress{Sequence: 1})
	second.ReportProgress(download.Progress{Sequence: 1})
	if n := first.control.Status().PendingReports; n != 2 {
		t.Errorf("%d reports are handed in; want 2", n)
	}
}

// Whatever comes at once, there is one swarm at a time, and everybody gets out.
func TestPlacesFromAllSides(t *testing.T) {
	s := open(t)
	var sides sync.WaitGroup
	for side := range uint64(4) {
		sides.Go(func() {
			random := rand.New(rand.NewPCG(side, 1))
			for range 15 {
				m := join(t, s, random.IntN(2) == 0)
				for range random.IntN(6) {
					switch random.IntN(3) {
					case 0:
						m.Seek(random.IntN(2) == 0)
					case 1:
						ended := make(chan struct{})
						go func() {
							defer close(ended)
							if _, err := m.ensureSwarm(); err != nil && !errors.Is(err, swarm.ErrClosed) {
								t.Error(err)
							}
						}()
						<-ended
					default:
						time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
					}
				}
				m.Leave()
			}
		})
	}
	sides.Wait()
	if len(s.members) != 0 {
		t.Errorf("%d objects are known after all have left", len(s.members))
	}
}
