package edge

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/tributary-dl/tributary/control/protocol"
)

const maxMirrors = 16 // taken from Link headers

// Resource is what a URL names. A caller that knows all this already, from a manifest and an earlier run,
// may write one itself: Request is needed then, URL may be empty, Size may be -1.
type Resource struct {
	Request     Request
	URL         string    // where redirects ended; may be short-lived, so Request.URL stays the name
	Size        int64     // bytes, -1 while unknown
	Ranges      bool      // parts can be asked for
	Validator   Validator // of the bytes at URL
	Name        string    // suggested file name, decoded but not made safe; may be empty
	ManifestURL string    // "" if the server names none
	Mirrors     []string  // from the server, best first; without Request.Mirrors
	SHA256      string    // of the whole file in hex, as the server says; may be empty
	Page        bool      // it is a page for a browser

	session *session
}

// Changed tells whether r, resolved anew, is another file than the one that was: its size or its validator
// differs. Where nothing can be compared it is taken for the same; each answer is checked again when bytes come.
func (r *Resource) Changed(was *Resource) bool {
	return r.Size != was.Size || r.Validator.differs(was.Validator)
}

// Doubtful tells, of a resource that has Changed, that it is likely no newer version of the file but another answer altogether: a page
// where there was a file, as of a hotel's network or a login that is over, a server that gives no parts any more, or another server's file.
func (r *Resource) Doubtful(was *Resource) bool {
	return r.Page && !was.Page || was.Ranges && !r.Ranges || r.Size != was.Size && hostOf(r.URL) != hostOf(was.URL)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// Validator tells whether two answers speak of the same bytes (RFC 9110, 8.8).
type Validator struct {
	Host         string `json:"host,omitempty"` // that gave it: ETags of two hosts cannot be compared
	ETag         string `json:"etag,omitempty"` // as sent, weak ones too
	LastModified string `json:"last_modified,omitempty"`
}

func validatorOf(from location, h http.Header) Validator {
	v := Validator{Host: from.Host, ETag: strings.TrimSpace(h.Get("ETag")), LastModified: strings.TrimSpace(h.Get("Last-Modified"))}
	if len(v.ETag) > 1024 || len(v.LastModified) > 64 { // they are stored, and sent back
		return Validator{Host: from.Host}
	}
	return v
}

func (v Validator) isZero() bool { return v.ETag == "" && v.LastModified == "" }

// differs says whether w, of another answer, belongs to other bytes for all one can know. Two ETags of one
// host decide, weak or not: a weak one that differs is other content, and one that was strong is made weak by
// servers that compress. Without them the dates do. An answer with nothing to compare does not differ.
func (v Validator) differs(w Validator) bool {
	if v.ETag != "" && w.ETag != "" && v.Host == w.Host {
		return strings.TrimPrefix(v.ETag, "W/") != strings.TrimPrefix(w.ETag, "W/")
	}
	if v.LastModified != "" && w.LastModified != "" {
		return v.LastModified != w.LastModified
	}
	return v.Host != w.Host && !v.isZero() && !w.isZero()
}

// condition returns the value of If-Range for a request to host, "" for none. A weak ETag is not allowed
// there; a date is, and what it cannot see within its second, the comparison of the answers' sizes may.
func (v Validator) condition(host string) string {
	switch {
	case v.Host != host:
		return ""
	case v.ETag != "" && !strings.HasPrefix(v.ETag, "W/"):
		return v.ETag
	case v.ETag == "":
		return v.LastModified
	}
	return ""
}

// Resolve asks what req.URL names, with a GET of its first byte: servers are not honest to HEAD. It sends
// nothing if the request itself is wrong.
func (c *Client) Resolve(ctx context.Context, req Request) (*Resource, error) {
	s, err := c.newSession(req)
	if err != nil {
		return nil, err
	}
	ctx, dog := watch(ctx, c.timeouts)
	defer dog.stop()
	res := &Resource{Request: req, Size: -1, session: s}
	var links []link // with absolute targets
	hop := func(resp *http.Response) { links = append(links, absoluteLinks(resp)...) }

	resp, from, err := s.send(ctx, s.typed[0], message{method: http.MethodGet, hop: hop, header: http.Header{"Range": {"bytes=0-0"}}})
	if err == nil && dislikesRanges(resp) {
		discard(resp)
		resp, from, err = s.send(ctx, s.typed[0], message{method: http.MethodGet, hop: hop}) //nolint:bodyclose // describe closes it
	}
	if err != nil {
		return nil, err
	}
	if err := res.describe(from, resp); err != nil {
		return nil, err
	}
	hop(resp)
	res.follow(links)
	return res, nil
}

// dislikesRanges tells whether the question for a part may be the reason of a refusal.
func dislikesRanges(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusRequestedRangeNotSatisfiable:
		r, ok := parseContentRange(resp.Header.Get("Content-Range"))
		return !ok || r.total != 0 // an empty file has no first byte; that is an answer
	case http.StatusBadRequest, http.StatusNotImplemented:
		return true
	}
	return false
}

