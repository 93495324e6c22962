package protocol

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/tributary-dl/tributary/control/protocol/bencode"
)

// MaxGrantLife is the longest time for which an edge grants.
const MaxGrantLife = time.Hour

// GrantTolerance is for clocks that differ: so long before and after its time a grant is good.
const GrantTolerance = time.Minute

const (
	grantDomain        = "tributary/grant/1"
	grantRequestDomain = "tributary/grant-request/1"
	maxGrant           = 1024 // bytes, encoded
)

// Grant is an edge's word that a device may look for peers of an object and take it from them. Without
// one the control plane answers no look-up and no peer sends a byte.
type Grant struct {
	Content   ContentID
	Device    DeviceKey
	NotBefore time.Time // whole seconds
	Expires   time.Time // whole seconds
	ID        [16]byte  // random; names the grant in logs and accounts
}

// Seal encodes and signs the grant with an edge's grant key.
func (g Grant) Seal(key ed25519.PrivateKey) []byte {
	body := bencode.Encode(bencode.Dict{
		"content": g.Content[:], "device": g.Device[:], "id": g.ID[:],
		"from": g.NotBefore.Unix(), "until": g.Expires.Unix(), "v": int64(1),
	})
	return append(body, sign(key, grantDomain, body)...)
}

// Errors of OpenGrant that callers branch on.
var (
	ErrGrantExpired = errors.New("the grant has expired")
	ErrGrantInvalid = errors.New("the grant is not valid")
)

// OpenGrant decodes a sealed grant and checks its signature against the grant key of the manifest, and
// its times against now with a minute of tolerance for clocks. Whether content and device are the
// right ones is for the caller to check.
func OpenGrant(sealed []byte, grantKey []byte, now time.Time) (g Grant, err error) {
	if len(sealed) <= ed25519.SignatureSize || len(sealed) > maxGrant {
		return g, ErrGrantInvalid
	}
	body, sig := sealed[:len(sealed)-ed25519.SignatureSize], sealed[len(sealed)-ed25519.SignatureSize:]
	if !verify(grantKey, grantDomain, body, sig) {
		return g, ErrGrantInvalid
	}
	d, err := bencode.DecodeDict(body)
	if err != nil {
		return g, fmt.Errorf("%w: %w", ErrGrantInvalid, err)
	}
	from, ok1 := d.Int("from")
	until, ok2 := d.Int("until")
	v, _ := d.Int("v")
	if v != 1 || !ok1 || !ok2 || len(d.Bytes("content")) != 32 || len(d.Bytes("device")) != 32 || len(d.Bytes("id")) != 16 {
		return g, ErrGrantInvalid
	}
	copy(g.Content[:], d.Bytes("content"))
	copy(g.Device[:], d.Bytes("device"))
	copy(g.ID[:], d.Bytes("id"))
	g.NotBefore, g.Expires = time.Unix(from, 0), time.Unix(until, 0)
	switch {
	case g.Expires.Sub(g.NotBefore) > MaxGrantLife, now.Before(g.NotBefore.Add(-GrantTolerance)):
		return g, ErrGrantInvalid
	case now.After(g.Expires.Add(GrantTolerance)):
		return g, ErrGrantExpired
	}
	return g, nil
}

// GrantRequest is the JSON body posted to GrantPath. The answer is JSON too: {"grant": base64}.
type GrantRequest struct {
	Content   string `json:"content"`   // content ID in hex
	Device    []byte `json:"device"`    // device key
	Time      int64  `json:"time"`      // Unix seconds; an edge refuses one more than 10 minutes off
	Signature []byte `json:"signature"` // by the device key, over content, device and time
}

// GrantAnswer is what an edge answers.
type GrantAnswer struct {
	Grant []byte `json:"grant"`
}

func (r GrantRequest) signed() []byte {
	return bencode.Encode(bencode.Dict{"content": r.Content, "device": r.Device, "time": r.Time})
}

// NewGrantRequest makes a signed request.
func NewGrantRequest(content ContentID, device ed25519.PrivateKey, now time.Time) GrantRequest {
	r := GrantRequest{Content: content.String(), Device: device.Public().(ed25519.PublicKey), Time: now.Unix()}
	r.Signature = sign(device, grantRequestDomain, r.signed())
	return r
}

// Check verifies signature and time and returns what is asked for.
func (r GrantRequest) Check(now time.Time) (ContentID, DeviceKey, error) {
	content, err := ParseContentID(r.Content)
	if err != nil {
		return ContentID{}, DeviceKey{}, err
	}
	device, err := KeyFrom(r.Device)
	if err != nil {
		return ContentID{}, DeviceKey{}, err
	}
	if !verify(r.Device, grantRequestDomain, r.signed(), r.Signature) {
		return ContentID{}, DeviceKey{}, errors.New("the signature does not fit the request")
	}
	if d := now.Sub(time.Unix(r.Time, 0)).Abs(); d > 10*time.Minute {
		return ContentID{}, DeviceKey{}, fmt.Errorf("the request's time is %s off; set the clock", d.Round(time.Second))
	}
	return content, device, nil
}
