package edge

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

const maxURL = 16 << 10 // bytes; what servers take is less

// location is a checked URL: http or https, with a host in ASCII, no fragment and no user-info.
type location struct {
	*url.URL
	user *url.Userinfo // from the URL; nil if it had none
}

// CheckURL says in a sentence why raw cannot be downloaded, or returns nil.
func CheckURL(raw string) error {
	if _, err := parseURL(raw); err != nil {
		return err
	}
	return nil // not err, which would be a nil *Error in a non-nil interface
}

// parseURL reads a URL as people and servers write it: spaces and other characters that RFC 3986
// forbids are escaped, a percent sign that escapes nothing is taken for itself.
func parseURL(raw string) (location, *Error) {
	return parseReference(nil, raw)
}

// parseReference reads a URL that may be relative to base, as in Location and Link.
func parseReference(base *url.URL, raw string) (location, *Error) {
	raw = strings.TrimSpace(raw)
	if len(raw) > maxURL {
		return location{}, badURL("", "The address is longer than %d characters.", maxURL)
	}
	u, err := url.Parse(escapeLoose(raw))
	if err != nil {
		return location{}, badURL("Check it for typing errors.", "%q is not a web address.", redactBroken(raw))
	}
	if base != nil {
		u = base.ResolveReference(u)
	}
	return checkLocation(raw, u)
}

func checkLocation(raw string, u *url.URL) (location, *Error) {
	const remedy = "Give an address that begins with https:// or http://."
	switch u.Scheme {
	case "http", "https":
	case "":
		return location{}, badURL(remedy, "%q is not a complete web address.", redactBroken(raw))
	case "magnet":
		return location{}, badURL("Give the https address of the file instead.", "Tributary takes no magnet links.")
	case "ftp", "sftp":
		return location{}, badURL(remedy, "Tributary does not speak %s; it downloads over https and http.", strings.ToUpper(u.Scheme))
	case "file":
		return location{}, badURL(remedy, "That is a file on this computer, not a download.")
	default:
		return location{}, badURL(remedy, "An address that begins with %q cannot be downloaded.", clip(u.Scheme)+":")
	}
	host, err := asciiHost(u.Hostname())
	if err != nil {
		return location{}, badURL("Check it for typing errors.", "%q has no usable server name.", redactBroken(raw))
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return location{}, badURL("Leave the port out, or give one from 1 to 65535.", "%q is not a port.", clip(p))
		}
	}
	loc := location{URL: new(*u), user: u.User}
	loc.User, loc.Fragment, loc.RawFragment = nil, "", ""
	if loc.Host = host; strings.Contains(host, ":") {
		loc.Host = "[" + host + "]"
	}
	if p := u.Port(); p != "" {
		loc.Host += ":" + p
	}
	if loc.Path == "" {
		loc.Path = "/"
	}
	return loc, nil
}

// asciiHost turns an international name into its ASCII form (RFC 5891); others only into lower case,
// because real hosts have underscores and more that the rules for international names forbid.
func asciiHost(host string) (string, error) {
	host = strings.ToLower(host)
	if host == "" || strings.ContainsAny(host, " %") && !strings.Contains(host, ":") {
		return "", errors.New("no host name")
	}
	for i := range len(host) {
		if host[i] >= 0x80 {
			return idna.Lookup.ToASCII(host)
		}
	}
	return host, nil
}

// escapeLoose escapes what url.Parse would refuse or pass on unescaped, in all that follows the host.
func escapeLoose(raw string) string {
	head, tail := "", raw
	if scheme := strings.Index(raw, "://"); scheme >= 0 && !strings.ContainsAny(raw[:scheme], "/?#") {
		end := len(raw)
		if i := strings.IndexAny(raw[scheme+3:], "/?#"); i >= 0 {
			end = scheme + 3 + i
		}
		head, tail = raw[:end], raw[end:]
	}
	tail, _, _ = strings.Cut(tail, "#")
	var b strings.Builder
	b.WriteString(head)
	for i := range len(tail) {
		switch c := tail[i]; {
		case c == '%' && !(i+2 < len(tail) && isHex(tail[i+1]) && isHex(tail[i+2])):
			b.WriteString("%25")
		case c == ' ' || c >= 0x80 || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// Redact returns a URL without what may be secret, its user-info, query and fragment. It works on any
// string, since what cannot be parsed must not be logged as it is either.
func Redact(raw string) string {
	if i := strings.IndexAny(raw, "?#"); i >= 0 {
		raw = raw[:i]
	}
	return clip(WithoutUser(raw))
}

// WithoutUser returns a URL without its user-info, for showing it to the one who typed it.
func WithoutUser(raw string) string {
	start := 0
	if i := strings.Index(raw, "//"); i >= 0 {
		start = i + 2
	}
	end := len(raw)
	if i := strings.IndexAny(raw[start:], "/?#"); i >= 0 {
		end = start + i
	}
	if at := strings.LastIndexByte(raw[start:end], '@'); at >= 0 {
		return raw[:start] + raw[start+at+1:]
	}
	return raw
}

// redactBroken is Redact for what could not be parsed: a password with a slash or a question mark in it
// hides where the user-info ends, so all that may belong to it goes.
func redactBroken(raw string) string {
	return Redact(raw[strings.LastIndexByte(raw, '@')+1:])
}

// clip keeps hostile strings from filling messages.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// sameParty tells whether two URLs lead to the same server, which may then see the same secrets: same
// host and port, or the step of that host from http to https at the usual ports.
func sameParty(from, to *url.URL) bool {
	if from.Hostname() != to.Hostname() || from.Scheme == "https" && to.Scheme != "https" {
		return false
	}
	a, b := effectivePort(from), effectivePort(to)
	return a == b || from.Scheme == "http" && to.Scheme == "https" && a == "80" && b == "443"
}

// sameOrigin compares scheme, host and port (RFC 6454).
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && a.Hostname() == b.Hostname() && effectivePort(a) == effectivePort(b)
}

func effectivePort(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
