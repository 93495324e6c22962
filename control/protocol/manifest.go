package protocol

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/tributary-dl/tributary/control/protocol/bencode"
)

// Keys of a manifest beside BEP 52's "info" and "piece layers". Torrent tools ignore them.
const (
	TermsKey     = "tributary"
	SignatureKey = "tributary signature"
	termsDomain  = "tributary/manifest/1"
)

// Mode says what the publisher wants of the scheduler.
type Mode string

const (
	ModeSpeed   Mode = "speed"   // as fast as all sources together, then as few edge bytes as possible
	ModeOffload Mode = "offload" // never slower than the edge alone, then as few edge bytes as possible; about a tenth where a crowd lacks the object
)

// Policy is what a publisher decides about an object. It binds what a client may do; it can never
// turn a user's uploads on.
type Policy struct {
	Mode             Mode `json:"mode"`
	Peers            bool `json:"peers"`              // may be taken from and given to peers
	UploadsPerObject int  `json:"uploads_per_object"` // full copies one client may send; 0: no limit
	Relay            bool `json:"relay"`              // the publisher pays for relayed connections
}

// DefaultPolicy holds where a publisher says nothing.
func DefaultPolicy() Policy { return Policy{Mode: ModeSpeed, Peers: true} }

// Terms is the signed part of a manifest: who publishes the object and on what terms.
type Terms struct {
	Publisher string            // name for people, at most 200 bytes of UTF-8
	Key       ed25519.PublicKey // the publisher's, signs
	GrantKey  ed25519.PublicKey // the edges', signs grants
	Control   string            // https base URL of the control plane
	Edges     []string          // https URLs of the object's bytes, at most 16
	Policy    Policy
	SHA256    [sha256.Size]byte // of the whole file; zero if the object has several
	Published time.Time         // whole seconds
	NotAfter  time.Time         // whole seconds; zero: no end
}

// Dict returns the terms as the dictionary that is signed and stands under TermsKey.
func (t Terms) Dict() bencode.Dict {
	edges := []any{}
	for _, e := range t.Edges {
		edges = append(edges, e)
	}
	d := bencode.Dict{
		"v": int64(1), "publisher": t.Publisher, "key": []byte(t.Key), "grant key": []byte(t.GrantKey),
		"control": t.Control, "edges": edges, "published": t.Published.Unix(),
		"policy": bencode.Dict{"mode": string(t.Policy.Mode), "peers": flag(t.Policy.Peers),
			"uploads": int64(t.Policy.UploadsPerObject), "relay": flag(t.Policy.Relay)},
	}
	if t.SHA256 != ([sha256.Size]byte{}) {
		d["sha256"] = t.SHA256[:]
	}
	if !t.NotAfter.IsZero() {
		d["not after"] = t.NotAfter.Unix()
	}
	return d
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// SignTerms returns the signature that stands under SignatureKey; it binds the terms to the content.
func SignTerms(key ed25519.PrivateKey, content ContentID, terms bencode.Dict) []byte {
	return sign(key, termsDomain, append(content[:], bencode.Encode(terms)...))
}

var errTerms = errors.New("the publisher's terms are malformed")

// OpenTerms checks the signature and reads the dictionary. URLs are returned as they are; what may be
// dialled is for the caller to judge. The end of validity is not checked here.
func OpenTerms(content ContentID, d bencode.Dict, sig []byte) (t Terms, err error) {
	t.Key, t.GrantKey = d.Bytes("key"), d.Bytes("grant key")
	if v, _ := d.Int("v"); v != 1 || len(t.GrantKey) != ed25519.PublicKeySize {
		return t, errTerms
	}
	if !verify(t.Key, termsDomain, append(content[:], bencode.Encode(d)...), sig) {
		return t, errors.New("the publisher's signature does not fit the manifest")
	}
	var ok bool
	if t.Edges, ok = d.Strings("edges"); !ok || len(t.Edges) > 16 {
		return t, errTerms
	}
	t.Publisher, t.Control = d.String("publisher"), d.String("control")
	p := d.Dict("policy")
	if p == nil || len(t.Publisher) > 200 {
		return t, errTerms
	}
	t.Policy.Mode = Mode(p.String("mode"))
	if t.Policy.Mode != ModeSpeed && t.Policy.Mode != ModeOffload {
		return t, errTerms
	}
	peers, ok1 := p.Int("peers")
	uploads, ok2 := p.Int("uploads")
	relay, ok3 := p.Int("relay")
	if !ok1 || !ok2 || !ok3 || uploads < 0 || uploads > 1_000_000 {
		return t, errTerms
	}
	t.Policy.Peers, t.Policy.UploadsPerObject, t.Policy.Relay = peers == 1, int(uploads), relay == 1
	published, ok := d.Int("published")
	if !ok {
		return t, errTerms
	}
	t.Published = time.Unix(published, 0)
	if end, ok := d.Int("not after"); ok {
		t.NotAfter = time.Unix(end, 0)
	}
	copy(t.SHA256[:], d.Bytes("sha256"))
	return t, nil
}
