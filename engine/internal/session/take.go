package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// take does what a message of the node says. An error means that the node does not speak our protocol.
func (s *Session) take(message *wire.NodeMessage) error {
	switch body := message.Body.(type) {
	case *wire.NodeMessage_Found:
		s.answer(body.Found.Request, answer{found: Found{
			Introduced: int(body.Found.Introduced), Holders: int(body.Found.Holders),
			RetryAfter: time.Duration(body.Found.RetryAfterS) * time.Second,
		}})
	case *wire.NodeMessage_Refused:
		refused := refusedFrom(body.Refused)
		if body.Refused.Request == 0 {
			s.cfg.Log.Debug("the node refuses", "code", refused.Code, "text", refused.Text)
			return s.reportRefused(body.Refused)
		}
		s.answer(body.Refused.Request, answer{err: refused})
	case *wire.NodeMessage_Introduce:
		introduction, err := introductionFrom(body.Introduce)
		if err != nil {
			return fmt.Errorf("introduction: %w", err)
		}
		s.cfg.Handler.Introduced(introduction)
	case *wire.NodeMessage_Signal:
		g := body.Signal
		signal := Signal{Ufrag: g.Ufrag, Password: g.Password, Candidates: g.Candidates, Failed: g.Failed}
		if !fill(signal.Introduction[:], g.Introduction) {
			return errors.New("signal: an introduction's name has 16 bytes")
		}
		s.cfg.Handler.Signalled(signal)
	case *wire.NodeMessage_Relist:
		s.mu.Lock()
		s.status.Welcome.Epoch = body.Relist.Epoch
		s.mu.Unlock()
		s.relist()
	case *wire.NodeMessage_Push:
		s.mu.Lock()
		s.status.Welcome.EdgeOnly = body.Push.EdgeOnly
		s.mu.Unlock()
		s.cfg.Handler.Pushed(Push{Notice: body.Push.Notice, EdgeOnly: body.Push.EdgeOnly})
	case *wire.NodeMessage_Recorded:
		return s.reportDone(body.Recorded.Download, body.Recorded.Sequence)
	}
	return nil // a newer node may say more than we know; it does not concern us
}

// reportRefused forgets a report that the node will never take, and has one sent again that it cannot take now.
func (s *Session) reportRefused(r *wire.Refused) error {
	if len(r.Download) == 0 {
		return nil
	}
	switch r.Code {
	case "invalid":
		s.cfg.Log.Warn("the node cannot use a report; it is dropped", "text", r.Text)
		return s.reportDone(r.Download, r.Sequence)
	case "busy":
		return s.reportLater(r.Download, time.Duration(r.RetryAfterS)*time.Second)
	}
	return nil
}

// reportLater has a report sent again after a while: jittered, since the node may have refused many devices' at once.
func (s *Session) reportLater(name []byte, wait time.Duration) error {
	var download [16]byte
	if !fill(download[:], name) {
		return errReportName
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.reports.rest(download) {
		return nil
	}
	wait = max(wait, leastRepeat)
	time.AfterFunc(wait+part(wait/4, rand.Float64), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reports.wake(download)
		s.signal()
	})
	return nil
}

var errReportName = errors.New("the name of a report's download has not 16 bytes")

// reportDone notes that a report need not be repeated.
func (s *Session) reportDone(name []byte, sequence uint32) error {
	var download [16]byte
	if !fill(download[:], name) {
		return errReportName
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports.done(download, sequence)
	return nil
}

func (s *Session) answer(request uint32, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if waiting, ok := s.lookups[request]; ok {
		waiting <- a // has room for the one answer
		delete(s.lookups, request)
	}
}

// relist lets the writer announce everything once more.
func (s *Session) relist() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holdings.relist()
	s.signal()
}

// takeUrgent returns what somebody waits for, and before it what changed of the login.
func (s *Session) takeUrgent() []*wire.ClientMessage {
	s.mu.Lock()
	urgent, changed := s.urgent, s.changed
	s.urgent, s.changed = nil, false
	s.mu.Unlock()
	if !changed {
		return urgent
	}
	info := s.cfg.Login()
	update := &wire.ClientMessage{Body: &wire.ClientMessage_Update{Update: &wire.Update{
		Sharing: wire.Sharing(info.Sharing), Nat: wire.NatKind(info.NAT), LocalAddress: addressText(info.LocalAddress),
	}}}
	return append([]*wire.ClientMessage{update}, urgent...)
}

func (s *Session) hasBulk() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holdings.pending() || len(s.reports.unsent) > 0
}

// takeBulk returns what of holdings and reports is to be sent in one turn.
func (s *Session) takeBulk() (messages []*wire.ClientMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, next := range []func() *wire.ClientMessage{s.holdings.next, s.reports.next} {
		if message := next(); message != nil {
			messages = append(messages, message)
		}
	}
	return messages
}

func welcomeFrom(w *wire.Welcome) Welcome {
	public, _ := netip.ParseAddrPort(w.PublicAddress) // zero if the node does not say
	return Welcome{Epoch: w.Epoch, PublicAddress: public, STUN: w.Stun, EdgeOnly: w.EdgeOnly}
}

func refusedFrom(r *wire.Refused) *RefusedError {
	return &RefusedError{Code: r.Code, Text: r.Text, RetryAfter: time.Duration(r.RetryAfterS) * time.Second}
}

func introductionFrom(i *wire.Introduce) (Introduction, error) {
	in := Introduction{Controlling: i.Controlling, PeerNAT: NAT(i.PeerNat), SamePublicAddress: i.SamePublicAddress}
	if !fill(in.ID[:], i.Introduction) || !fill(in.Content[:], i.Content) || !fill(in.Peer[:], i.Peer) {
		return Introduction{}, errors.New("a name has a wrong length")
	}
	var err error
	if in.PeerKey, err = protocol.KeyFrom(i.PeerKey); err != nil {
		return Introduction{}, err
	}
	if in.PeerAddress, err = netip.ParseAddr(i.PeerAddress); err != nil {
		return Introduction{}, err
	}
	if i.PeerLocalAddress != "" {
		if in.PeerLocalAddress, err = netip.ParseAddrPort(i.PeerLocalAddress); err != nil {
			return Introduction{}, err
		}
	}
	return in, nil
}

// fill copies src into dst. It reports whether their lengths agree.
func fill(dst, src []byte) bool { return len(dst) == copy(dst, src) && len(dst) == len(src) }

func addressText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
