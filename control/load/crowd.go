package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tributary-dl/tributary/control/internal/ca"
	"github.com/tributary-dl/tributary/control/internal/publish"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// workers is how many clients are busy at once. The server does no more handshakes than 32 a core at a time,
// and resets who comes beyond.
const workers = 48

// crowd is all clients of one server.
type crowd struct {
	url      string
	roots    *x509.CertPool
	grantKey ed25519.PrivateKey // of the server's edge: grants are sealed here instead of asked for
	objects  int
	clients  []*client
	epoch    uint64 // of the node that all have had a session with

	signalling atomic.Bool // clients answer introductions
	counts     counts
	lives      context.Context // ends all clients
	end        context.CancelFunc
	work       sync.WaitGroup
}

// counts are of the command under way.
type counts struct{ failed, introductions, signals atomic.Int64 }

func (c *counts) reset() {
	c.failed.Store(0)
	c.introductions.Store(0)
	c.signals.Store(0)
}

func newCrowd(data, url string, objects int) (*crowd, error) {
	roots, err := ca.Pool(data)
	if err != nil {
		return nil, err
	}
	keys, err := publish.OpenKeys(filepath.Clean(data))
	if err != nil {
		return nil, err
	}
	c := &crowd{url: url, roots: roots, grantKey: keys.Grant, objects: max(1, objects)}
	c.lives, c.end = context.WithCancel(context.Background())
	return c, nil
}

func (c *crowd) close() {
	c.end()
	c.work.Wait()
}

// each calls f with every client, from a few goroutines at once, until f fails or ctx ends.
func (c *crowd) each(ctx context.Context, clients []*client, f func(context.Context, *client) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(clients) {
					return
				}
				if err := f(ctx, clients[i]); err != nil {
					cancel(err)
				}
			}
		})
	}
	work.Wait()
	return context.Cause(ctx)
}

// connect adds clients until there are total.
func (c *crowd) connect(ctx context.Context, total int) (int64, []time.Duration, error) {
	var fresh []*client
	for i := len(c.clients); i < total; i++ {
		fresh = append(fresh, newClient(c, i))
	}
	var waits samples
	err := c.each(ctx, fresh, func(ctx context.Context, one *client) error {
		began := time.Now()
		c.work.Go(func() { one.live(c.lives) })
		select {
		case <-one.loggedIn:
		case <-ctx.Done():
			return ctx.Err()
		}
		waits.add(time.Since(began))
		return nil
	})
	c.clients = append(c.clients, fresh...)
	if err == nil && len(fresh) > 0 {
		_, c.epoch, err = fresh[0].returned(ctx, 0)
	}
	return int64(len(fresh)), waits.list, err
}

// announce has every client announce objects of its own choice, the same ones each time.
func (c *crowd) announce(ctx context.Context, each, batch int) (int64, []time.Duration, error) {
	batch = min(max(batch, 1), protocol.MaxHoldings)
	var waits samples
	err := c.each(ctx, c.clients, func(ctx context.Context, one *client) error {
		began := time.Now()
		for from := 0; from < each; from += batch {
			a := &wire.Announce{}
			for k := from; k < min(from+batch, each); k++ {
				content := one.object(k)
				a.Holdings = append(a.Holdings, &wire.Announce_Holding{Content: content[:], CompletePercent: 100})
			}
			if err := one.send(ctx, &wire.ClientMessage{Body: &wire.ClientMessage_Announce{Announce: a}}); err != nil {
				return err
			}
		}
		if err := one.settle(ctx); err != nil {
			return err
		}
		waits.add(time.Since(began))
		return nil
	})
	return int64(each) * int64(len(c.clients)), waits.list, err
}

// lookup has clients look up in turn, each for an object that it does not announce. A client that has used up what one
// session is allowed is left alone for the rest of the time.
func (c *crowd) lookup(ctx context.Context, during time.Duration, want int) (int64, []time.Duration, error) {
	var answered atomic.Int64
	var waits samples
	over := time.Now().Add(during)
	for time.Now().Before(over) {
		var tired atomic.Int64
		err := c.each(ctx, c.clients, func(ctx context.Context, one *client) error {
			if time.Now().After(over) {
				return nil
			}
			began := time.Now()
			found, err := one.lookup(ctx, want)
			if err != nil {
				return err
			}
			if !found {
				tired.Add(1)
				c.counts.failed.Add(1)
				return nil
			}
			answered.Add(1)
			waits.add(time.Since(began))
			return nil
		})
		if err != nil {
			return 0, nil, err
		}
		if tired.Load() > int64(len(c.clients)/2) { // as fast as they may; more would only be refused
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return 0, nil, ctx.Err()
			}
		}
	}
	return answered.Load(), waits.list, nil
}

// await waits until every client has a session with a node that was started after the last connect or await, and
// returns how long they were away.
func (c *crowd) await(ctx context.Context) (int64, []time.Duration, error) {
	var waits samples
	var epoch uint64
	for _, one := range c.clients {
		away, now, err := one.returned(ctx, c.epoch)
		if err != nil {
			return 0, nil, err
		}
		epoch = now
		waits.add(away)
	}
	c.epoch = epoch
	return int64(len(c.clients)), waits.list, nil
}

// object names the object of a number.
func (c *crowd) object(number int) (id protocol.ContentID) {
	binary.BigEndian.PutUint64(id[8:], uint64(number))
	id[0] = 1
	return id
}

// samples are durations from many goroutines.
type samples struct {
	mu   sync.Mutex
	list []time.Duration
}

func (s *samples) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, d)
}

// quantile returns a quantile in seconds, 0 if there are no samples.
func quantile(list []time.Duration, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[int(q*float64(len(sorted)-1))].Seconds()
}

// chance returns a source of random numbers that is the same for the same client in every run.
func chance(client int) *rand.Rand { return rand.New(rand.NewPCG(1, uint64(client))) }