// describe fills in what the final answer says, and closes it.
func (r *Resource) describe(from location, resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNonAuthoritativeInfo:
		r.Size = resp.ContentLength
		resp.Body.Close()
	case http.StatusPartialContent:
		span, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if ok {
			r.Size = span.total
			r.Ranges = span.first == 0 && span.last == 0
		}
		discard(resp)
	case http.StatusRequestedRangeNotSatisfiable: // dislikesRanges let it pass
		r.Size = 0
		discard(resp)
	default:
		return r.session.failure(from, resp)
	}
	r.URL = from.String()
	r.Validator = validatorOf(from, resp.Header)
	r.Page = isPage(resp.Header)
	r.Name = dispositionName(resp.Header.Get("Content-Disposition"))
	if r.Name == "" {
		r.Name = nameFromPath(from.URL)
	}
	r.SHA256 = digestSHA256(resp.Header)
	if encoding(resp) != "" { // all of this speaks of the encoded bytes
		r.Size, r.Ranges, r.SHA256 = -1, false, ""
	}
	return nil
}

func isPage(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "text/html", "application/xhtml+xml":
		return true
	}
	return false
}

func nameFromPath(u *url.URL) string {
	name := path.Base(u.Path) // decoded
	if name == "/" || name == "." {
		return ""
	}
	return toUTF8(name)
}

// absoluteLinks reads an answer's Link headers. Targets that would leave https are dropped.
func absoluteLinks(resp *http.Response) []link {
	links := parseLinks(resp.Header.Values("Link"))
	kept := links[:0]
	for _, l := range links {
		target, bad := parseReference(resp.Request.URL, l.target)
		if bad != nil || target.user != nil || resp.Request.URL.Scheme == "https" && target.Scheme != "https" {
			continue
		}
		l.target = target.String()
		kept = append(kept, l)
	}
	return kept
}

// follow takes the manifest and the mirrors from links, which RFC 6249 also allows on a redirect.
func (r *Resource) follow(links []link) {
	typed := r.session.typed[0].URL
	for _, l := range links {
		target, err := url.Parse(l.target)
		if err == nil && r.ManifestURL == "" && slices.Contains(l.rels, "describedby") &&
			strings.HasPrefix(l.kind, protocol.ManifestType) && (target.Scheme == "https" || sameOrigin(target, typed)) {
			r.ManifestURL = l.target
		}
	}
	for _, target := range mirrorTargets(links) {
		if len(r.Mirrors) < maxMirrors && target != r.URL && target != typed.String() && !slices.Contains(r.Mirrors, target) {
			r.Mirrors = append(r.Mirrors, target)
		}
	}
}

// readAll reads a small document whole; more than limit bytes are an error.
func readAll(ctx context.Context, from location, resp *http.Response, dog *watchdog, limit int64) ([]byte, error) {
	defer resp.Body.Close()
	dog.resume()
	host := from.Hostname()
	if encoding(resp) != "" {
		return nil, nonsense(host, "it is compressed, which was not asked for")
	}
	body, err := io.ReadAll(io.LimitReader(dog.reader(resp.Body), limit+1))
	if err != nil {
		return nil, transportError(ctx, host, err)
	}
	if int64(len(body)) > limit {
		return nil, nonsense(host, "it is longer than %d bytes", limit)
	}
	return body, nil
}
