package hybrid

import (
	"math/rand/v2"
	"testing"
	"time"
)

const mbit = 1e6 / 8

// world is a user's link with an edge and peers behind it, in steps of 10 ms. As measured with the real
// thing: the edge's TCP takes what it may; the peers' streams yield to it, and come back slowly when
// there is room again. Rates jitter.
type world struct {
	link, edge float64                       // bytes a second
	peers      func(t time.Duration) float64 // what all peers together can give
	size       float64
	peersAt    time.Duration // when the first peer is connected
	noise      float64
}

type outcome struct {
	seconds, offload float64
	edgeRate         []float64 // every 100 ms
}

func (w world) run(mode Mode) outcome {
	p := NewPacer(mode, int64(w.size))
	rng := rand.New(rand.NewPCG(1, 2))
	allowance := float64(Unlimited)
	var o outcome
	var fromEdge, fromPeers, edge, peers float64
	const dt = 10 * time.Millisecond
	for t := time.Duration(0); fromEdge+fromPeers < w.size; t += dt {
		if t > 10*time.Minute {
			o.seconds = t.Seconds()
			return o
		}
		wantEdge, can, connected := min(w.edge, allowance, w.link), 0.0, 0
		if t >= w.peersAt && mode != EdgeOnly {
			can, connected = w.peers(t), 1
			if can <= 0 {
				connected = 0
			} else if t == w.peersAt {
				peers = 0.3 * min(can, w.link) // streams start fast
			}
		}
		edge += (wantEdge - edge) * 0.15 // about 60 ms to follow
		room := max(w.link-edge, 0.3*min(can, w.link))
		switch top := min(can, room); {
		case peers > top:
			peers += (top - peers) * 0.05 // yields within a fifth of a second
		default:
			peers = min(top, peers+(peers+0.05*w.link)*dt.Seconds()) // doubles in a second
		}
		edge = min(edge, w.link-peers)
		jitter := 1 + w.noise*(rng.Float64()-0.5)
		fromEdge += edge * jitter * dt.Seconds()
		fromPeers += peers * jitter * dt.Seconds()
		if t%(100*time.Millisecond) == 0 {
			o.edgeRate = append(o.edgeRate, edge)
			allowance = p.Step(Sample{Now: t, EdgeBytes: int64(fromEdge), PeerBytes: int64(fromPeers),
				Remaining: int64(w.size - fromEdge - fromPeers), Peers: connected, EdgeAlive: true})
		}
		o.seconds = t.Seconds()
	}
	o.offload = fromPeers / (fromEdge + fromPeers)
	return o
}

func steady(rate float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return rate }
}

func TestPacerOnSteadyLinks(t *testing.T) {
	for _, c := range []struct {
		name                       string
		link, edge, peers, size    float64 // Mbit/s, Mbit/s, Mbit/s, MB
		mode                       Mode
		wantSeconds, slack         float64 // at most wantSeconds × slack
		wantOffload, atMostOffload float64
	}{
		{"link full of peers", 80, 40, 80, 200, Speed, 200 * 8 / 80., 1.05, 0.90, 1},
		{"more peers than the link carries", 80, 40, 160, 200, Speed, 200 * 8 / 80., 1.05, 0.90, 1},
		{"weak peers help", 80, 40, 20, 200, Speed, 200 * 8 / 60., 1.05, 0.30, 0.36},
		{"edge fills the link, peers could too", 50, 100, 50, 200, Speed, 200 * 8 / 50., 1.05, 0.85, 1},
		{"no peers", 80, 40, 0, 200, Speed, 200 * 8 / 40., 1.02, 0, 0},
		{"offload, weak peers", 80, 40, 20, 200, Offload, 200 * 8 / 40., 1.03, 0.45, 0.52},
		{"offload, strong peers", 80, 40, 60, 200, Offload, 200 * 8 / 40., 1.03, 0.90, 1},
		{"offload, no peers", 80, 40, 0, 200, Offload, 200 * 8 / 40., 1.02, 0, 0},
		{"edge only", 80, 40, 80, 200, EdgeOnly, 200 * 8 / 40., 1.02, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{link: c.link * mbit, edge: c.edge * mbit, peers: steady(c.peers * mbit), size: c.size * 1e6,
				peersAt: 300 * time.Millisecond, noise: 0.2}
			o := w.run(c.mode)
			t.Logf("%.1f s (bound %.1f), offload %.1f%%", o.seconds, c.wantSeconds, 100*o.offload)
			if o.seconds > c.wantSeconds*c.slack {
				t.Errorf("took %.1f s; want at most %.2f × %.1f s", o.seconds, c.slack, c.wantSeconds)
			}
			if o.offload < c.wantOffload || o.offload > c.atMostOffload {
				t.Errorf("offload %.3f; want %.2f…%.2f", o.offload, c.wantOffload, c.atMostOffload)
			}
		})
	}
}

