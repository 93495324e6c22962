package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/app/lab"
	"github.com/tributary-dl/tributary/engine/api"
)

const (
	natObject   = 8 << 20
	natEdge     = 10 * lab.Mbit           // so that a download from the edge alone takes seven seconds
	natPatience = 1500 * time.Millisecond // for a link, from the click
	lossRounds  = 20
	lossPercent = 5
)

// connects says whether ICE can find a direct path between two kinds of NAT without a relay: what the RFCs' mapping and
// filtering come to, and what a laboratory of independent programs saw. A router that answers strangers with ICMP may
// or may not lose the race with its own answer.
func connects(a, b lab.NAT) (direct, maybe bool) {
	symmetric := func(n lab.NAT) bool { return n == lab.Symmetric || n == lab.CGNATSymmetric }
	filters := func(n lab.NAT) bool { return n == lab.PortCone || n == lab.PortRej || n == lab.CGNAT }
	switch {
	case a == lab.UDPBlocked || b == lab.UDPBlocked:
		return false, false
	case symmetric(a) && (symmetric(b) || filters(b)), symmetric(b) && filters(a):
		return false, false
	case a == lab.PortRej && filters(b), b == lab.PortRej && filters(a):
		return false, true
	}
	return true, false
}

// meetings lets the real programs meet over every pair of NATs that the laboratory knows, and behind one router.
func (b *bench) meetings(ctx context.Context) error {
	l, err := lab.New("bench")
	if err != nil {
		return err
	}
	defer l.Close()
	n := &natLab{bench: b, lab: l, seeds: map[lab.NAT]*fleet.Daemon{}, users: map[lab.NAT]*fleet.Daemon{}, urls: map[lab.NAT]string{}, homes: map[lab.NAT][]*lab.Host{}}
	defer n.close()
	chosen, kinds, err := parsePairs(b.natPairs)
	if err != nil {
		return err
	}
	if err := n.settle(ctx, kinds); err != nil {
		return err
	}
	if len(chosen) > 0 {
		return n.single(ctx, chosen)
	}
	return n.measure(ctx)
}

// natPair is a seed and a user, each behind a kind of NAT.
type natPair struct{ seed, user lab.NAT }

// parsePairs reads a list such as fullcone-portrej,none-cgnat. An empty one needs all kinds.
func parsePairs(list string) (pairs []natPair, kinds []lab.NAT, err error) {
	if list == "" {
		return nil, lab.NATs, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		seed, user, _ := strings.Cut(text, "-")
		p := natPair{lab.NAT(seed), lab.NAT(user)}
		if !slices.Contains(lab.NATs, p.seed) || !slices.Contains(lab.NATs, p.user) {
			return nil, nil, fmt.Errorf("-pairs: %q is not a pair of %v", text, lab.NATs)
		}
		pairs, kinds = append(pairs, p), append(kinds, p.seed, p.user)
	}
	slices.Sort(kinds)
	return pairs, slices.Compact(kinds), nil
}

// single plays chosen pairs, one after another.
func (n *natLab) single(ctx context.Context, pairs []natPair) error {
	if n.bench.natLoss {
		for _, homes := range n.homes {
			if err := lose(homes); err != nil {
				return err
			}
		}
	}
	for _, p := range pairs {
		cell, err := n.pair(ctx, p.seed, p.user)
		if err != nil {
			return fmt.Errorf("%s and %s: %w", p.seed, p.user, err)
		}
		fmt.Fprintf(os.Stderr, "seed behind %s, user behind %s: %s\n", p.seed, p.user, cell)
	}
	n.report(len(pairs))
	return nil
}

// natLab has a device with an object of its own and one without behind each kind of NAT.
type natLab struct {
	bench        *bench
	lab          *lab.Lab
	edge         *lab.Host
	control      *fleet.Control
	seeds, users map[lab.NAT]*fleet.Daemon
	urls         map[lab.NAT]string // of the object that only the seed of that kind holds
	homes        map[lab.NAT][]*lab.Host

	table   strings.Builder
	met     []float64 // seconds from the click to the first peer, of pairs that connect
	steady  []float64 // lowest rate of the edge, in percent of its line, of pairs that do not
	wrong   int       // pairs that did other than ICE can
	missing []string
}

func (n *natLab) close() {
	for _, daemons := range []map[lab.NAT]*fleet.Daemon{n.seeds, n.users} {
		for _, d := range daemons {
			d.Kill()
		}
	}
	if n.control != nil {
		n.control.Stop()
	}
}

