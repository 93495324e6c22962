// Package edge serves published objects over HTTP, to any client with what HTTP has for it (ranges,
// validators, digests, mirrors), and to ours with manifests and grants. Its log is what accounting
// trusts. It must never compress, since a range of a compressed answer is not a range of the object; never
// list what there is; and never build a path from what a client sent.
package edge

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tributary-dl/tributary/control/internal/allowance"
	"github.com/tributary-dl/tributary/control/internal/publish"
	"github.com/tributary-dl/tributary/control/protocol"
)

// Config of an Edge. DataDir and Log are needed.
type Config struct {
	DataDir   string // as package publish writes it; also of objects that are published later
	Control   string // https base URL of the control plane, told at protocol.WellKnown
	RateLimit int64  // bytes a second of all answers together; 0: none
	Log       *slog.Logger
}

// Edge serves the objects of one data directory.
type Edge struct {
	store    *publish.Store
	grantKey ed25519.PrivateKey
	control  string
	shaper   *shaper // nil: no limit
	log      *slog.Logger
	access   *accessLog
	patience time.Duration

	byAddress, byDevice *allowance.Allowances // of grants

	requests, active, errors, sent, granted, refused atomic.Int64
}

// patience is how long a client may take for one step of an answer (up to a mebibyte) before it is cut
// off: without it, clients that stop reading would hold connections for ever.
const patience = 2 * time.Minute

// New opens the access log and the keys of the data directory. The caller must Close the edge.
func New(c Config) (*Edge, error) {
	if c.RateLimit < 0 {
		return nil, fmt.Errorf("the rate limit %d is negative", c.RateLimit)
	}
	keys, err := publish.OpenKeys(c.DataDir)
	if err != nil {
		return nil, err
	}
	access, err := openAccessLog(LogPath(c.DataDir), c.Log)
	if err != nil {
		return nil, err
	}
	return &Edge{
		store: publish.Open(c.DataDir), grantKey: keys.Grant, control: c.Control, shaper: newShaper(c.RateLimit),
		log: c.Log, access: access, patience: patience,
		byAddress: allowance.New(addressRate, addressBurst), byDevice: allowance.New(deviceRate, deviceBurst),
	}, nil
}

// Close writes what is left of the access log. It is for after the server has stopped; what is served
// later is not logged, but counted in Stats.
func (e *Edge) Close() error { return e.access.close() }

// Stats are totals since New.
type Stats struct {
	Requests      int64 `json:"requests"`
	Active        int64 `json:"active"` // requests being answered now
	BytesSent     int64 `json:"bytes_sent"`
	ServerErrors  int64 `json:"server_errors"` // answers of 500 and above
	GrantsGiven   int64 `json:"grants_given"`
	GrantsRefused int64 `json:"grants_refused"`
	LogLost       int64 `json:"log_lost"` // requests that could not be logged
}

// Stats returns the totals.
func (e *Edge) Stats() Stats {
	return Stats{
		Requests: e.requests.Load(), Active: e.active.Load(), BytesSent: e.sent.Load(), ServerErrors: e.errors.Load(),
		GrantsGiven: e.granted.Load(), GrantsRefused: e.refused.Load(), LogLost: e.access.lost.Load(),
	}
}

// Handler answers all requests to the edge's host except those for protocol.SessionPath.
func (e *Edge) Handler() http.Handler { return http.HandlerFunc(e.serve) }

func (e *Edge) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	e.requests.Add(1)
	e.active.Add(1)
	resp := newResponse(w, r, e.patience)
	if e.shaper != nil {
		resp.turn = e.shaper.enter(r.RemoteAddr)
		defer e.shaper.leave(r.RemoteAddr)
	}
	entry := Entry{Time: began, Remote: host(r.RemoteAddr), Method: shorten(r.Method), Path: shorten(r.URL.Path)}
	defer func() { // also if a handler panics
		resp.settle()
		e.active.Add(-1)
		e.sent.Add(resp.sent)
		if resp.status >= 500 {
			e.errors.Add(1)
		}
		entry.finish(resp, time.Since(began))
		e.access.add(entry)
	}()
	e.route(resp, r, &entry)
}

func (e *Edge) route(w *response, r *http.Request, entry *Entry) {
	path := r.URL.Path
	allowed := "GET, HEAD"
	if path == protocol.GrantPath {
		allowed = "POST"
	}
	if !slices.Contains(strings.Split(allowed, ", "), r.Method) {
		w.Header().Set("Allow", allowed)
		http.Error(w, "this method is not for this address", http.StatusMethodNotAllowed)
		return
	}
	id, isManifest := strings.CutPrefix(path, protocol.ManifestPath)
	switch {
	case path == "/":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "This is a Tributary edge.")
	case path == protocol.GrantPath:
		e.serveGrant(w, r)
	case path == protocol.WellKnown:
		e.serveWellKnown(w)
	case isManifest:
		e.serveManifest(w, r, id)
	default:
		e.serveName(w, r, strings.TrimPrefix(path, "/"), entry)
	}
}

// fail answers 500; the client learns nothing of the cause, the operator does.
func (e *Edge) fail(w http.ResponseWriter, what string, err error) {
	e.log.Error("request cannot be answered", "trouble", what, "err", err)
	http.Error(w, "the edge has a problem of its own", http.StatusInternalServerError)
}

// host returns an address without its port.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

// shorten bounds what a client can make us log.
func shorten(s string) string { return s[:min(len(s), 512)] }
