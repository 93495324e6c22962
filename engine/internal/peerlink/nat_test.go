package peerlink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// The picture that the laboratory with real NATs gave: D a direct path, - none.
const natMatrix = `
          open fullcone addrcone portcone cgnat symmetric cgnatsym blocked
open      D    D        D        D        D     D         D        -
fullcone       D        D        D        D     D         D        -
addrcone                D        D        D     D         D        -
portcone                         D        D     -         -        -
cgnat                                     D     -         -        -
symmetric                                       -         -        -
cgnatsym                                                  -        -
blocked                                                            -
`

// TestNATMatrix lets two whole endpoints meet over each pair of NATs, in both roles: mapping test, ICE,
// QUIC, hellos and a few bytes.
func TestNATMatrix(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(natMatrix), "\n")
	kinds := strings.Fields(lines[0])
	for row, line := range lines[1:] {
		for i, cell := range strings.Fields(line)[1:] {
			a, b, direct := kinds[row], kinds[row+i], cell == "D"
			for _, pair := range [][2]string{{a, b}, {b, a}}[:1+min(1, i)] {
				t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { testPair(t, pair[0], pair[1], meeting{direct: direct}) })
				})
			}
		}
	}
}

// A peer that is told of the introduction later than the other is met all the same.
func TestOneSideIsLate(t *testing.T) {
	const late = 2 * time.Second
	t.Run("dialer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { testPair(t, "portcone", "portcone", meeting{direct: true, lateA: late}) })
	})
	t.Run("acceptor", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { testPair(t, "portcone", "portcone", meeting{direct: true, lateB: late}) })
	})
}

// Every tenth packet gets lost: 5% at each home. No single loss, of discovery, checks, handshake or hello, may end a meeting.
func TestMeetingsWithLoss(t *testing.T) {
	for _, pair := range [][2]string{{"portcone", "portcone"}, {"fullcone", "portcone"}, {"addrcone", "symmetric"}, {"symmetric", "addrcone"}, {"cgnat", "portcone"}} {
		for i := range 10 {
			t.Run(fmt.Sprintf("%s to %s %d", pair[0], pair[1], i), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testPair(t, pair[0], pair[1], meeting{direct: true, loss: 10}) })
			})
		}
	}
}

// meeting is how two homes are to meet.
type meeting struct {
	direct       bool          // they find a path
	lateA, lateB time.Duration // since the introduction
	loss         int64         // percent of packets, once the NATs are known
}

// handshakeLoss is what a meeting may take longer when packets are lost: QUIC sends the third time after about a second.
const handshakeLoss = 3 * time.Second

func testPair(t *testing.T, dialer, acceptor string, m meeting) {
	direct, lateA, lateB := m.direct, m.lateA, m.lateB
	in := newInternet(t)
	hostA, hostB := in.host(dialer), in.host(acceptor)
	defer in.start()()
	a, b := hostA(), hostB()
	for _, h := range []host{a, b} {
		if _, err := h.Detect(t.Context(), stunPorts, false); err != nil {
			t.Fatal(err)
		}
	}
	in.loss.Store(m.loss)
	inA, inB := introduce(a.Endpoint, b.Endpoint)
	inA.PeerAddress, inB.PeerAddress = b.public, a.public
	inA.SamePublicAddress, inB.SamePublicAddress = false, false

	began := time.Now()
	results := make(chan outcome, 1)
	go func() {
		time.Sleep(lateB)
		link, err := b.Connect(t.Context(), inB, node{a.Endpoint}, hello(goodGrant))
		results <- outcome{link, err}
	}()
	time.Sleep(lateA)
	link, err := a.Connect(t.Context(), inA, node{b.Endpoint}, hello(nil))
	other := <-results
	took := time.Since(began)

	if !direct {
		// The first to give up tells the other.
		if err == nil || other.err == nil || !errors.Is(err, ErrNoPath) && !errors.Is(other.err, ErrNoPath) {
			t.Fatalf("dialer %v, acceptor %v; want no path", err, other.err)
		}
		if took > attemptTime+time.Second {
			t.Errorf("gave up after %s", took)
		}
		return
	}
	if err != nil || other.err != nil {
		t.Fatalf("dialer %v, acceptor %v", err, other.err)
	}
	most := lateA + lateB + 700*time.Millisecond
	if m.loss > 0 {
		most += handshakeLoss
		t.Logf("with %d%% loss: %s", m.loss, took)
	}
	if took > most {
		t.Errorf("the link took %s; want at most %s at %s round trip", took, most, 2*oneWay)
	}
	if link.Kind() != api.PathDirect || other.link.Kind() != api.PathDirect {
		t.Errorf("paths %s and %s", link.Kind(), other.link.Kind())
	}
	if link.way == nil {
		t.Error("a path over the Internet is not paced")
	}
	sent := bytes.Repeat([]byte("tributary"), 10_000)
	go func() { _, _ = link.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(other.link, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("the transfer went wrong: %v", err)
	}
}

func TestDetect(t *testing.T) {
	for kind, want := range map[string]NATKind{
		"open": NATOpen, "fullcone": NATAnyPort, "addrcone": NATAnyPort, "portcone": NATEndpointIndependent,
		"cgnat": NATEndpointIndependent, "symmetric": NATSymmetric, "cgnatsym": NATSymmetric, "blocked": NATBlocked,
	} {
		for _, loss := range []int64{0, 5} {
			t.Run(kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					in := newInternet(t)
					listen := in.host(kind)
					defer in.start()()
					h := listen()
					in.dropped.Store(loss)
					got, err := h.Detect(t.Context(), stunPorts, false)
					if err != nil {
						t.Fatal(err)
					}
					if got.Kind != want || want != NATBlocked && got.Public.Addr().String() != h.public {
						t.Errorf("with %d packets lost: %v; want kind %d at %s", loss, got, want, h.public)
					}
				})
			})
		}
	}
}

