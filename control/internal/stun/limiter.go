package stun

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// What one source may ask. A client sends a handful of requests when its network changes, and up to 25 a second while it
// uploads to peers whose lines are full; a household of those fits, and so does a whole building of the others.
const (
	perSecond = 50
	burst     = 100
	buckets   = 8192
)

// limiter holds one token bucket for each source in a table of fixed size: a flood of made-up sources
// costs no memory, and in the worst case has a few honest ones share their bucket with it.
type limiter struct {
	seed maphash.Seed

	mu    sync.Mutex
	table [buckets]bucket
}

type bucket struct {
	used float64 // tokens taken and not yet given back
	at   time.Time
}

func newLimiter() *limiter { return &limiter{seed: maphash.MakeSeed()} }

// allow takes a token of the source: an IPv4 address, or a /64.
func (l *limiter) allow(source netip.Addr, now time.Time) bool {
	source = source.Unmap()
	if source.Is6() {
		prefix, _ := source.WithZone("").Prefix(64) // 64 bits are always there
		source = prefix.Addr()
	}
	b := &l.table[maphash.Comparable(l.seed, source)%buckets]
	l.mu.Lock()
	defer l.mu.Unlock()
	b.used = max(0, b.used-now.Sub(b.at).Seconds()*perSecond)
	b.at = now
	if b.used+1 > burst {
		return false
	}
	b.used++
	return true
}
