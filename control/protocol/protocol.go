// Package protocol is what a service and a control plane say to each other: the signed part of a
// manifest, grants, names of devices, and the paths and headers of an edge. The session's messages are in
// package wire below it. It holds formats and signatures only; it must never do I/O, and imports
// nothing else of the project.
package protocol

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Version of the session protocol, sent in Login.
const Version = 1

// Subprotocol is the WebSocket subprotocol of a session.
const Subprotocol = "tributary.session.v1"

// Paths below the base URL of a control plane or an edge.
const (
	SessionPath  = "/.tributary/session"   // WebSocket
	GrantPath    = "/.tributary/grant"     // POST a GrantRequest, answers a grant
	ManifestPath = "/.tributary/manifest/" // + content ID in hex + ".torrent"
	WellKnown    = "/.well-known/tributary"
)

// KeepAlive is how often either end of a session pings the other. An end that hears nothing for three
// times as long gives the session up.
const KeepAlive = 30 * time.Second

// GrantHeader may carry a sealed grant, in base64, in a request for an object's bytes. An edge serves
// without it as well; with it, the edge's log says which device took the bytes.
const GrantHeader = "Tributary-Grant"

// ManifestType is the media type of a manifest in an RFC 6249 Link header with rel=describedby.
const ManifestType = "application/x-bittorrent"

// Limits of the session; either end closes a session that exceeds them.
const (
	MaxMessage  = 64 << 10 // bytes
	MaxHoldings = 500      // in one Announce
	MaxPeers    = 40       // asked for in one Lookup
)

// ContentID names an object: the BitTorrent v2 infohash (BEP 52), SHA-256 over the bencoded info.
type ContentID [32]byte

func (c ContentID) String() string { return hex.EncodeToString(c[:]) }

// MarshalText makes the ID hex in JSON.
func (c ContentID) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (c *ContentID) UnmarshalText(text []byte) (err error) {
	*c, err = ParseContentID(string(text))
	return err
}

// ParseContentID reads the form that String writes.
func ParseContentID(s string) (c ContentID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(c) {
		return c, fmt.Errorf("%q is not a content ID", s)
	}
	copy(c[:], b)
	return c, nil
}

// DeviceKey is the Ed25519 public key of an installation.
type DeviceKey [ed25519.PublicKeySize]byte

// GUID is an installation's lasting name, derived from its device key so that it cannot be claimed.
type GUID [16]byte

func (g GUID) String() string { return hex.EncodeToString(g[:]) }

// GUID returns the installation's lasting name.
func (k DeviceKey) GUID() (g GUID) {
	sum := sha256.Sum256(append([]byte("tributary/guid/1\x00"), k[:]...))
	copy(g[:], sum[:])
	return g
}

// KeyFrom copies an Ed25519 public key.
func KeyFrom(pub []byte) (k DeviceKey, err error) {
	if len(pub) != len(k) {
		return k, errors.New("not an Ed25519 public key")
	}
	copy(k[:], pub)
	return k, nil
}

// sign signs body under a domain, so that a signature over one kind of thing never fits another.
func sign(key ed25519.PrivateKey, domain string, body []byte) []byte {
	return ed25519.Sign(key, append([]byte(domain+"\x00"), body...))
}

func verify(key []byte, domain string, body, sig []byte) bool {
	return len(key) == ed25519.PublicKeySize && len(sig) == ed25519.SignatureSize &&
		ed25519.Verify(key, append([]byte(domain+"\x00"), body...), sig)
}
