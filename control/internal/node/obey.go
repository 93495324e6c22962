package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
	"unicode"

	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// When a client may look up again.
const (
	retrySoon   = time.Second      // it got all it asked for, and may want more; or who was found is meeting it
	retryFew    = 10 * time.Second // it is told of those who come
	retryBusy   = 5 * time.Second
	retryReport = time.Minute
)

// obey does what a message asks. An error ends the session; what is merely refused does not.
func (s *session) obey(message *wire.ClientMessage) error {
	switch body := message.Body.(type) {
	case *wire.ClientMessage_Login:
		return errors.New("a session has one login")
	case *wire.ClientMessage_Update:
		return s.update(body.Update)
	case *wire.ClientMessage_Announce:
		return s.announce(body.Announce)
	case *wire.ClientMessage_Withdraw:
		return s.withdraw(body.Withdraw)
	case *wire.ClientMessage_Lookup:
		return s.lookup(body.Lookup)
	case *wire.ClientMessage_Signal:
		return s.signal(body.Signal)
	case *wire.ClientMessage_Report:
		return s.report(body.Report)
	}
	// A newer client may know messages that we do not; it must live without an answer to them.
	s.refuse(0, "invalid", "unknown message", 0)
	return nil
}

func (s *session) refuse(request uint32, code, text string, retry time.Duration) {
	s.send(&wire.NodeMessage{Body: &wire.NodeMessage_Refused{Refused: &wire.Refused{
		Request: request, Code: code, Text: text, RetryAfterS: uint32(retry / time.Second),
	}}})
}

func (s *session) update(u *wire.Update) error {
	if err := checkSituation(u.Sharing, u.Nat, u.LocalAddress); err != nil {
		return err
	}
	end := s.holder.End()
	end.NAT, end.Sharing = u.Nat, u.Sharing
	s.holder.Update(end)
	s.setLocalAddress(u.LocalAddress)
	return nil
}

func (s *session) announce(a *wire.Announce) error {
	if len(a.Holdings) > protocol.MaxHoldings {
		return fmt.Errorf("an announce has at most %d holdings", protocol.MaxHoldings)
	}
	if s.edgeOnly {
		return nil
	}
	expires := time.Now().Add(2 * s.node.cfg.AnnounceInterval)
	for _, h := range a.Holdings {
		content, err := contentID(h.Content)
		if err != nil {
			return err
		}
		if h.CompletePercent > 100 {
			return errors.New("more than 100 percent complete")
		}
		if s.holder.Len() >= maxHoldings {
			s.refuse(0, "busy", fmt.Sprintf("no more than %d objects are listed for one device", maxHoldings), s.node.cfg.AnnounceInterval)
			return nil
		}
		if s.node.cfg.Directory.Announce(s.holder, content, uint8(h.CompletePercent), expires) {
			s.begins(content)
		}
	}
	return nil
}

func (s *session) withdraw(w *wire.Withdraw) error {
	if len(w.Content) > protocol.MaxHoldings {
		return fmt.Errorf("a withdraw has at most %d objects", protocol.MaxHoldings)
	}
	for _, c := range w.Content {
		content, err := contentID(c)
		if err != nil {
			return err
		}
		s.node.cfg.Directory.Withdraw(s.holder, content)
	}
	return nil
}

