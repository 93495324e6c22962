package peering

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
)

// grantAgain is how long a grant that could not be renewed or shown is left alone.
const grantAgain = time.Minute

// admission is whether a peer may be sent payload: it may until the grant ends that it showed last. The zero value
// admits nobody.
type admission struct{ until atomic.Int64 } // Unix seconds

// extend takes a grant that was judged good.
func (a *admission) extend(g protocol.Grant) {
	a.until.Store(g.Expires.Add(protocol.GrantTolerance).Unix())
}

func (a *admission) holds() bool { return time.Now().Unix() < a.until.Load() }

// judge checks the grant that a peer shows before anything is sent to it.
func (m *member) judge(sealed []byte, peer protocol.DeviceKey) (protocol.Grant, error) {
	g, err := protocol.OpenGrant(sealed, m.object.Manifest.Terms.GrantKey, time.Now())
	switch {
	case err != nil:
		return g, err
	case g.Content != m.content():
		return g, errors.New("the grant is for another object")
	case g.Device != peer:
		return g, errors.New("the grant is another device's")
	}
	return g, nil
}

// errComplete says that nothing is asked of peers any more.
var errComplete = errors.New("the object is complete")

// neededGrant is ensureGrant as long as pieces are missing.
func (m *member) neededGrant() ([]byte, time.Time, error) {
	if m.complete() {
		return nil, time.Time{}, errComplete
	}
	return m.ensureGrant()
}

// shower is a link on which grants can be shown.
type shower interface {
	Show(ctx context.Context, grant []byte) error
	Ended() <-chan struct{}
}

// keepShown shows the peer a new grant before the one that it saw ends, and at once if it saw none (end is zero). It
// returns when the link or ctx ends, or when grant says errComplete.
func keepShown(ctx context.Context, link shower, end time.Time, grant func() ([]byte, time.Time, error), log *slog.Logger) {
	wait := time.Duration(0)
	if !end.IsZero() {
		wait = untilRenewal(end)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-link.Ended():
			return
		case <-time.After(wait):
		}
		sealed, renewed, err := grant()
		if errors.Is(err, errComplete) {
			return
		}
		if err == nil {
			err = link.Show(ctx, sealed)
		}
		if err != nil {
			log.Debug("showing a new grant", "err", err)
			wait = grantAgain
			continue
		}
		wait = untilRenewal(renewed)
	}
}

// untilRenewal says when a grant is to be replaced. Chance lets one link of an object fetch the new one first, so that
// the others find it there.
func untilRenewal(end time.Time) time.Duration {
	return max(grantAgain, time.Until(end)-grantReserve+rand.N(grantReserve/2))
}
