package edge

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/tributary-dl/tributary/control/internal/publish"
	"github.com/tributary-dl/tributary/control/protocol"
)

const metalinkType = "application/metalink4+xml" // RFC 5854 section 8

// maxRanges in one request; each costs a part's header, so that many tiny ones would cost more than
// they ask for (RFC 9110 section 14.2 lets us refuse them).
const maxRanges = 16

// serveName serves an object, or a document about an object under the object's name and a suffix.
func (e *Edge) serveName(w http.ResponseWriter, r *http.Request, name string, entry *Entry) {
	named, err := e.store.ByName(name)
	if err == nil {
		e.serveObject(w, r, named, entry)
		return
	}
	for _, d := range []struct {
		suffix, mediaType string
		document          publish.Document
	}{
		{publish.HybridSuffix, protocol.ManifestType, publish.Hybrid}, {publish.MetalinkSuffix, metalinkType, publish.Metalink},
	} {
		stem, ok := strings.CutSuffix(name, d.suffix)
		if !ok || !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if named, err = e.store.ByName(stem); err == nil {
			e.serveDocument(w, r, named.ID, d.document, d.mediaType, name)
			return
		}
	}
	e.missing(w, err)
}

// missing answers for an object that could not be found, is withdrawn, or could not be read.
func (e *Edge) missing(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, publish.ErrWithdrawn):
		w.Header().Set("Cache-Control", "no-cache") // it may be published again
		http.Error(w, "the publisher has withdrawn this file", http.StatusGone)
	case errors.Is(err, fs.ErrNotExist):
		http.Error(w, "there is nothing at this address", http.StatusNotFound)
	default:
		e.fail(w, "published object cannot be read", err)
	}
}

func (e *Edge) serveObject(w http.ResponseWriter, r *http.Request, o publish.Named, entry *Entry) {
	content, err := e.store.OpenContent(o.ID)
	if errors.Is(err, publish.ErrWithdrawn) {
		e.missing(w, err)
		return
	}
	if err != nil {
		e.fail(w, "published content cannot be opened", err)
		return
	}
	defer content.Close()
	entry.Content = o.ID.String()
	entry.Length = o.Size
	e.noteGrant(r, o.ID, entry)
	describe(w.Header(), o)
	if strings.Count(r.Header.Get("Range"), ",") >= maxRanges {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", o.Size))
		http.Error(w, "too many ranges", http.StatusRequestedRangeNotSatisfiable)
		return
	}
	http.ServeContent(w, r, "", o.Since, content)
}

// describe sets the headers that tell any client what it gets: RFC 9110 validators, RFC 6249 links,
// RFC 3230 and RFC 9530 digests. Links to our own documents are relative, so they hold under every host
// name that leads here.
func describe(h http.Header, o publish.Named) {
	h.Set("ETag", `"`+o.ID.String()+`"`)
	h.Set("Cache-Control", "public, no-cache") // the name may lead to new bytes at any time; the ETag tells
	h.Set("Content-Type", mediaType(o.Name))
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": o.Name}))
	h.Set("X-Content-Type-Options", "nosniff")
	sum := base64.StdEncoding.EncodeToString(o.SHA256)
	h.Set("Digest", "SHA-256="+sum)
	h.Set("Repr-Digest", "sha-256=:"+sum+":")
	h.Add("Link", fmt.Sprintf(`<%s%s.torrent>; rel=describedby; type="%s"`, protocol.ManifestPath, o.ID, protocol.ManifestType))
	h.Add("Link", fmt.Sprintf(`</%s%s>; rel=describedby; type="%s"`, url.PathEscape(o.Name), publish.MetalinkSuffix, metalinkType))
	for i, mirror := range o.Mirrors() {
		h.Add("Link", fmt.Sprintf(`<%s>; rel=duplicate; pri=%d`, mirror, i+1))
	}
}

// mediaType goes by the name. The bytes are not looked at: they are the publisher's, and browsers are
// told to save them, not to show them.
func mediaType(name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// serveManifest serves the signed manifest of an object, also of one that has lost its name since.
func (e *Edge) serveManifest(w http.ResponseWriter, r *http.Request, file string) {
	hex, ok := strings.CutSuffix(file, ".torrent")
	id, err := protocol.ParseContentID(hex)
	if !ok || err != nil || id.String() != hex {
		e.missing(w, fs.ErrNotExist)
		return
	}
	e.serveDocument(w, r, id, publish.Manifest, protocol.ManifestType, file)
}

// serveDocument serves a document with validators. Caches may keep it, but not for long: the content is
// immutable, the terms beside it are not.
func (e *Edge) serveDocument(w http.ResponseWriter, r *http.Request, id protocol.ContentID, d publish.Document, mediaType, name string) {
	f, err := e.store.OpenDocument(id, d)
	if err != nil {
		e.missing(w, err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		e.fail(w, "document of a published object cannot be read", err)
		return
	}
	h := w.Header()
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size())) // replaced as a whole, never written to
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Content-Type", mediaType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", info.ModTime(), f)
}