// The edge was fast before a crowd came. Then the plan for Offload must follow what it gives now, or the download
// would take all it can from the edge to its end.
func TestPlanFollowsAnEdgeThatHasLessToGive(t *testing.T) {
	p := NewPacer(Offload, 100e6)
	var edge, peers float64
	for now := time.Duration(0); now < 8*time.Second; now += 100 * time.Millisecond {
		rate := 50 * mbit
		if now > 2*time.Second {
			rate = 3 * mbit
			peers += 9 * mbit / 10
		}
		edge += rate / 10
		p.Step(Sample{Now: now, EdgeBytes: int64(edge), PeerBytes: int64(peers), Remaining: int64(100e6 - edge - peers), Peers: 5, EdgeAlive: true})
	}
	// What peers give may be what they push aside of the edge, so it cannot be told from less than the total.
	if got := p.AloneRate(); got > 1.2*12*mbit {
		t.Errorf("the edge alone is thought to give %.1f Mbit/s; it gives 3, and all together 12", got/mbit)
	}
}

// An edge that gives little beside what a crowd's members give each other rests, and then sends what nobody has; to
// one whose peers have everything it adds what it can.
func TestEdgeThatACrowdWaitsFor(t *testing.T) {
	for _, crowd := range []bool{true, false} {
		p := NewPacer(Speed, 1e9)
		var edge, peers float64
		rested := 0
		for now := time.Duration(0); now < 20*time.Second; now += 100 * time.Millisecond {
			if edge += 0.5 * mbit / 10; now > 3*time.Second {
				peers += 9 * mbit / 10 / float64(1+int(now.Seconds())%2) // they often wait for something to give
			}
			if p.Step(Sample{Now: now, EdgeBytes: int64(edge), PeerBytes: int64(peers), Remaining: 1e8, Peers: 5, Crowd: crowd, EdgeAlive: true}) == 0 && now > 10*time.Second {
				rested++
			}
		}
		t.Logf("in a crowd: %v; at rest in %d of the last 100 samples", crowd, rested)
		if crowd != (rested > 60) {
			t.Error("it should do so in a crowd, and otherwise not")
		}
	}
}

// Under Offload the edge rests while peers give enough, but to each of a crowd it gives a part of the second half.
func TestEdgesPartInACrowd(t *testing.T) {
	const size = 60e6
	for _, crowd := range []bool{true, false} {
		p := NewPacer(Offload, size)
		var edge, peers, early float64
		rate := 10 * mbit
		for now := time.Duration(0); edge+peers < size; now += 100 * time.Millisecond {
			edge += rate / 10
			if now > time.Second {
				peers += 12 * mbit / 10
			}
			if edge+peers < size*(1-crowdEnd) {
				early = edge
			}
			rate = min(10*mbit, p.Step(Sample{Now: now, EdgeBytes: int64(edge), PeerBytes: int64(peers), Remaining: int64(size - edge - peers),
				Peers: 5, Crowd: crowd, EdgeAlive: true}))
		}
		t.Logf("in a crowd: %v; the edge gave %.1f%%, %.1f%% in the first half", crowd, 100*edge/size, 100*early/size)
		if share := edge / size; early > 0.04*size || crowd && (share < 0.9*crowdShare || share > 1.1*crowdShare) || !crowd && edge > 1.1*early {
			t.Errorf("in a crowd: %v; the edge gave %.3f of the object, want %.3f, and nothing more than in the beginning otherwise", crowd, share, crowdShare)
		}
	}
}

