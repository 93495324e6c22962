package session

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/internal/identity"
)

// NAT says how this device's, or a peer's, NAT maps; the numbers are those of the wire.
type NAT uint8

// The kinds of NAT, see wire.NatKind.
const (
	NATUnknown             NAT = 0
	NATOpen                NAT = 1
	NATEndpointIndependent NAT = 2
	NATSymmetric           NAT = 3
	NATUDPBlocked          NAT = 4
	NATAnyPort             NAT = 5
)

// Sharing is what this device may send to whom; the numbers are those of the wire.
type Sharing uint8

// The positions of the user's switch.
const (
	SharingOff Sharing = 0
	SharingLAN Sharing = 1
	SharingOn  Sharing = 2
)

// LoginInfo is what the node is told about this device.
type LoginInfo struct {
	Sharing      Sharing
	NAT          NAT
	Starts       []identity.SecondaryGUID // newest first, one to five
	LocalAddress netip.AddrPort           // of the peers' socket on the LAN; zero if there is none
}

// Welcome is the node's answer to a login.
type Welcome struct {
	Epoch         uint64
	PublicAddress netip.AddrPort // where this session is seen to come from
	STUN          []string       // host:port of two ports of one STUN server
	EdgeOnly      bool           // quarantined: there will be neither look-ups nor introductions
}

// PeerID names a peer within one epoch of the control plane.
type PeerID [16]byte

// IntroductionID names a pair of peers that are to connect.
type IntroductionID [16]byte

// Introduction is the node's order to connect to a peer about an object. The peer has got its
// counterpart.
type Introduction struct {
	ID                IntroductionID
	Content           protocol.ContentID
	Peer              PeerID
	PeerKey           protocol.DeviceKey // that the peer's certificate must carry
	PeerAddress       netip.Addr         // public, as the node sees it
	PeerNAT           NAT
	Controlling       bool           // this end asked: it has the controlling ICE role and dials
	SamePublicAddress bool           // private candidates are acceptable
	PeerLocalAddress  netip.AddrPort // zero unless SamePublicAddress
}

// Signal carries ICE credentials and candidates to, or from, the other end of an introduction.
type Signal struct {
	Introduction IntroductionID
	Ufrag        string
	Password     string
	Candidates   []string // RFC 8839 candidate-attribute lines, at most eight
	Failed       string   // not empty: the sender gave up, and why
}

// Push is what the node tells unasked.
type Push struct {
	Notice   string // text for the log
	EdgeOnly bool
}

// Found is the answer to a look-up. The peers themselves arrive as introductions.
type Found struct {
	Introduced int
	Holders    int           // online holders known to the directory
	RetryAfter time.Duration // ask again no sooner
}

// Report is what one download has done so far, in bytes. Amounts are cumulative, so that a lost or
// repeated report changes nothing.
type Report struct {
	Content  protocol.ContentID
	Download [16]byte // random, drawn when the download was added
	Sequence uint32   // greater in each later report of the same download
	Total    int64
	Edge     int64 // verified
	Peers    int64 // verified
	Wasted   int64
	Uploaded int64
	Active   time.Duration
	Outcome  protocol.Outcome
	Reason   string // why it failed, at most 256 bytes
}

// Status is how the session is doing, for people.
type Status struct {
	Connected      bool
	Since          time.Time // of Connected
	Welcome        Welcome   // of the last login
	Err            error     // why there is no session; nil while connected or not tried yet
	RetryAt        time.Time // zero while connected
	Holdings       int       // objects announced, or to be
	PendingReports int       // not yet on the node's disk
}

// ErrDisconnected says that there is no session with a node now: look-ups fail at once, and a download
// goes on from the edge alone.
var ErrDisconnected = errors.New("no session with the control plane")

var errQueueFull = errors.New("the session does not keep up")

// RefusedError is the node's refusal.
type RefusedError struct {
	Code       string // bad_grant, expired, busy, quarantined, invalid, unsupported_version
	Text       string
	RetryAfter time.Duration // zero: the node did not say
}

func (r *RefusedError) Error() string {
	return fmt.Sprintf("the control plane refuses: %s (%s)", r.Text, r.Code)
}
