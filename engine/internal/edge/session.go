package edge

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/tributary-dl/tributary/engine/api"
)

const maxRedirects = 10

// Request is what the user gave for a download. It holds secrets.
type Request struct {
	URL            string
	Mirrors        []string // further URLs of the same bytes
	User, Password string   // basic authentication at URL's host; user-info in a URL does the same for that one
	Headers        map[string]string
	Cookies        string // value of a Cookie header
	Proxy          string // "": the Client's
	AllowLocal     bool   // redirects may lead to private addresses
}

// LogValue keeps secrets out of logs.
func (r Request) LogValue() slog.Value { return slog.StringValue(Redact(r.URL)) }

// ownHeaders are those that make a request mean what we think it means.
var ownHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Host", "If-Match", "If-Modified-Since", "If-None-Match",
	"If-Range", "If-Unmodified-Since", "Proxy-Authorization", "Range", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// session is one download's dealings with servers: it knows who may see which secret, and which hosts may
// be at private addresses. Safe for concurrent use.
type session struct {
	client *Client
	req    Request
	proxy  *url.URL // nil: none
	typed  []location
	free   bool // local addresses are allowed everywhere

	mu     sync.Mutex
	places map[string]place // of the host names that were typed
}

// place is where a host was when it first answered; it may not move from a public address to a local one.
type place int

const (
	placeUnknown place = iota
	placePublic
	placeLocal
)

// newSession checks all that the user gave, before anything is sent.
func (c *Client) newSession(req Request) (*session, error) {
	s := &session{client: c, req: req, free: req.AllowLocal, places: map[string]place{}}
	for _, raw := range append([]string{req.URL}, req.Mirrors...) {
		loc, err := parseURL(raw)
		if err != nil {
			return nil, err
		}
		s.typed = append(s.typed, loc)
		s.free = s.free || namesLocal(loc.Hostname(), c.isLocal)
	}
	for name, value := range req.Headers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, badURL("Check it for line breaks and strange characters.", "The header %q cannot be sent.", clip(name))
		}
		if slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)) {
			return nil, badURL("Leave it out.", "The header %q is set by Tributary itself.", name)
		}
	}
	if !httpguts.ValidHeaderFieldValue(req.Cookies) {
		return nil, badURL("Check them for line breaks.", "The cookies cannot be sent.")
	}
	var err error
	s.proxy, err = parseProxy(cmp.Or(req.Proxy, c.proxy))
	return s, err
}

// message is a request before it has a place to go to.
type message struct {
	method   string // GET or POST
	header   http.Header
	body     []byte
	hop      func(*http.Response) // called with each redirect; may be nil
	windowed bool                 // by a connection of the pool that is for them, see route
}

// send sends msg to a place and follows redirects if it is a GET. It returns the first answer that is no
// redirect, and where that came from. The caller closes its body.
func (s *session) send(ctx context.Context, to location, msg message) (*http.Response, location, error) {
	for hops := 0; ; hops++ {
		resp, err := s.sendOnce(ctx, to, msg)
		if err != nil {
			return nil, to, transportError(ctx, to.Hostname(), err)
		}
		target := resp.Header.Get("Location")
		if !isRedirect(resp.StatusCode) || target == "" || msg.method != http.MethodGet {
			return resp, to, nil
		}
		discard(resp)
		if msg.hop != nil {
			msg.hop(resp)
		}
		next, bad := parseReference(to.URL, target)
		switch {
		case bad != nil:
			e := nonsense(to.Hostname(), "it leads to an address that cannot be used")
			e.Err = bad
			return nil, to, e
		case hops == maxRedirects:
			return nil, to, nonsense(to.Hostname(), "it leads from one address to the next without end")
		case to.Scheme == "https" && next.Scheme == "http":
			return nil, to, Fault(Refused, api.CodeEdgeRefused, api.Say(api.SayUnprotected, "host", to.Hostname()), "")
		}
		s.client.log.DebugContext(ctx, "redirected", logged(to), slog.String("to", Redact(next.String())))
		next.user = nil // a server's user-info is not the user's
		to = next
	}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// sendOnce makes one exchange, on connections that may go where this host may be.
func (s *session) sendOnce(ctx context.Context, to location, msg message) (*http.Response, error) {
	host := to.Hostname()
	if s.free || s.placeOf(host) == placeLocal {
		return s.exchange(ctx, to, msg, true)
	}
	if namesLocal(host, s.client.isLocal) {
		return nil, blocked(host, nil) // a proxy would not ask the guard
	}
	resp, err := s.exchange(ctx, to, msg, false)
	if err == nil {
		s.setPlace(host, placePublic)
		return resp, nil
	}
	if refused := new(blockedError); errors.As(err, &refused) && s.isTyped(host) && s.placeOf(host) == placeUnknown {
		s.setPlace(host, placeLocal)
		return s.exchange(ctx, to, msg, true)
	}
	return nil, err
}

func (s *session) isTyped(host string) bool {
	return slices.ContainsFunc(s.typed, func(l location) bool { return l.Hostname() == host })
}

func (s *session) placeOf(host string) place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.places[host]
}

