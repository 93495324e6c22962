package peerlink

import (
	"errors"
	"net"
	"testing"

	"github.com/tributary-dl/tributary/control/protocol"
)

// What a peer shows later is judged like what it showed first, and the link carries on, or ends.
func TestGrantsAreShownOnAnOpenLink(t *testing.T) {
	ea, eb := listen(t, nil), listen(t, nil)
	inA, inB := introduce(ea, eb)
	seen := make(chan string, 10)
	judging := hello(nil)
	check := judging.Check
	judging.Check = func(grant []byte, peer protocol.DeviceKey) error {
		if peer != ea.DeviceKey() {
			t.Error("the grant is taken for that of another device")
		}
		seen <- string(grant)
		return check(grant, peer)
	}
	fromA, fromB := meet(ea, eb, inA, inB, hello(nil), judging)
	if fromA.err != nil || fromB.err != nil {
		t.Fatalf("Connect: dialer %v, acceptor %v", fromA.err, fromB.err)
	}
	a, b := fromA.link, fromB.link
	if err := a.Show(t.Context(), goodGrant); err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got != string(goodGrant) {
		t.Errorf("the peer saw %q", got)
	}
	exchange(t, a, b, 1<<20)
	exchange(t, b, a, 1<<20)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Show(t.Context(), goodGrant); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Show on a closed link: %v", err)
	}
}

// A bad grant, a grant for something else, or none at all ends the link.
func TestBadGrantsEndAnOpenLink(t *testing.T) {
	for name, show := range map[string]func(a *Link) error{
		"bad":  func(a *Link) error { return a.Show(t.Context(), badGrant) },
		"none": func(a *Link) error { return a.Show(t.Context(), nil) },
		"another object's": func(a *Link) error {
			a.about.Content[0]++
			return a.Show(t.Context(), goodGrant)
		},
	} {
		a, b := linked(t)
		if err := show(a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		<-b.Ended()
		<-a.Ended()
		if _, err := b.Write([]byte("payload")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: Write on the link: %v", name, err)
		}
	}
}
