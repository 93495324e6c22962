package edge

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/tributary-dl/tributary/control/internal/allowance"
	"github.com/tributary-dl/tributary/control/protocol"
)

const (
	maxGrantRequest = 4 << 10 // bytes

	// A device asks once an hour for each object that it downloads or shares, an address may be that of a
	// whole office. The bursts cover a start with everything that is shared.
	deviceRate, deviceBurst   = 1, 100
	addressRate, addressBurst = 50, 1000
)

// serveGrant gives a device the edge's word that it may look for peers of an object.
func (e *Edge) serveGrant(w http.ResponseWriter, r *http.Request) {
	grant, err := e.grant(w, r, time.Now())
	if err == nil {
		e.granted.Add(1)
		answer(w, http.StatusOK, protocol.GrantAnswer{Grant: grant})
		return
	}
	e.refused.Add(1)
	no, ok := errors.AsType[*refusal](err)
	if !ok {
		e.fail(w, "grant cannot be given", err)
		return
	}
	if no.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(no.retry.Seconds()))))
	}
	answer(w, no.status, map[string]string{"error": no.sentence})
}

// refusal is an answer that is the client's to deal with.
type refusal struct {
	status   int
	sentence string
	retry    time.Duration
}

func (r *refusal) Error() string { return r.sentence }

func (e *Edge) grant(w http.ResponseWriter, r *http.Request, now time.Time) ([]byte, error) {
	if wait := e.byAddress.Take(network(r.RemoteAddr), now); wait > 0 { // before anything that costs more
		return nil, tooMany(wait)
	}
	var request protocol.GrantRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxGrantRequest)).Decode(&request); err != nil {
		return nil, &refusal{status: http.StatusBadRequest, sentence: "the request is not a grant request of at most 4 KiB"}
	}
	content, device, err := request.Check(now)
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest, sentence: err.Error()}
	}
	if wait := e.byDevice.Take(string(device[:]), now); wait > 0 {
		return nil, tooMany(wait)
	}
	object, err := e.store.ByID(content)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &refusal{status: http.StatusNotFound, sentence: "this edge does not have the object"}
	case err != nil:
		return nil, err
	case !object.Withdrawn.IsZero():
		return nil, &refusal{status: http.StatusGone, sentence: "the publisher has withdrawn this object"}
	case !object.Policy.Peers:
		return nil, &refusal{status: http.StatusForbidden, sentence: "the publisher does not want peers for this object"}
	case !object.NotAfter.IsZero() && now.After(object.NotAfter):
		return nil, &refusal{status: http.StatusForbidden, sentence: "the publisher's terms for this object have ended"}
	}
	from := now.Truncate(time.Second)
	g := protocol.Grant{Content: content, Device: device, NotBefore: from, Expires: from.Add(protocol.MaxGrantLife)}
	rand.Read(g.ID[:]) // never fails
	return g.Seal(e.grantKey), nil
}

func tooMany(wait time.Duration) error {
	return &refusal{status: http.StatusTooManyRequests, sentence: "too many grant requests", retry: wait}
}

// network is whose allowance a request uses up.
func network(address string) string {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	return allowance.Network(at.Addr())
}

// noteGrant adds to the log which device takes the bytes, if the request says so and proves it.
func (e *Edge) noteGrant(r *http.Request, content protocol.ContentID, entry *Entry) {
	header := r.Header.Get(protocol.GrantHeader)
	if header == "" {
		return
	}
	sealed, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return
	}
	g, err := protocol.OpenGrant(sealed, e.grantKey.Public().(ed25519.PublicKey), time.Now())
	if err != nil || g.Content != content {
		return
	}
	entry.Grant, entry.Device = hex.EncodeToString(g.ID[:]), g.Device.GUID().String()
}

// wellKnown is what stands at protocol.WellKnown: how to find, from nothing but a host name, all that
// answers for an object would link to.
type wellKnown struct {
	Version  int    `json:"version"`
	Control  string `json:"control"`
	Object   string `json:"object"`
	Manifest string `json:"manifest"`
	Grant    string `json:"grant"`
}

func (e *Edge) serveWellKnown(w http.ResponseWriter) {
	answer(w, http.StatusOK, wellKnown{
		Version: protocol.Version, Control: e.control,
		Object: "/{name}", Manifest: protocol.ManifestPath + "{content}.torrent", Grant: protocol.GrantPath,
	})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}