func (n *natLab) settle(ctx context.Context, kinds []lab.NAT) (err error) {
	if n.edge, err = n.lab.Host("edge", lab.HostOptions{}); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(n.bench.scratch, "control-")
	if err != nil {
		return err
	}
	if n.control, err = n.bench.programs.Control(n.edge, fleet.ControlOptions{Data: filepath.Join(dir, "data"), Listen: n.edge.Addr() + ":443"}); err != nil {
		return err
	}
	for i, kind := range kinds {
		file := filepath.Join(dir, string(kind)+".bin")
		if err := writeNoise(file, natObject+int64(i)); err != nil {
			return err
		}
		urls, err := n.control.Publish(ctx, "", file)
		if err != nil {
			return err
		}
		n.urls[kind] = urls[0]
		home, err := n.lab.Host("seed"+string(kind), lab.HostOptions{NAT: kind})
		if err != nil {
			return err
		}
		if n.seeds[kind], err = n.bench.service(ctx, home, n.control, api.SharingOn); err != nil {
			return err
		}
		away, err := n.lab.Host("user"+string(kind), lab.HostOptions{NAT: kind})
		if err != nil {
			return err
		}
		if n.users[kind], err = n.bench.service(ctx, away, n.control, api.SharingOff); err != nil {
			return err
		}
		n.homes[kind] = []*lab.Host{home, away}
		if _, _, err := download(ctx, n.seeds[kind], n.urls[kind]); err != nil {
			return err
		}
	}
	return n.edge.SetLine(lab.Line{Up: natEdge})
}

func (n *natLab) measure(ctx context.Context) error {
	fmt.Fprintf(&n.table, "%-10s", "")
	for _, b := range lab.NATs {
		fmt.Fprintf(&n.table, "%11s", b)
	}
	n.table.WriteString("\n")
	for i, a := range lab.NATs {
		fmt.Fprintf(&n.table, "%-10s%s", a, strings.Repeat(" ", 11*i))
		for _, b := range lab.NATs[i:] {
			cell, err := n.pair(ctx, a, b)
			if err != nil {
				return fmt.Errorf("%s and %s: %w", a, b, err)
			}
			fmt.Fprintf(&n.table, "%11s", cell)
		}
		n.table.WriteString("\n")
	}
	fmt.Fprintf(os.Stderr, "seconds from the click to the first peer; edge: no path, served by the edge alone; ! other than ICE can\n%s", n.table.String())
	n.report(len(lab.NATs) * (len(lab.NATs) + 1) / 2)
	if err := n.sameLAN(ctx); err != nil {
		return fmt.Errorf("same LAN: %w", err)
	}
	return n.loss(ctx)
}

// report adds the figures of the pairs that were played.
func (n *natLab) report(pairs int) {
	b := n.bench
	b.atMost("NAT pairs: not as ICE can", "", 0, []float64{float64(n.wrong)}, fmt.Sprintf("of %d; %s", pairs, strings.Join(n.missing, ", ")))
	if len(n.met) > 0 {
		b.atMost("NAT pairs: click to first peer, p95", "s", natPatience.Seconds(), []float64{percentile(n.met, 0.95)}, fmt.Sprintf("%d pairs, median %.2f s", len(n.met), median(n.met)))
	}
	if len(n.steady) > 0 {
		b.atLeast("NAT pairs without a path: lowest rate of the edge", "%", 90, n.steady, fmt.Sprintf("of its line, over %s; the worst of %d downloads: %.0f", dipWindow, len(n.steady), slices.Min(n.steady)))
	}
}

// pair has the user behind b ask for what the seed behind a holds.
func (n *natLab) pair(ctx context.Context, a, b lab.NAT) (cell string, err error) {
	direct, maybe := connects(a, b)
	took, lowest, err := n.meet(ctx, n.users[b], n.urls[a], direct)
	if err != nil {
		return "", err
	}
	if took > 0 {
		cell = fmt.Sprintf("%.2f", took.Seconds())
	} else {
		cell = "edge"
		n.steady = append(n.steady, 100*lowest)
	}
	if took > 0 && direct {
		n.met = append(n.met, took.Seconds())
	}
	if (took > 0) != direct && !maybe {
		cell += "!"
		n.wrong++
		n.missing = append(n.missing, fmt.Sprintf("%s–%s", a, b))
	}
	return cell, nil
}

