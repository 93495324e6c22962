package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// summary compares the two downloads and checks the file.
func (p *performance) summary(ctx context.Context, alone time.Duration, r result) error {
	size, sum, err := hashFile(r.Path)
	if err != nil {
		return err
	}
	if size != p.size || sum != p.sha256 {
		return errors.New("the downloaded file is not the original: this must never happen")
	}
	verified := r.BytesFromEdge + r.BytesFromPeers
	share := func(n int64) int64 { return 100 * n / max(1, verified) }
	p.title("What happened")
	p.say("  the file is the original: SHA-256 %s", sum)
	p.say("  time         %.1f s; the edge alone needed %.1f s, %.1f times as long",
		r.took.Seconds(), alone.Seconds(), alone.Seconds()/r.took.Seconds())
	p.say("  from peers   %s, %d%% (bytes the edge did not have to send)", megabytes(r.BytesFromPeers), share(r.BytesFromPeers))
	p.say("  from edge    %s, %d%%", megabytes(r.BytesFromEdge), share(r.BytesFromEdge))
	p.say("  for nothing  %s (came twice or wrong)", megabytes(r.BytesWasted))
	p.say("")
	for _, peer := range p.peers {
		sharing, err := peer.daemon.Sharing(ctx)
		if err != nil {
			return withLog(peer, err)
		}
		p.say("  %s gave %8s, %s", peer.name, megabytes(sharing.Today), peer.stands)
	}
	for _, name := range slices.Sorted(maps.Keys(r.sources)) {
		s := r.sources[name]
		p.say("  the client took %8s from peer %s, reached %s", megabytes(s.Received), name, pathWords[s.Path])
	}
	return nil
}

var pathWords = map[api.PathKind]string{
	api.PathLAN:     "on the local network",
	api.PathDirect:  "directly, through both routers",
	api.PathIPv6:    "directly, by IPv6",
	api.PathRelayed: "through a relay",
}