func (s *session) lookup(l *wire.Lookup) error {
	content, err := contentID(l.Content)
	if err != nil {
		return err
	}
	excluded, err := peerIDs(l.Exclude)
	if err != nil {
		return err
	}
	switch {
	case s.edgeOnly:
		s.refuse(l.Request, "quarantined", "this device is served by the edge alone", ledger.Quarantine)
		return nil
	case !s.lookups.Allow():
		s.refuse(l.Request, "busy", "too many look-ups", retryBusy)
		return nil
	}
	now := time.Now()
	if err := s.authorised(l.Grant, content, now); err != nil {
		code := "bad_grant"
		if errors.Is(err, protocol.ErrGrantExpired) {
			code = "expired"
		}
		s.refuse(l.Request, code, err.Error(), 0)
		return nil
	}
	want := int(min(l.Want, protocol.MaxPeers))
	picked, holders := s.node.cfg.Directory.Select(s.holder.End(), content, excluded, want, rand.Uint64(), now)
	found := &wire.Found{Request: l.Request, Holders: uint32(holders), RetryAfterS: uint32(retrySoon / time.Second)}
	for _, end := range picked {
		if s.node.introduce(s, end.Peer, content, now) {
			found.Introduced++
		}
	}
	if len(picked) < want {
		for _, end := range picked {
			excluded[end.Peer] = true
		}
		s.node.seekers.add(content, &selection.Seeker{End: s.holder.End(), Excluded: excluded, Wants: want - len(picked)}, now)
		if int(found.Introduced) == len(picked) {
			found.RetryAfterS = uint32(retryFew / time.Second)
		}
	}
	s.send(&wire.NodeMessage{Body: &wire.NodeMessage_Found{Found: found}})
	return nil
}

// authorised checks that an edge granted this device to look for peers of the object.
func (s *session) authorised(sealed []byte, content protocol.ContentID, now time.Time) error {
	if s.granted.holds(sealed, content, now) {
		return nil
	}
	err := protocol.ErrGrantInvalid
	for _, key := range s.node.cfg.GrantKeys {
		var grant protocol.Grant
		grant, err = protocol.OpenGrant(sealed, key, now)
		if err == nil && (grant.Device != s.device || grant.Content != content) {
			return fmt.Errorf("%w for this device and object", protocol.ErrGrantInvalid)
		}
		if err == nil {
			s.granted.add(sealed, content, grant.Expires)
			return nil
		}
		if errors.Is(err, protocol.ErrGrantExpired) {
			return err
		}
	}
	return err
}

func peerIDs(peers [][]byte) (map[selection.PeerID]bool, error) {
	set := make(map[selection.PeerID]bool, len(peers))
	for _, p := range peers {
		var id selection.PeerID
		if len(p) != len(id) {
			return nil, errors.New("a peer ID has 16 bytes")
		}
		copy(id[:], p)
		set[id] = true
	}
	return set, nil
}

// begins introduces the session, which has something of an object now, to those who lately found too few.
func (s *session) begins(content protocol.ContentID) {
	now := time.Now()
	for _, peer := range s.node.seekers.whom(s.holder.End(), content, now) {
		if seeker := s.node.session(peer); seeker != nil && !s.node.introductions.met(seeker, s, content, now) {
			s.node.introduce(seeker, s.peer, content, now)
		}
	}
}

// introduce tells both ends to connect.
func (n *Node) introduce(asker *session, peer selection.PeerID, content protocol.ContentID, now time.Time) bool {
	holder := n.session(peer)
	if holder == nil { // it left between the look-up and now
		return false
	}
	id, ok := n.introductions.add(asker, holder, content, now)
	if !ok {
		return false
	}
	asker.send(introduce(id, content, asker, holder, true))
	holder.send(introduce(id, content, holder, asker, false))
	return true
}

// introduce is the message that tells one end about the other.
func introduce(id introductionID, content protocol.ContentID, to, about *session, controlling bool) *wire.NodeMessage {
	same := selection.SameHousehold(to.public.Addr(), about.public.Addr())
	i := &wire.Introduce{
		Introduction: id[:], Content: content[:], PeerKey: about.device[:], Peer: about.peer[:],
		Controlling: controlling, PeerAddress: about.public.Addr().String(), PeerNat: about.holder.End().NAT,
		SamePublicAddress: same,
	}
	if same {
		i.PeerLocalAddress = *about.localAddress.Load()
	}
	return &wire.NodeMessage{Body: &wire.NodeMessage_Introduce{Introduce: i}}
}

// Limits of a signal: RFC 8839 allows 256 characters for credentials; a candidate line of ours has about
// eighty.
const (
	maxCandidates = 8
	maxLine       = 256
)