// meet downloads until there is a peer or the download has ended, and removes it. took is how long the first peer
// took, 0 if there was none; lowest is the lowest rate of the edge meanwhile, as a share of its line.
func (n *natLab) meet(ctx context.Context, d *fleet.Daemon, url string, direct bool) (took time.Duration, lowest float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	began := time.Now()
	added, err := d.Add(ctx, api.AddRequest{URL: url})
	if err != nil {
		return 0, 0, err
	}
	rates := make(chan float64, 1)
	over := make(chan struct{})
	go func() { rates <- lowestRate(n.edge, natEdge, over) }()
	s, err := d.Until(ctx, added.ID, func(s api.Download) bool { return s.Peers > 0 || fleet.Ended(s) })
	if s.Peers > 0 || s.BytesFromPeers > 0 { // a peer without a line's limit can have given all before it was shown
		took = time.Since(began)
	}
	close(over)
	lowest = <-rates
	if err == nil && s.State == api.StateFailed {
		err = fmt.Errorf("the download failed: %s", s.Problem.Text)
	}
	if err == nil && direct && took == 0 {
		fmt.Fprintf(os.Stderr, "no peer for %s: %s\n", url, s.Note)
	}
	if err != nil {
		return 0, 0, err
	}
	return took, lowest, d.Remove(ctx, added.ID, true)
}

// dipWindow is the time over which a rate is judged: a pause that a user could notice.
const dipWindow = 500 * time.Millisecond

// lowestRate watches what an edge sends until over is closed, and returns the lowest rate over a window as a share of the line.
// The first window, in which a download begins, and the last, in which it ends, do not count.
func lowestRate(edge *lab.Host, line lab.Rate, over <-chan struct{}) float64 {
	tick := time.NewTicker(dipWindow)
	defer tick.Stop()
	var shares []float64
	last, err := edge.Counters()
	at := time.Now()
	for {
		select {
		case <-over:
			if len(shares) < 3 || err != nil {
				return 1 // too short to tell
			}
			return slices.Min(shares[1 : len(shares)-1])
		case <-tick.C:
		}
		var next lab.Counters
		if next, err = edge.Counters(); err != nil {
			return 0
		}
		now := time.Now()
		shares = append(shares, float64(next.Out-last.Out)*8/now.Sub(at).Seconds()/float64(line))
		last, at = next, now
	}
}

// sameLAN lets two devices of one home meet, whose router gives each other's packets no way around.
func (n *natLab) sameLAN(ctx context.Context) error {
	site, err := n.lab.Site("home", lab.Symmetric, lab.Line{})
	if err != nil {
		return err
	}
	var devices []*fleet.Daemon
	for _, name := range []string{"desk", "couch"} {
		host, err := site.Host(name, lab.Line{})
		if err != nil {
			return err
		}
		d, err := n.bench.service(ctx, host, n.control, api.SharingLAN)
		if err != nil {
			return err
		}
		defer d.Kill()
		devices = append(devices, d)
	}
	if _, _, err := download(ctx, devices[0], n.urls[lab.UDPBlocked]); err != nil {
		return err
	}
	var times []float64
	for range n.bench.runs {
		took, _, err := n.meet(ctx, devices[1], n.urls[lab.UDPBlocked], true)
		if err != nil {
			return err
		}
		if took == 0 {
			took = time.Minute
		}
		times = append(times, took.Seconds())
	}
	n.bench.atMost("same LAN, behind a symmetric NAT: click to first peer", "s", natPatience.Seconds(), times, "sharing on the LAN only")
	return nil
}

// lose makes homes lose packets from now on.
func lose(homes []*lab.Host) error {
	for _, h := range homes {
		if err := h.LoseUDP(lossPercent); err != nil {
			return err
		}
	}
	return nil
}

// loss lets two homes meet again and again while both lose packets.
func (n *natLab) loss(ctx context.Context) error {
	if err := lose(n.homes[lab.PortCone]); err != nil {
		return err
	}
	var times []float64
	for range lossRounds {
		took, _, err := n.meet(ctx, n.users[lab.PortCone], n.urls[lab.PortCone], true)
		if err != nil {
			return err
		}
		if took == 0 {
			took = time.Minute
		}
		times = append(times, took.Seconds())
	}
	n.bench.atMost(fmt.Sprintf("%d%% of UDP lost at both homes: click to first peer, p95", lossPercent), "s", natPatience.Seconds(),
		[]float64{percentile(times, 0.95)}, fmt.Sprintf("%d meetings, median %.2f s, longest %.2f s", len(times), median(times), slices.Max(times)))
	return nil
}

// percentile returns a quantile of a list; 0 if it is empty.
func percentile(list []float64, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}
