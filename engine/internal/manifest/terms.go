package manifest

import (
	"crypto/sha256"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/bencode"
)

// openTerms checks the publisher's signature and what the terms say. Terms without a signature, or the
// other way round, are not a plain torrent but a broken manifest of ours.
func (p *parser) openTerms() error {
	if p.rawTerms == nil && p.signature == nil {
		return nil
	}
	if p.rawTerms == nil || p.signature == nil {
		return refuse("the publisher's terms are not signed")
	}
	if len(p.rawTerms) > maxTerms {
		return refuse("the publisher's terms are larger than %d KiB", maxTerms>>10)
	}
	dict, err := bencode.DecodeDict(p.rawTerms)
	if err != nil {
		return err
	}
	terms, err := protocol.OpenTerms(p.m.ID, dict, p.signature)
	if err != nil {
		return refuse("%s", err)
	}
	if err := p.checkTerms(terms, len(dict.Bytes("sha256"))); err != nil {
		return err
	}
	p.m.Terms = &terms
	return nil
}

func (p *parser) checkTerms(t protocol.Terms, sumSize int) error {
	if sumSize != 0 && (sumSize != sha256.Size || !p.m.Single) {
		return refuse("the publisher's terms have a checksum that fits no file")
	}
	if !utf8.ValidString(t.Publisher) || strings.ContainsFunc(t.Publisher, misleading) {
		return refuse("the publisher's name has forbidden characters")
	}
	if t.Control != "" && !isHTTPS(t.Control) {
		return refuse("the control plane %.80q is not an https URL", t.Control)
	}
	for _, edge := range t.Edges {
		if !isHTTPS(edge) {
			return refuse("the edge %.80q is not an https URL", edge)
		}
	}
	return nil
}

// misleading reports characters that could make a window show another name than the one that was signed.
func misleading(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

func isHTTPS(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 2048 && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.Fragment == ""
}
