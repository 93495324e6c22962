package allowance

import (
	"net/netip"
	"strconv"
	"testing"
	"time"
)

func TestAllowancesComeBackAndStayBounded(t *testing.T) {
	a := New(2, 1)
	now := time.Now()
	if a.Take("x", now) != 0 || a.Take("x", now) != 500*time.Millisecond || a.Take("y", now) != 0 || a.Take("x", now.Add(500*time.Millisecond)) != 0 {
		t.Error("an allowance of 2 a second is not kept")
	}
	for i := range maxKeys + 10 {
		a.Take(strconv.Itoa(i), now)
	}
	if n := len(a.byKey); n > maxKeys {
		t.Errorf("%d keys are remembered", n)
	}
}

func TestNetworkIsWhatAClientCannotChange(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "::ffff:192.0.2.7": "192.0.2.7", "fe80::1%eth0": "fe80::/64",
	} {
		if got := Network(netip.MustParseAddr(address)); got != want {
			t.Errorf("Network(%s) = %q; want %q", address, got, want)
		}
	}
}
