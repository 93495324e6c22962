// Package allowance bounds how often each of many strangers may do something. It must never shut out those
// who keep to their allowance because of those who do not.
package allowance

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxKeys bounds the memory that strangers can make us use, at about 200 bytes each.
const maxKeys = 50_000

// Allowances give each key so much a second. They are safe for concurrent use.
type Allowances struct {
	rate  rate.Limit
	burst int

	mu    sync.Mutex
	byKey map[string]*rate.Limiter
}

// New returns allowances of perSecond, and of burst at once after a time of silence.
func New(perSecond float64, burst int) *Allowances {
	return &Allowances{rate: rate.Limit(perSecond), burst: burst, byKey: map[string]*rate.Limiter{}}
}

// Take uses up one of key's allowance. If none is left it changes nothing and returns how long until one is.
func (a *Allowances) Take(key string, now time.Time) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	limiter := a.byKey[key]
	if limiter == nil {
		if len(a.byKey) >= maxKeys {
			clear(a.byKey) // everyone starts afresh: a flood of keys must not shut out those that are honest
		}
		limiter = rate.NewLimiter(a.rate, a.burst)
		a.byKey[key] = limiter
	}
	if limiter.AllowN(now, 1) {
		return 0
	}
	missing := 1 - limiter.TokensAt(now)
	return max(time.Duration(missing/float64(a.rate)*float64(time.Second)), time.Millisecond)
}

// Network returns what one client can change at will no part of: an IPv4 address, or the /64 of an IPv6 one.
func Network(address netip.Addr) string {
	address = address.Unmap()
	if address.Is6() {
		if prefix, err := address.WithZone("").Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return address.String()
}