func (s *session) setPlace(host string, p place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isTyped(host) { // the only ones for which it matters; keeps the map small
		s.places[host] = p
	}
}

func (s *session) exchange(ctx context.Context, to location, msg message, local bool) (*http.Response, error) {
	r := route{local: local, windowed: msg.windowed}
	if s.proxy != nil {
		r.proxy = s.proxy.String()
	}
	req := &http.Request{Method: msg.method, URL: to.URL, Host: to.Host, Header: s.header(to, msg), ProtoMajor: 1, ProtoMinor: 1}
	if msg.body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(msg.body)), int64(len(msg.body))
	}
	return s.client.transport(r, s.proxy).RoundTrip(req.WithContext(ctx))
}

// header adds to a message's header what this server may see.
func (s *session) header(to location, msg message) http.Header {
	h := http.Header{"User-Agent": {s.client.userAgent}, "Accept": {"*/*"}}
	if user, password, ok := s.credentials(to); ok {
		(&http.Request{Header: h}).SetBasicAuth(user, password)
	}
	if sameParty(s.typed[0].URL, to.URL) {
		for name, value := range s.req.Headers {
			h.Set(name, value)
		}
		if s.req.Cookies != "" {
			h.Set("Cookie", s.req.Cookies)
		}
	}
	maps.Copy(h, msg.header)
	h.Set("Accept-Encoding", "identity")
	return h
}

// credentials returns the name and password for a server: those in the URL itself, those typed for it as
// user-info of another URL, or the request's.
func (s *session) credentials(to location) (user, password string, ok bool) {
	info := to.user
	for i, typed := range s.typed {
		if info != nil {
			break
		}
		if !sameParty(typed.URL, to.URL) {
			continue
		}
		if i == 0 && s.req.User+s.req.Password != "" {
			return s.req.User, s.req.Password, true
		}
		info = typed.user
	}
	if info == nil {
		return "", "", false
	}
	password, _ = info.Password()
	return info.Username(), password, true
}

func (s *session) hasCredentials(to location) bool {
	_, _, ok := s.credentials(to)
	return ok
}

// failure turns an answer that is no success into an Error, and closes it.
func (s *session) failure(from location, resp *http.Response) *Error {
	discard(resp)
	return statusError(from.Hostname(), resp, s.hasCredentials(from), time.Now())
}

// discard closes an answer nobody wants. A small body is read, so that its connection can serve on.
func discard(resp *http.Response) {
	if resp.ContentLength <= 2<<10 {
		_, _ = io.CopyN(io.Discard, resp.Body, 2<<10)
	}
	resp.Body.Close()
}

// encoding returns the content coding of an answer, "" for none.
func encoding(resp *http.Response) string {
	c := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding")))
	if c == "identity" {
		return ""
	}
	return c
}
