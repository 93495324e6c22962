package main

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// summary compares the two downloads and checks the file.
func (p *performance) summary(alone time.Duration, r result) error {
	size, sum, err := hashFile(r.Path)
	if err != nil {
		return err
	}
	if size != p.size || sum != p.sha256 {
		return errors.New("the downloaded file is not the original: this must never happen")
	}
	offload := (100*r.BytesFromPeers + p.size/2) / p.size
	p.title("What happened")
	p.say("  the file is the original: SHA-256 %s", sum)
	p.say("  time         %.1f s; the edge alone needed %.1f s, %.1f times as long",
		r.took.Seconds(), alone.Seconds(), alone.Seconds()/r.took.Seconds())
	p.say("  from peers   %s, %d%% (what the edge did not have to send)", megabytes(r.BytesFromPeers), offload)
	p.say("  from edge    %s, %d%%", megabytes(r.BytesFromEdge), 100-offload)
	p.say("  for nothing  %s (came twice or wrong)", megabytes(r.BytesWasted))
	p.say("")
	for i, peer := range p.peers {
		p.say("  %s sent %9s, %s", peer.name, megabytes(r.given[i]), peer.stands)
	}
	for _, name := range slices.Sorted(maps.Keys(r.sources)) {
		s := r.sources[name]
		p.say("  %s, as the client knows it: %9s, reached %s", name, megabytes(s.Received), pathWords[s.Path])
	}
	return nil
}

var pathWords = map[api.PathKind]string{
	api.PathLAN:     "on the local network",
	api.PathDirect:  "directly, through both routers",
	api.PathIPv6:    "directly, by IPv6",
	api.PathRelayed: "through a relay",
}