func (s *session) signal(g *wire.Signal) error {
	var id introductionID
	if len(g.Introduction) != len(id) {
		return errors.New("an introduction's name has 16 bytes")
	}
	copy(id[:], g.Introduction)
	if len(g.Candidates) > maxCandidates {
		return fmt.Errorf("a signal has at most %d candidates", maxCandidates)
	}
	for _, line := range append([]string{g.Ufrag, g.Password, g.Failed}, g.Candidates...) {
		if !oneLine(line) {
			return fmt.Errorf("a line of a signal has at most %d printable characters", maxLine)
		}
	}
	other := s.node.introductions.relay(id, s, g.Failed != "", time.Now())
	if other == nil {
		s.refuse(0, "expired", "the introduction is not live", 0)
		return nil
	}
	other.send(&wire.NodeMessage{Body: &wire.NodeMessage_Signal{Signal: &wire.Signal{
		Introduction: g.Introduction, Ufrag: g.Ufrag, Password: g.Password, Candidates: g.Candidates, Failed: g.Failed,
	}}})
	return nil
}

// oneLine reports whether text can be handed to another client, or to a log.
func oneLine(text string) bool {
	if len(text) > maxLine {
		return false
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// maxMalformed is how many malformed reports a session survives. A client that has one of its own making must be
// able to go on without it; one that sends nothing else is of no use.
const maxMalformed = 20

func (s *session) report(r *wire.Report) error {
	account, err := s.account(r)
	if err != nil {
		if s.malformed++; s.malformed > maxMalformed {
			return fmt.Errorf("more than %d malformed reports, the last: %w", maxMalformed, err)
		}
		s.log.Info("malformed report", "count", s.malformed, "err", err)
		s.refuseReport(r, "invalid", err.Error(), 0)
		return nil
	}
	err = s.node.cfg.Ledger.Record(account, func() error {
		return s.node.newcomers.account(s.node.cfg.Known, account, s.public.Addr(), time.Now())
	})
	if wait, ok := errors.AsType[tooManyError](err); ok {
		s.refuseReport(r, "busy", wait.Error(), wait.retry)
		return nil
	}
	switch {
	case errors.Is(err, errUnknownObject): // it will be none of ours later either
		s.refuseReport(r, "invalid", err.Error(), 0)
		return nil
	case err != nil:
		// Without a Recorded the client keeps the report and repeats it.
		s.log.Error("report could not be stored", "err", err)
		s.refuseReport(r, "busy", "reports cannot be stored now", retryReport)
		return nil
	}
	s.send(&wire.NodeMessage{Body: &wire.NodeMessage_Recorded{Recorded: &wire.Recorded{Download: r.Download, Sequence: r.Sequence}}})
	return nil
}

// refuseReport refuses a report and names it. With "invalid" the client drops it, with "busy" it sends it again after retry.
func (s *session) refuseReport(r *wire.Report, code, text string, retry time.Duration) {
	refused := &wire.Refused{Code: code, Text: text, Sequence: r.Sequence, RetryAfterS: uint32(retry / time.Second)}
	if len(r.Download) == len(ledger.Account{}.Download) {
		refused.Download = r.Download
	}
	s.send(&wire.NodeMessage{Body: &wire.NodeMessage_Refused{Refused: refused}})
}

// account reads a report.
func (s *session) account(r *wire.Report) (ledger.Account, error) {
	content, err := contentID(r.Content)
	if err != nil {
		return ledger.Account{}, err
	}
	account := ledger.Account{
		Device: s.device, Content: content, Sequence: r.Sequence,
		Total: r.TotalBytes, Edge: r.EdgeBytes, Peers: r.PeerBytes, Wasted: r.WastedBytes, Uploaded: r.UploadedBytes,
		Active: time.Duration(r.Milliseconds) * time.Millisecond, Outcome: protocol.Outcome(r.Outcome), Reason: r.Reason,
		Received: time.Now().UTC().Truncate(time.Second),
	}
	if len(r.Download) != len(account.Download) {
		return account, errors.New("a download's name has 16 bytes")
	}
	copy(account.Download[:], r.Download)
	end := s.holder.End()
	account.Network, account.Country = end.Network.Name, end.Network.Country
	return account, account.Check()
}

func contentID(b []byte) (c protocol.ContentID, err error) {
	if len(b) != len(c) {
		return c, errors.New("a content ID has 32 bytes")
	}
	copy(c[:], b)
	return c, nil
}
