package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/app/lab"
	"github.com/tributary-dl/tributary/engine/api"
)

// neighbourhood is an edge, a user and peers that hold the object, each behind a router, on shaped lines.
type neighbourhood struct {
	lab   *lab.Lab
	edge  *lab.Host
	user  *lab.Host
	c     *fleet.Control
	url   string
	peers []*fleet.Daemon
	size  int64
	bench *bench
}

type lines struct {
	link, edge, peer lab.Rate // the user's, the edge's uplink, each peer's uplink
	peers            int
	policy           string
	size             int64
}

func (b *bench) settle(ctx context.Context, w lines) (n *neighbourhood, err error) {
	l, err := lab.New("bench")
	if err != nil {
		return nil, err
	}
	n = &neighbourhood{lab: l, size: w.size, bench: b}
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	if n.edge, err = l.Host("edge", lab.HostOptions{}); err != nil {
		return nil, err
	}
	if n.user, err = l.Host("user", lab.HostOptions{NAT: lab.PortCone}); err != nil {
		return nil, err
	}
	if n.c, n.url, err = b.publisher(ctx, n.edge, n.edge.Addr()+":443", w.size, w.policy); err != nil {
		return nil, err
	}
	var hosts []*lab.Host
	for i := range w.peers {
		h, err := l.Host(fmt.Sprintf("peer%d", i), lab.HostOptions{NAT: lab.PortCone})
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
		d, err := b.service(ctx, h, n.c, api.SharingOn)
		if err != nil {
			return nil, err
		}
		n.peers = append(n.peers, d)
		if _, _, err := download(ctx, d, n.url); err != nil { // seeds take it while the lines are still free
			return nil, err
		}
	}
	if err := n.edge.SetLine(lab.Line{Up: w.edge}); err != nil {
		return nil, err
	}
	if err := n.user.SetLine(lab.Line{Down: w.link}); err != nil {
		return nil, err
	}
	for _, h := range hosts {
		if err := h.SetLine(lab.Line{Up: w.peer}); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (n *neighbourhood) close() {
	for _, d := range n.peers {
		d.Stop()
	}
	if n.c != nil {
		n.c.Stop()
	}
	n.lab.Close()
}

// result is one download, counted at the interfaces where that says more than the client.
type result struct {
	seconds  float64
	offload  float64
	wasted   float64 // share of the object
	download api.Download
}

// fetch downloads once with a fresh service at the user's.
func (n *neighbourhood) fetch(ctx context.Context, during func(*fleet.Daemon, string) error) (result, error) {
	d, err := n.bench.service(ctx, n.user, n.c, api.SharingOff)
	if err != nil {
		return result{}, err
	}
	defer d.Stop()
	before, err := n.edge.Counters()
	if err != nil {
		return result{}, err
	}
	began := time.Now()
	added, err := d.Add(ctx, api.AddRequest{URL: n.url})
	if err != nil {
		return result{}, err
	}
	if during != nil {
		if err := during(d, added.ID); err != nil {
			return result{}, err
		}
	}
	s, took, err := finish(ctx, d, added.ID, began)
	if err != nil {
		return result{}, err
	}
	os.Remove(s.Path)
	after, err := n.edge.Counters()
	if err != nil {
		return result{}, err
	}
	if counted := after.Out - before.Out; s.BytesFromEdge > counted {
		return result{}, fmt.Errorf("the client claims %d bytes from the edge, whose interface sent %d", s.BytesFromEdge, counted)
	}
	return result{seconds: took.Seconds(), offload: float64(s.BytesFromPeers) / float64(n.size), wasted: float64(s.BytesWasted) / float64(n.size), download: s}, nil
}

// seconds is how long size bytes take at a rate.
func seconds(size int64, r lab.Rate) float64 { return float64(size) * 8 / float64(r) }

const swarmSize = 200 << 20

// hybrid runs a swarm scenario and returns times against a bound, offloads and wasted shares.
func (b *bench) hybrid(ctx context.Context, w lines, bound float64) (times, offloads, wasted []float64, err error) {
	n, err := b.settle(ctx, w)
	if err != nil {
		return nil, nil, nil, err
	}
	defer n.close()
	for range b.runs {
		r, err := n.fetch(ctx, nil)
		if err != nil {
			return nil, nil, nil, err
		}
		times = append(times, r.seconds/bound)
		offloads = append(offloads, 100*r.offload)
		wasted = append(wasted, 100*r.wasted)
	}
	return times, offloads, wasted, nil
}

func (b *bench) strongPeers(ctx context.Context) error {
	w := lines{link: 80 * lab.Mbit, edge: 40 * lab.Mbit, peer: 20 * lab.Mbit, peers: 4, policy: "speed", size: swarmSize}
	times, offloads, wasted, err := b.hybrid(ctx, w, seconds(w.size, w.link))
	if err != nil {
		return err
	}
	b.atMost("strong peers, speed: time ÷ (size ÷ link)", "×", 1.10, times, "")
	b.atLeast("strong peers, speed: offload", "%", 85, offloads, "")
	b.atMost("strong peers, speed: wasted", "%", 2, wasted, "")
	return nil
}

func (b *bench) weakPeers(ctx context.Context) error {
	w := lines{link: 80 * lab.Mbit, edge: 40 * lab.Mbit, peer: 10 * lab.Mbit, peers: 2, policy: "speed", size: swarmSize}
	times, _, wasted, err := b.hybrid(ctx, w, seconds(w.size, 60*lab.Mbit))
	if err != nil {
		return err
	}
	b.atMost("weak peers, speed: time ÷ (size ÷ 60 Mbit/s)", "×", 1.10, times, "")
	b.atMost("weak peers, speed: wasted", "%", 2, wasted, "")
	return nil
}

func (b *bench) offload(ctx context.Context) error {
	w := lines{link: 80 * lab.Mbit, edge: 40 * lab.Mbit, peer: 10 * lab.Mbit, peers: 2, policy: "offload", size: swarmSize}
	n, err := b.settle(ctx, w)
	if err != nil {
		return err
	}
	defer n.close()
	var times, offloads, wasted []float64
	for range b.runs {
		r, err := n.fetch(ctx, nil)
		if err != nil {
			return err
		}
		to := filepath.Join(b.scratch, "rival.bin")
		alone, err := rival(ctx, n.user, "curl", "-s", "--cacert", n.c.CA(), "-o", to, n.url)
		if err != nil {
			return err
		}
		os.Remove(to)
		times = append(times, r.seconds/alone.Seconds())
		offloads = append(offloads, 100*r.offload)
		wasted = append(wasted, 100*r.wasted)
	}
	b.atMost("weak peers, offload: time ÷ curl from the edge", "×", 1.05, times, "")
	b.atLeast("weak peers, offload: offload", "%", 40, offloads, "the limit is 50")
	b.atMost("weak peers, offload: wasted", "%", 2, wasted, "")
	return nil
}

// peersKilled kills all peers at half and looks at the edge's interface: when does it run at full rate again?
func (b *bench) peersKilled(ctx context.Context) error {
	w := lines{link: 80 * lab.Mbit, edge: 40 * lab.Mbit, peer: 20 * lab.Mbit, peers: 4, policy: "speed", size: swarmSize}
	var back, wasted []float64
	for range b.runs {
		n, err := b.settle(ctx, w)
		if err != nil {
			return err
		}
		recovery := make(chan float64, 1)
		r, err := n.fetch(ctx, func(d *fleet.Daemon, id string) error {
			if _, err := d.Until(ctx, id, func(s api.Download) bool { return s.VerifiedBytes >= n.size/2 }); err != nil {
				return err
			}
			for _, p := range n.peers {
				p.Kill()
			}
			died := time.Now()
			go func() { recovery <- n.fullRateAfter(died, w.edge) }()
			return nil
		})
		if err == nil {
			back = append(back, <-recovery)
			wasted = append(wasted, 100*r.wasted)
		}
		n.peers = nil
		n.close()
		if err != nil {
			return err
		}
	}
	b.atMost("all peers killed: edge at full rate after", "s", 1, back, "")
	b.atMost("all peers killed: wasted", "%", 2, wasted, "")
	return nil
}

// fullRateAfter returns how many seconds after a moment the edge's interface began to send at 90% of its
// line, judged over 250 ms; ten if it did not.
func (n *neighbourhood) fullRateAfter(from time.Time, line lab.Rate) float64 {
	const window = 250 * time.Millisecond
	last, err := n.edge.Counters()
	at := time.Now()
	for err == nil && time.Since(from) < 10*time.Second {
		time.Sleep(window)
		var next lab.Counters
		if next, err = n.edge.Counters(); err != nil {
			break
		}
		now := time.Now()
		if rate := float64(next.Out-last.Out) * 8 / now.Sub(at).Seconds(); rate >= 0.9*float64(line) {
			return max(0, at.Sub(from).Seconds())
		}
		last, at = next, now
	}
	return 10
}

// peerLink takes a large object from one peer over an unshaped link. The edge is held to 1 Mbit/s, so that what
// is measured is the peer.
func (b *bench) peerLink(ctx context.Context) error {
	n, err := b.settle(ctx, lines{edge: lab.Mbit, peers: 1, policy: "speed", size: b.size})
	if err != nil {
		return err
	}
	defer n.close()
	var rates []float64
	for range b.runs {
		r, err := n.fetch(ctx, nil)
		if err != nil {
			return err
		}
		rates = append(rates, float64(n.size)/1e6/r.seconds)
	}
	b.atLeast("one peer, ICE and QUIC, unshaped veth", "MB/s", 100, rates, "both ends and the routers on this machine")
	return nil
}