// Our own line is sounded at the STUN server; where nobody answers, nothing is claimed of it.
func TestSoundings(t *testing.T) {
	for kind, answered := range map[string]bool{"portcone": true, "blocked": false} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := newInternet(t)
				listen := in.host(kind)
				defer in.start()()
				h := listen()
				s := &h.uplink.sounding
				s.ask(time.Now()) // before there is a server
				if _, err := h.Detect(t.Context(), stunPorts, false); err != nil {
					t.Fatal(err)
				}
				time.Sleep(soundingLost)
				for range 3 {
					s.ask(time.Now())
					time.Sleep(soundingEvery)
				}
				if queue, _, ok := s.last(time.Now()); ok != answered || queue != 0 {
					t.Errorf("queue of %s, known %v; want none, known %v", queue, ok, answered)
				}
				if s.stamped != answered {
					t.Errorf("the server's clock is used: %v; want %v", s.stamped, answered)
				}
				time.Sleep(2 * soundingLife)
				if _, _, ok := s.last(time.Now()); ok {
					t.Error("an old answer is believed")
				}
			})
		})
	}
}

// A server that tells when it was reached shows the way there alone; without that, or after it was started anew, nothing is made up.
func TestSoundingsAreOfTheWayThere(t *testing.T) {
	s, now := &sounding{}, time.Now()
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for n, step := range []struct {
		there, back int // milliseconds, like all of these
		clock       int // of the server, beside ours; 0: it tells nothing
		want        int
	}{
		{10, 10, 5000, 0}, {10, 90, 5000, 0}, {50, 10, 5000, 40}, {10, 10, 5000, 0},
		{30, 10, -100000, 0}, {50, 10, -100000, 20}, {30, 10, -100000, 0}, // started anew
		{10, 10, 0, 0}, {10, 90, 0, 80}, // another server
		{40, 10, 7000, 0}, {60, 70, 7000, 20},
	} {
		now = now.Add(soundingEvery)
		at := now.Add(ms(step.there))
		s.answer(n+1, now, at.Add(ms(step.back)), stamp{at.Sub(began) + ms(step.clock), step.clock != 0})
		if queue, _, _ := s.last(now.Add(time.Second / 10)); queue != ms(step.want) {
			t.Errorf("%+v: queue of %s", step, queue)
		}
	}
}

// Answers that are late, because they wait in the queues of the server and of what we download, do not end the questions; a server that is silent is
// asked rarely.
func TestSoundingsGoOnWhileAnswersAreLate(t *testing.T) {
	now := time.Now()
	var open []func(time.Time)
	s := &sounding{}
	s.send = func(func(stamp)) {
		n, asked := s.questions, now
		open = append(open, func(at time.Time) { s.answer(n, asked, at, stamp{asked.Sub(began), true}) })
	}
	run := func(d, late time.Duration) (asked int) {
		for end := now.Add(d); now.Before(end); now = now.Add(soundingEvery / 2) {
			before := len(open)
			s.ask(now)
			asked += len(open) - before
			if k := len(open) - 1 - int(late/soundingEvery); late > 0 && k >= 0 {
				open[k](now)
			}
		}
		return asked
	}
	if got := run(2*time.Second, 200*time.Millisecond); got != 50 {
		t.Errorf("%d questions in 2 s with answers after 200 ms; want 50", got)
	}
	if !s.answers() {
		t.Error("late answers are taken for silence")
	}
	run(time.Second, 0)
	if got := run(5*time.Second, 0); got != int(5*time.Second/soundingLost) || s.answers() {
		t.Errorf("%d questions in 5 s to a silent server, which is believed to answer: %v", got, s.answers())
	}
	heard := s.heard
	open[0](now)
	if s.heard != heard {
		t.Error("an answer that others have overtaken counts")
	}
}

// A control plane may not have this device ask in the user's own network.
func TestPrivateSTUNServersAreNotAsked(t *testing.T) {
	e := listen(t, nil)
	for _, server := range []string{"127.0.0.1:3478", "10.0.0.1:3478", "169.254.169.254:80", "[::1]:3478", "0.0.0.0:3478", "224.0.0.1:3478"} {
		if _, err := e.Detect(t.Context(), []string{server}, false); err == nil || !strings.Contains(err.Error(), "not at a public address") {
			t.Errorf("%s: %v; want a refusal", server, err)
		}
	}
}

// The public address is asked for again only when a NAT might have forgotten it.
func TestPublicAddressIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInternet(t)
		listen := in.host("portcone")
		defer in.start()()
		h := listen()
		if _, err := h.Detect(t.Context(), stunPorts, false); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			asks  bool
		}{{0, false}, {reflexiveLife - time.Second, false}, {2 * time.Second, true}, {0, false}} {
			time.Sleep(step.after)
			began := time.Now()
			if got := h.publicAddress(t.Context()); got.Addr().String() != h.public {
				t.Errorf("public address %s; want %s", got, h.public)
			}
			if asked := time.Since(began) > 0; asked != step.asks {
				t.Errorf("%s later: asked %v; want %v", step.after, asked, step.asks)
			}
		}
	})
}
