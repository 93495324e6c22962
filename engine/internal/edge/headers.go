package edge

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxLinks      = 64        // looked at in one answer
	maxRetryAfter = time.Hour // a server that asks for more is asked again all the same
)

// contentRange is a Content-Range of bytes (RFC 9110, 14.4). first and last are -1 in the form of a 416
// answer, total is -1 if the server does not know it.
type contentRange struct{ first, last, total int64 }

// parseContentRange takes "bytes 0-9/100", "bytes 0-9/*" and "bytes */100", and nothing that contradicts itself.
func parseContentRange(s string) (r contentRange, ok bool) {
	unit, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	span, total, slash := strings.Cut(strings.TrimSpace(rest), "/")
	if !strings.EqualFold(unit, "bytes") || !slash {
		return r, false
	}
	if r.total, ok = parseCount(total); !ok && total != "*" {
		return r, false
	} else if !ok {
		r.total = -1
	}
	if span == "*" {
		r.first, r.last = -1, -1
		return r, r.total >= 0
	}
	first, last, _ := strings.Cut(span, "-")
	var ok1, ok2 bool
	r.first, ok1 = parseCount(first)
	r.last, ok2 = parseCount(last)
	return r, ok1 && ok2 && r.first <= r.last && (r.total < 0 || r.last < r.total)
}

// parseCount takes digits only: ParseInt's signs would make negative lengths.
func parseCount(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// parseRetryAfter takes seconds or a date (RFC 9110, 10.2.3) and returns 0 for anything else.
func parseRetryAfter(s string, now time.Time) time.Duration {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0
	}
	if strings.Trim(s, "0123456789") == "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// parameters reads "; name=value; name="quoted value"" as servers write it: values with blanks and raw
// UTF-8 without quotes, empty parts, blanks around the equals sign. Names are in lower case; the first of a name counts.
func parameters(s string) map[string]string {
	found := map[string]string{}
	for s != "" {
		s = strings.TrimLeft(s, "; \t")
		end := strings.IndexAny(s, "=;")
		if end < 0 || s[end] == ';' { // a name without a value
			_, s, _ = strings.Cut(s, ";")
			continue
		}
		name := strings.ToLower(strings.TrimSpace(s[:end]))
		s = strings.TrimLeft(s[end+1:], " \t")
		var value string
		if strings.HasPrefix(s, `"`) {
			value, s = unquote(s)
			_, s, _ = strings.Cut(s, ";")
		} else {
			value, s, _ = strings.Cut(s, ";")
			value = strings.TrimSpace(value)
		}
		if _, twice := found[name]; !twice && name != "" {
			found[name] = value
		}
	}
	return found
}

// unquote reads a quoted-string (RFC 9110, 5.6.4) at the beginning of s and returns what follows it.
func unquote(s string) (value, rest string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// dispositionName returns the file name of a Content-Disposition (RFC 6266), "" if there is none. It is
// decoded and valid UTF-8, and may be anything else: "../../etc/passwd" too.
func dispositionName(header string) string {
	kind, rest, _ := strings.Cut(header, ";")
	if strings.Contains(kind, "=") { // some servers leave the type out
		rest = header
	}
	p := parameters(rest)
	if name := decodeExtended(p["filename*"]); name != "" {
		return name
	}
	return toUTF8(p["filename"])
}

// decodeExtended reads charset'language'percent-encoded (RFC 8187).
func decodeExtended(s string) string {
	charset, rest, ok1 := strings.Cut(s, "'")
	_, encoded, ok2 := strings.Cut(rest, "'")
	if !ok1 || !ok2 {
		return ""
	}
	raw, err := url.PathUnescape(encoded)
	if err != nil {
		return ""
	}
	switch strings.ToLower(charset) {
	case "utf-8":
		return strings.ToValidUTF8(raw, "\uFFFD")
	case "iso-8859-1":
		return latin1(raw)
	}
	return ""
}

// toUTF8 keeps UTF-8, which is what servers send, and takes the rest for ISO-8859-1, which is what the
// old standard says.
func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return latin1(s)
}

func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// link is one value of a Link header (RFC 8288).
type link struct {
	target string // as written, perhaps relative
	rels   []string
	kind   string // type=, a media type
	pri    int    // pri=, RFC 6249: 1 is best; 1000000 if absent
}

// parseLinks reads Link headers; what cannot be read is left out.
func parseLinks(headers []string) []link {
	var links []link
	for _, h := range headers {
		for len(links) < maxLinks {
			_, after, found := strings.Cut(h, "<")
			if !found {
				break
			}
			target, rest, closed := strings.Cut(after, ">")
			if !closed {
				break
			}
			end := valueEnd(rest)
			p := parameters(rest[:end])
			h = rest[end:]
			l := link{target: target, rels: strings.Fields(strings.ToLower(p["rel"])), kind: strings.ToLower(p["type"]), pri: 1_000_000}
			if n, ok := parseCount(p["pri"]); ok && n > 0 && n < 1_000_000 {
				l.pri = int(n)
			}
			if _, elsewhere := p["anchor"]; !elsewhere { // it would speak of another resource
				links = append(links, l)
			}
		}
	}
	return links
}

// valueEnd finds the comma that ends a link's parameters, outside quotes.
func valueEnd(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == ',':
			return i
		}
	}
	return len(s)
}

// mirrorTargets returns the targets of rel=duplicate (RFC 6249), best first.
func mirrorTargets(links []link) []string {
	links = slices.DeleteFunc(slices.Clone(links), func(l link) bool { return !slices.Contains(l.rels, "duplicate") })
	slices.SortStableFunc(links, func(a, b link) int { return a.pri - b.pri })
	targets := make([]string, 0, len(links))
	for _, l := range links {
		targets = append(targets, l.target)
	}
	return targets
}

// digestSHA256 returns the SHA-256 of the whole file in hex, from Repr-Digest (RFC 9530) or Digest (RFC
// 3230), or "". Content-Digest is of no use: of a partial answer it is that of the part.
func digestSHA256(h http.Header) string {
	for _, name := range []string{"Repr-Digest", "Digest"} {
		for _, line := range h.Values(name) {
			for part := range strings.SplitSeq(line, ",") {
				algorithm, value, _ := strings.Cut(strings.TrimSpace(part), "=")
				if !strings.EqualFold(algorithm, "sha-256") {
					continue
				}
				sum, err := base64.StdEncoding.DecodeString(strings.Trim(value, ":"))
				if err == nil && len(sum) == sha256.Size {
					return hex.EncodeToString(sum)
				}
			}
		}
	}
	return ""
}
