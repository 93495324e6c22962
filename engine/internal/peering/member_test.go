package peering

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/session"
	"github.com/tributary-dl/tributary/engine/internal/storage"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

// join makes a download a member of an object's peers; its control plane and its edge do not answer.
func join(t *testing.T, s *Service, seek bool) *member {
	t.Helper()
	joined, err := s.Join(object(t, signed(t, "https://127.0.0.1:1"), edge.Request{URL: "http://127.0.0.1:1/f"}), seek)
	if err != nil {
		t.Fatal(err)
	}
	return joined.(*member)
}

// While nothing may be sent, nothing is offered, whatever the reason; and it is offered again afterwards.
func TestAnObjectIsOfferedOnlyWhileItMayBeSent(t *testing.T) {
	s := open(t)
	var rests atomic.Bool
	s.cfg.MaySend = func(u Upload, path api.PathKind) bool {
		return !rests.Load() && u.ContentID != "" && path == api.PathLAN // the user shares in the LAN alone
	}
	m := join(t, s, false)
	defer m.Leave()
	for _, want := range []int{1, 0, 0, 1} {
		rests.Store(want == 0)
		s.Reannounce()
		if got := m.control.Status().Holdings; got != want {
			t.Errorf("sharing rests: %v; %d objects are offered", rests.Load(), got)
		}
	}
	rests.Store(true)
	s.SettingsChanged()
	if got := m.control.Status().Holdings; got != 0 {
		t.Errorf("%d objects are offered after a change of the settings", got)
	}
}

// Without a control plane, an edge or a peer every call returns, and so does the end, in any order.
func TestNobodyAnswers(t *testing.T) {
	s := open(t)
	m := join(t, s, true)
	m.Want(0)
	m.Unwant(0)
	m.Done(0, 0)
	m.Progress(make([]swarm.PieceProgress, 1))
	if n := len(m.Availability(nil)); n != 0 {
		t.Errorf("%d pieces are said to be available", n)
	}
	if got := m.Totals(); got.Peers != 0 || len(m.Sources()) != 0 {
		t.Errorf("totals %+v", got)
	}
	s.SettingsChanged()
	s.Close() // with a member that seeks
	m.Leave()
	if _, err := s.Join(m.object, true); !errors.Is(err, swarm.ErrClosed) {
		t.Errorf("Join() = %v after Close; want ErrClosed", err)
	}
}

// What is wanted before there is a swarm is asked of it when it is joined.
func TestWishesWaitForTheSwarm(t *testing.T) {
	m := join(t, open(t), false)
	defer m.Leave()
	m.Want(0)
	if !m.wanted[0] {
		t.Error("a wish was lost")
	}
	m.Unwant(0)
	if m.wanted[0] {
		t.Error("a wish that was taken back is kept")
	}
	m.Want(0)
	if _, err := m.ensureSwarm(); err != nil {
		t.Fatal(err)
	}
	if len(m.wanted) != 0 {
		t.Error("the swarm was not told")
	}
}