// However little it is, the edge is all there is when a crowd falls silent.
func TestEdgeDoesNotRestWhenACrowdFallsSilent(t *testing.T) {
	const silence = 26 * time.Second
	p := NewPacer(Speed, 1e9)
	var edge, peers float64
	for now := time.Duration(0); now < silence+5*time.Second; now += 100 * time.Millisecond {
		if edge += 0.5 * mbit / 10; now > 3*time.Second && now < silence {
			peers += 9 * mbit / 10 / float64(1+int(now.Seconds())%2) // the more they waited, the longer it does not look again
		}
		allowed := p.Step(Sample{Now: now, EdgeBytes: int64(edge), PeerBytes: int64(peers), Remaining: 1e8, Peers: 5, Crowd: true, EdgeAlive: true})
		if now > silence+1200*time.Millisecond && allowed < 0.5*mbit {
			t.Fatalf("%s after the silence began the edge may give %.0f bytes a second", now-silence, allowed)
		}
	}
}

func TestPacerGivesTheEdgeBackWithinASecondWhenPeersFallSilent(t *testing.T) {
	const death = 10 * time.Second
	w := world{link: 80 * mbit, edge: 40 * mbit, size: 300e6, noise: 0.2, peersAt: 300 * time.Millisecond}
	alive := 80 * mbit
	w.peers = func(now time.Duration) float64 {
		if now >= death {
			return 1 // connected, but nothing comes: nobody has said that they are gone
		}
		return alive
	}
	o := w.run(Speed)
	for i, rate := range o.edgeRate {
		if at := time.Duration(i) * 100 * time.Millisecond; at >= death+time.Second && at < death+5*time.Second && rate < 0.9*w.edge {
			t.Fatalf("%.1f s after the peers fell silent the edge runs at %.0f%%", (at - death).Seconds(), 100*rate/w.edge)
		}
	}
}

func TestPacerNoticesPeersThatFadeSlowly(t *testing.T) {
	w := world{link: 80 * mbit, edge: 40 * mbit, size: 600e6, noise: 0.1, peersAt: 300 * time.Millisecond}
	w.peers = func(now time.Duration) float64 { return max(10, 80-now.Seconds()*2) * mbit }
	o := w.run(Speed)
	// Fluid bound: link full while peers + edge >= 80, then peers + 40.
	var bound, got float64
	for got < w.size {
		got += min(w.link, w.peers(time.Duration(bound*1e9))+w.edge) * 0.01
		bound += 0.01
	}
	t.Logf("%.1f s, bound %.1f s, offload %.2f", o.seconds, bound, o.offload)
	if o.seconds > 1.12*bound {
		t.Errorf("took %.1f s; the fluid bound is %.1f s", o.seconds, bound)
	}
}

// The edge may have under way what fills the line and a short queue, less while it is held back, and more as soon as that
// turns out to be too little.
func TestWindow(t *testing.T) {
	const rtt = 30 * time.Millisecond
	p := NewPacer(Speed, 1e9)
	if p.Window(rtt) != Unlimited {
		t.Error("a window though nothing is known of the line")
	}
	var now time.Duration
	var edge, peers float64
	run := func(d time.Duration, edgeRate, peerRate float64) {
		for end := now + d; now < end; now += 100 * time.Millisecond {
			edge, peers = edge+edgeRate/10, peers+peerRate/10
			p.Step(Sample{Now: now, EdgeBytes: int64(edge), PeerBytes: int64(peers), Remaining: int64(1e9 - edge - peers), Peers: 3, EdgeAlive: true})
		}
	}
	run(time.Second, 5e6, 1e6)
	full := 6e6 * (rtt + StandingQueue).Seconds()
	if got := p.Window(rtt); got < 0.95*full || got > 1.2*full {
		t.Errorf("window of %.0f bytes; want %.0f", got, full)
	}
	run(700*time.Millisecond, 3e6, 1e6) // the total is not called sunk yet
	if got := p.Window(rtt); got < 1.5*full {
		t.Errorf("window of %.0f bytes while the line is a third empty; want more than %.0f", got, 1.5*full)
	}
	if p := NewPacer(EdgeOnly, 1e9); p.Window(rtt) != Unlimited {
		t.Error("a window though nobody else sends")
	}
}
