package peering

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
)

// far is the other end of a link: a holder that admits by what it is shown.
type far struct {
	admission
	ended chan struct{}
	shown int
}

func (f *far) Show(_ context.Context, grant []byte) error {
	g, err := protocol.OpenGrant(grant, edgeKey.Public().(ed25519.PublicKey), time.Now())
	if err != nil {
		return err
	}
	f.shown++
	f.extend(g)
	return nil
}

func (f *far) Ended() <-chan struct{} { return f.ended }

// A grant that was good when the link came up is not good for ever.
func TestAnAdmissionEndsWithItsGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a admission
		if a.holds() {
			t.Error("who showed nothing is admitted")
		}
		end := time.Now().Add(30 * time.Minute)
		a.extend(protocol.Grant{Expires: end})
		time.Sleep(30 * time.Minute)
		if !a.holds() {
			t.Error("clocks may differ by a minute")
		}
		time.Sleep(protocol.GrantTolerance)
		if a.holds() {
			t.Error("the grant has ended, and still counts")
		}
		a.extend(protocol.Grant{Expires: time.Now().Add(time.Hour)})
		if !a.holds() {
			t.Error("a new grant does not count")
		}
	})
}

// For hours a download shows new grants in time, through an edge that fails now and then; when nothing is missing any
// more it stops.
func TestGrantsAreRenewedWhileALinkLasts(t *testing.T) {
	for _, first := range []time.Duration{0, 20 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			holder := &far{ended: make(chan struct{})}
			var end time.Time
			if first > 0 {
				end = time.Now().Add(first)
				holder.extend(protocol.Grant{Expires: end})
			}
			asked := 0
			var complete atomic.Bool
			grant := func() ([]byte, time.Time, error) {
				asked++
				switch {
				case complete.Load():
					return nil, time.Time{}, errComplete
				case asked%3 == 0:
					return nil, time.Time{}, errors.New("the edge is away")
				}
				g := protocol.Grant{NotBefore: time.Now(), Expires: time.Now().Add(time.Hour)}
				return g.Seal(edgeKey), g.Expires, nil
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				keepShown(t.Context(), holder, end, grant, slog.New(slog.DiscardHandler))
			}()
			for range 6 * 60 {
				synctest.Wait()
				if !holder.holds() {
					t.Fatal("the holder was not shown a new grant in time")
				}
				time.Sleep(time.Minute)
			}
			synctest.Wait() // a grant may be shown at this very moment
			if holder.shown < 6 || holder.shown > 9 {
				t.Errorf("%d grants were shown in six hours", holder.shown)
			}
			complete.Store(true)
			<-ended
		})
	}
}

// Whoever is not there any more is shown nothing.
func TestNothingIsShownOnALinkThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		holder := &far{ended: make(chan struct{})}
		go close(holder.ended)
		keepShown(t.Context(), holder, time.Now().Add(time.Hour), func() ([]byte, time.Time, error) {
			t.Error("a grant was asked for")
			return nil, time.Time{}, errComplete
		}, slog.New(slog.DiscardHandler))
	})
}
