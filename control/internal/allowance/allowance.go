package edge

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxAllowances bounds the memory that strangers can make us use, at about 200 bytes each.
const maxAllowances = 50_000

// allowances gives each key so many requests a second.
type allowances struct {
	rate  rate.Limit
	burst int

	mu    sync.Mutex
	byKey map[string]*rate.Limiter
}

func newAllowances(perSecond float64, burst int) *allowances {
	return &allowances{rate: rate.Limit(perSecond), burst: burst, byKey: map[string]*rate.Limiter{}}
}

// take uses up one request of key. If none is left it changes nothing and returns how long until one is.
func (a *allowances) take(key string, now time.Time) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	limiter := a.byKey[key]
	if limiter == nil {
		if len(a.byKey) >= maxAllowances {
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

// network returns what one client can change at will no part of: an IPv4 address, or the /64 of an IPv6 one.
func network(address string) string {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	addr := ap.Addr().Unmap()
	if addr.Is6() {
		if prefix, err := addr.WithZone("").Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}