// The swarm of an object that nobody asks for is left, and joined again when somebody does, whoever is first.
func TestAnIdleSwarmIsLeft(t *testing.T) {
	m := join(t, open(t), false)
	first, err := m.ensureSwarm()
	if err != nil {
		t.Fatal(err)
	}
	m.leaveIfIdle()
	if m.joined() != nil {
		t.Fatal("the swarm is still there")
	}
	second, err := m.ensureSwarm()
	if err != nil || second == first {
		t.Fatalf("ensureSwarm() = %v, %v; want another swarm", second, err)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(m.leaveIfIdle)
		all.Go(func() {
			if _, err := m.ensureSwarm(); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() { m.Totals() })
	}
	all.Wait()
	for range 4 { // whoever returns from Leave may close the file
		all.Go(m.Leave)
		all.Go(func() { _, _ = m.ensureSwarm() })
	}
	all.Wait()
	if sw, err := m.ensureSwarm(); err == nil && sw.Offer(swarm.PeerID{}, nopConn{}, false, swarm.OfferOptions{}) == nil {
		t.Error("a member that has left takes peers")
	}
}

// A swarm that is sought for is kept.
func TestASoughtSwarmIsKept(t *testing.T) {
	m := join(t, open(t), true)
	defer m.Leave()
	if _, err := m.ensureSwarm(); err != nil {
		t.Fatal(err)
	}
	m.leaveIfIdle()
	if m.joined() == nil {
		t.Error("the swarm was left")
	}
}

// Introductions that come while a member leaves are met before or not at all.
func TestIntroducedWhileLeaving(t *testing.T) {
	m := join(t, open(t), true)
	in := session.Introduction{Content: m.content(), PeerKey: deviceOf(t, keyOf(7)), Peer: session.PeerID{1}, PeerAddress: netip.MustParseAddr("127.0.0.1")}
	var all sync.WaitGroup
	for k := range 20 {
		all.Go(func() {
			in := in
			in.ID[0] = byte(k)
			m.introduced(in)
		})
	}
	all.Go(m.Leave)
	all.Wait()
}

// A look-up while a peer is being met does not ask for it: the node would end the introduction that is worked on. An
// introduction that the node has ended makes way for the new one, and counts as no failure.
func TestAPeerBeingMetIsNotAskedFor(t *testing.T) {
	m := join(t, open(t), false)
	defer m.Leave()
	key := deviceOf(t, keyOf(7))
	in := session.Introduction{Content: m.content(), PeerKey: key, Peer: session.PeerID{1}, PeerAddress: netip.MustParseAddr("127.0.0.1")}
	underWay := func() *meeting {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.meetings[swarm.PeerID(key.GUID())]
	}
	m.control.Introduced(in)
	if ids := m.useless(); !slices.Equal(ids, []session.PeerID{{1}}) {
		t.Errorf("useless() = %v while a peer is being met", ids)
	}
	first := underWay()
	in.ID[0] = 1
	m.control.Introduced(in)
	second := underWay()
	if second == nil || second == first {
		t.Error("the new introduction is not worked on")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.known[swarm.PeerID(key.GUID())]; ok && k.failures > 1 {
		t.Errorf("the ended introduction counts as a failure: %+v", k)
	}
}

// After the first failure a peer is asked for again almost at once, and whoever seeks is woken for it.
func TestAFailedMeetingIsTriedAgainSoon(t *testing.T) {
	m := join(t, open(t), false)
	defer m.Leave()
	<-m.wake // of joining
	began := time.Now()
	m.remember(swarm.PeerID{1}, session.PeerID{1}, errors.New("no path"))
	if ids := m.useless(); len(ids) != 1 {
		t.Errorf("useless() = %v right after a failure", ids)
	}
	select {
	case <-m.wake:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody is woken")
	}
	if took := time.Since(began); took < secondTry {
		t.Errorf("woken after %s", took)
	}
	if ids := m.useless(); len(ids) != 0 {
		t.Errorf("useless() = %v after the pause", ids)
	}
}

func TestVainMeetingsAreForgottenWhenThereAreMany(t *testing.T) {
	m := join(t, open(t), false)
	defer m.Leave()
	for k := range 3 * manyKnown {
		m.remember(swarm.PeerID{byte(k), byte(k >> 8)}, session.PeerID{byte(k), byte(k >> 8)}, errors.New("no path"))
	}
	if n := len(m.known); n > manyKnown+1 {
		t.Errorf("%d peers are remembered", n)
	}
	m.remember(swarm.PeerID{1}, session.PeerID{2}, errors.New("no path"))
	if ids := m.useless(); len(ids) == 0 {
		t.Error("a peer that was just met in vain is asked for again at once")
	}
	for k := range 20 { // however often it fails, it is tried again some day
		m.remember(swarm.PeerID{1}, session.PeerID{byte(k)}, errors.New("no path"))
	}
	if wait := time.Until(m.known[swarm.PeerID{1}].again); wait <= 0 || wait > lastRefusal {
		t.Errorf("it is tried again in %v", wait)
	}
}

// A piece that is not what it was does not leave, and the download hears of it.
func TestAChangedPieceDoesNotLeave(t *testing.T) {
	m := join(t, open(t), false)
	defer m.Leave()
	if err := m.object.Data.WritePiece(0, append(make([]byte, m.object.Manifest.Length-1), 1)); err != nil { // unverified, as if another program wrote it
		t.Fatal(err)
	}
	var told error
	pieces := newCheckedPieces(m.object.Data, m.object.Manifest, func(err error) { told = err })
	if n, err := pieces.ReadAt(make([]byte, 100), 0, 0); n != 0 || !errors.Is(err, storage.ErrTouched) || !errors.Is(told, storage.ErrTouched) {
		t.Errorf("ReadAt() = %d, %v; told %v", n, err, told)
	}
}

// nopConn is a connection that is closed.
type nopConn struct{ net.Conn }

func (nopConn) Close() error { return nil }
