package session

import (
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

func TestRetryWaits(t *testing.T) {
	const long, short = time.Hour, time.Second
	always := func(f float64) func() float64 { return func() float64 { return f } }
	steps := []struct {
		what          string
		lived, window time.Duration
		least, most   time.Duration
	}{
		{"a long session is lost", long, 20 * time.Second, 0, 20 * time.Second},
		{"the dial fails", 0, 0, 0, time.Second},
		{"again", 0, 0, 0, 2 * time.Second},
		{"again", 0, 0, 0, 4 * time.Second},
		{"a session is lost at once", short, 20 * time.Second, 0, 28 * time.Second},
		{"again, and so on", 0, 0, 0, 16 * time.Second},
		{"", 0, 0, 0, 32 * time.Second},
		{"", 0, 0, 0, time.Minute},
		{"", 0, 0, 0, time.Minute},
		{"a long session: all is forgiven", long, 5 * time.Second, 0, 5 * time.Second},
		{"the dial fails", 0, 0, 0, time.Second},
	}
	var low, high retry
	for i, s := range steps {
		if got := low.next(s.lived, s.window, always(0)); got != s.least {
			t.Errorf("step %d, %s: shortest wait %v; want %v", i, s.what, got, s.least)
		}
		if got := high.next(s.lived, s.window, always(1)); got != s.most {
			t.Errorf("step %d, %s: longest wait %v; want %v", i, s.what, got, s.most)
		}
	}
	for range 1000 { // no overflow, however long the trouble lasts
		if got := high.next(0, 0, always(1)); got > maxRetry {
			t.Fatalf("wait %v", got)
		}
	}
}

func TestAnnounceIntervalIsJittered(t *testing.T) {
	for chance, want := range map[float64]time.Duration{0: 90 * time.Second, 0.5: 100 * time.Second, 1: 110 * time.Second} {
		if got := jittered(100*time.Second, func() float64 { return chance }); got != want {
			t.Errorf("jittered(%v) = %v; want %v", chance, got, want)
		}
	}
}

func TestHoldingsTellOnlyWhatTheNodeDoesNotKnow(t *testing.T) {
	h := newHoldings()
	tell := func() (percents []uint32) {
		for m := h.next(); m != nil; m = h.next() {
			for _, a := range m.GetAnnounce().GetHoldings() {
				percents = append(percents, a.CompletePercent)
			}
		}
		return percents
	}
	for _, step := range []struct{ percent, told int }{
		{0, 0}, {1, 1}, {9, -1}, {10, -1}, {11, 11}, {20, -1}, {35, 35}, {99, 99}, {100, 100}, {100, -1}, {150, -1},
	} {
		h.announce(film, step.percent)
		got := tell()
		switch {
		case step.told < 0 && len(got) == 0:
		case len(got) == 1 && int(got[0]) == step.told:
		default:
			t.Errorf("at %d%% told %v; want %d", step.percent, got, step.told)
		}
	}
	if !h.withdraw(film) || h.withdraw(song) {
		t.Error("only what the node knows needs to be withdrawn")
	}
	h.announce(film, 100) // back before the withdrawal was sent
	if got := tell(); len(got) != 1 {
		t.Errorf("told %v; want the holding again", got)
	}
}

func TestHoldingsAreToldInBatches(t *testing.T) {
	h := newHoldings()
	const objects = 2*protocol.MaxHoldings + 1
	for i := range objects {
		h.announce(protocol.ContentID{byte(i), byte(i >> 8)}, 100)
	}
	sizes, total := 0, 0
	for m := h.next(); m != nil; m = h.next() {
		n := len(m.GetAnnounce().GetHoldings())
		if n > protocol.MaxHoldings {
			t.Errorf("%d holdings in one message", n)
		}
		sizes++
		total += n
	}
	if sizes != 3 || total != objects {
		t.Errorf("%d holdings in %d messages", total, sizes)
	}
}

func FuzzIntroduction(f *testing.F) {
	f.Add([]byte{1}, []byte{2}, []byte{3}, "192.0.2.1", "10.0.0.1:5")
	f.Add(make([]byte, 16), make([]byte, 32), make([]byte, 32), "::1", "")
	f.Fuzz(func(t *testing.T, id, content, key []byte, address, local string) {
		in, err := introductionFrom(&wire.Introduce{Introduction: id, Content: content, PeerKey: key, Peer: id, PeerAddress: address, PeerLocalAddress: local})
		if err == nil && (!in.PeerAddress.IsValid() || in.ID != IntroductionID(id)) {
			t.Errorf("%+v", in)
		}
	})
}
