package download

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

const (
	megabit     = 1e6 / 8 // bytes
	meetAtOnce  = 4       // peers that a guest meets in a second
	enoughPeers = 12      // that it looks for; more may find it
)

// flashCrowd is a number of users who start with nothing, one soon after the other, at an edge that is no faster than one
// of them. Rates are in bytes a second.
type flashCrowd struct {
	guests         int
	size           int
	within         time.Duration // all have begun
	up, down, edge float64
	mode           protocol.Mode
}

// bound is the least time in which a fluid could reach all (Kumar and Ross, Peer-Assisted File Distribution, 2006).
func (c flashCrowd) bound() float64 {
	size, n := float64(c.size), float64(c.guests)
	return max(size/c.edge, size/c.down, n*size/(c.edge+n*c.up))
}

// guest is one of a crowd: real actor, disk, HTTP client and piece engine.
type guest struct {
	*world
	others []*guest
	number int
	id     swarm.PeerID
	engine *swarm.Engine

	mu    sync.Mutex // guards the field below
	swarm *swarm.Swarm
}

// TestFlashCrowd shows that a crowd feeds itself while all are near the start. What it must reach is less than what it does, as
// the order of events is not the same in each run; DECISIONS.md of the scheduler has figures of larger crowds.
func TestFlashCrowd(t *testing.T) {
	for _, c := range []struct {
		flashCrowd
		offload, slower float64 // at least; than the bound, at most
	}{
		{flashCrowd{guests: 12, size: 24e6, within: 2 * time.Second, up: 10 * megabit, down: 50 * megabit, edge: 30 * megabit, mode: protocol.ModeSpeed}, 0.68, 1.45},
		{flashCrowd{guests: 12, size: 24e6, within: 2 * time.Second, up: 10 * megabit, down: 50 * megabit, edge: 30 * megabit, mode: protocol.ModeOffload}, 0.85, 1.6},
	} {
		t.Run(string(c.mode), func(t *testing.T) {
			offload, last, wasted := c.run(t)
			t.Logf("the last was done after %.1f s, %.2f times the bound; offload %.0f%%, wasted %.2f%%", last, last/c.bound(), 100*offload, 100*wasted)
			if last > c.slower*c.bound() || offload < c.offload {
				t.Errorf("%.2f times the bound at %.0f%% offload; want at most %.2f and at least %.0f%%", last/c.bound(), 100*offload, c.slower, 100*c.offload)
			}
			if wasted > 0.02 {
				t.Errorf("%.1f%% were wasted", 100*wasted)
			}
		})
	}
}

// run returns shares of all bytes, and how long the slowest took, in seconds.
func (c flashCrowd) run(t *testing.T) (offload, last, wasted float64) {
	object := publish(t, c.size, 9, c.mode)
	synctest.Test(t, func(t *testing.T) {
		shared := &world{object: object, edge: newHost(c.edge, 100*mib)}
		door := newDoor(shared.edge)
		server := &http.Server{Handler: http.HandlerFunc(shared.serve)}
		go server.Serve(door)
		t.Cleanup(func() { server.Close() })
		guests := make([]*guest, c.guests)
		for k := range guests {
			guests[k] = c.invite(t, k, guests, shared, door)
		}
		for k, g := range guests {
			r := record(edgeURL)
			r.ReportID[0] = byte(k)
			g.start(r)
			time.Sleep(c.within / time.Duration(c.guests))
		}
		for _, g := range guests {
			s := g.wait("completion", in(api.StateComplete, api.StateFailed))
			if s.State != api.StateComplete {
				t.Fatalf("%s: %+v", s.State, s.Problem)
			}
			last = max(last, s.Active)
			offload += float64(s.BytesFromPeers)
			wasted += float64(s.BytesWasted)
		}
	})
	all := float64(c.guests * c.size)
	return offload / all, last, wasted / all
}

func (c flashCrowd) invite(t *testing.T, number int, others []*guest, shared *world, door *door) *guest {
	const headers = 0.95 // what is left of a line for payload
	g := &guest{others: others, number: number, engine: newSwarmEngine(t, headers*c.up)}
	g.id[0] = byte(number + 1)
	g.world = &world{bench: newBench(t), object: shared.object, user: newHost(c.up, c.down), edge: shared.edge}
	g.patience = time.Hour
	g.settings.Sharing = api.SharingOn
	t.Cleanup(g.user.flows.Wait)
	client := edge.NewClient(edge.Config{Log: g.config.Log,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return door.dial(ctx, g.user) }})
	t.Cleanup(client.Close)
	g.config.Edge, g.config.Peering = client, g
	return g
}

// Join implements Peering.
func (g *guest) Join(o Object, _ bool) (Swarm, error) {
	sw, err := g.engine.Join(contentOf(o.Manifest), o.Data, hearer{o.Observer})
	if err != nil {
		return nil, err
	}
	sw.SetUpload(func(swarm.PeerID) bool { return true })
	g.mu.Lock()
	g.swarm = sw
	g.mu.Unlock()
	m := &membership{Swarm: sw, crowd: &crowd{joined: map[protocol.ContentID]*membership{}}, content: o.Manifest.ID, pieces: o.Manifest.Pieces(), number: figure(g.id)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.once.Do(func() { m.work.Go(func() { g.mingle(m.ctx, sw) }) })
	return m, nil
}

// present is the swarm that the guest is in, nil before it has come.
func (g *guest) present() *swarm.Swarm {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.swarm
}

// mingle meets some of those who are there each second.
func (g *guest) mingle(ctx context.Context, own *swarm.Swarm) {
	for wait := meetingTime; len(own.Peers()) < enoughPeers; wait = time.Second {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		connected := map[swarm.PeerID]bool{}
		for _, p := range own.Peers() {
			connected[p.ID] = true
		}
		met := 0
		for step := 1; step < len(g.others) && met < meetAtOnce; step++ {
			other := g.others[(g.number+7*step)%len(g.others)]
			theirs := other.present()
			if other == g || connected[other.id] || theirs == nil {
				continue
			}
			here, there, err := connect(g.user, other.user, anyRoom)
			if err != nil {
				continue
			}
			met++
			own.Offer(other.id, here, true, swarm.OfferOptions{MayServe: true, Label: string(api.PathDirect)})
			theirs.Offer(g.id, there, false, swarm.OfferOptions{MayServe: true})
		}
	}
}
