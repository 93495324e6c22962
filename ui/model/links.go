package model

import (
	"net"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/tributary-dl/tributary/engine/api"
)

// Bounds of what one paste may hold. A person pastes a list of links, not a book.
const (
	MaxPaste   = 1 << 20 // bytes
	MaxLinks   = 1000
	maxLinkLen = 16 << 10 // bytes; what the service takes
)

// Reason says why a text, or a part of it, gives no download.
type Reason int

const (
	ReasonTooMuch  Reason = iota + 1 // more text or more links than MaxPaste or MaxLinks
	ReasonEmpty                      // no text at all
	ReasonNoLink                     // text without a link
	ReasonScheme                     // an address this program does not fetch: ftp, javascript …
	ReasonMagnet                     // names content, but no server that has it
	ReasonLocal                      // a file on this computer
	ReasonNoHost                     // http: without a usable server name
	ReasonTooLong                    // one link longer than servers take
	ReasonBadChars                   // control characters or broken text
)

// Refusal is one part of a text that gives no download.
type Refusal struct {
	Text   string // shortened to fit a line
	Scheme string // with ReasonScheme
	Reason Reason
}

// Links is what a text asks for.
type Links struct {
	URLs    []string // http and https, in order, each once
	Refused []Refusal
}

// ParseLinks finds the links in whatever a person pastes or drops: one or several, one a line or in a
// sentence, in quotes or angle brackets, with spaces in them, without a scheme. It never guesses a link out of
// an address of another kind: whoever pastes javascript: gets a refusal, not a download.
func ParseLinks(text string) Links {
	var found Links
	switch {
	case len(text) > MaxPaste:
		found.refuse(text, ReasonTooMuch)
		return found
	case strings.TrimSpace(text) == "":
		found.refuse("", ReasonEmpty)
		return found
	case !utf8.ValidString(text):
		found.refuse(text, ReasonBadChars)
		return found
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		for _, candidate := range candidates(strings.TrimSpace(line)) {
			if len(found.URLs) == MaxLinks {
				found.refuse(line, ReasonTooMuch)
				return found
			}
			found.take(candidate, seen)
		}
	}
	if len(found.URLs) == 0 && len(found.Refused) == 0 {
		found.refuse(strings.TrimSpace(text), ReasonNoLink)
	}
	return found
}

func (l *Links) refuse(text string, why Reason) {
	l.Refused = append(l.Refused, Refusal{Text: Shorten(text, 60), Reason: why})
}

// take adds one candidate as a link or as a refusal. Words that only stand around a link are neither.
func (l *Links) take(candidate string, seen map[string]bool) {
	scheme, rest, ok := strings.Cut(candidate, ":")
	switch scheme = strings.ToLower(scheme); {
	case ok && (scheme == "http" || scheme == "https"):
		link, why := clean(candidate, rest)
		if why != 0 {
			l.refuse(candidate, why)
		} else if !seen[link] {
			seen[link] = true
			l.URLs = append(l.URLs, link)
		}
	case ok && scheme == "tributary" && ownLink.MatchString(rest): // a desktop hands it to us: a page asks for this program
		l.take(strings.TrimPrefix(rest, "//"), seen)
	case ok && scheme == "file" || localPath.MatchString(candidate):
		l.refuse(candidate, ReasonLocal)
	case ok && scheme == "magnet":
		l.refuse(candidate, ReasonMagnet)
	case ok && isScheme(scheme, rest):
		l.refuse(candidate, ReasonScheme)
		l.Refused[len(l.Refused)-1].Scheme = scheme
	case bareHost.MatchString(candidate):
		l.take("https://"+candidate, seen)
	}
}

var (
	// bareHost is an address as printed on paper: example.com/file.iso. A path is asked for, so that a
	// sentence's last word is not taken for a server.
	bareHost  = regexp.MustCompile(`^(?i:[a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-zA-Z]{2,24}(:\d{1,5})?/\S+$`)
	localPath = regexp.MustCompile(`^(/[^/]|~/|[a-zA-Z]:\\|\\\\)`)
	schemeRE  = regexp.MustCompile(`^[a-z][a-z0-9+.-]{1,30}$`)
	ownLink   = regexp.MustCompile(`^(//)?(?i:https?)://`)
	linkStart = regexp.MustCompile(`(?i)\bhttps?://`)
	fileName  = regexp.MustCompile(`\.[A-Za-z0-9]{1,5}$`)
)

// slashless are schemes whose addresses need no "//". Without the list every "note: text" would be one.
var slashless = map[string]bool{"javascript": true, "data": true, "magnet": true, "mailto": true, "blob": true, "about": true, "vbscript": true}

func isScheme(scheme, rest string) bool {
	return schemeRE.MatchString(scheme) && (strings.HasPrefix(rest, "//") || slashless[scheme])
}

// candidates cuts a line into what may be links. A line in quotes or angle brackets is one. A link that
// begins the line and goes on to a file name after spaces is one, too: people paste unescaped addresses. All
// else is cut at spaces.
func candidates(line string) []string {
	if inner, quoted := unquote(line); quoted {
		return []string{inner}
	}
	starts := linkStart.FindAllStringIndex(line, -1)
	words := strings.Fields(line)
	if len(starts) == 1 && starts[0][0] == 0 && len(words) > 1 && !fileName.MatchString(words[0]) && fileName.MatchString(line) {
		return []string{line}
	}
	var out []string
	for _, w := range words {
		w, _ = unquote(strings.TrimRight(w, ",;"))
		w = strings.Trim(w, `"'<>()[]{}“”„‘’«»,;`)
		// "a.iso,https://b.iso" is two links.
		for at := linkStart.FindAllStringIndex(w, -1); len(at) > 1 && at[1][0] > 0 && strings.ContainsRune(",;|", rune(w[at[1][0]-1])); at = linkStart.FindAllStringIndex(w, -1) {
			out = append(out, w[:at[1][0]-1])
			w = w[at[1][0]:]
		}
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

func unquote(s string) (inner string, quoted bool) {
	for _, pair := range []string{`""`, `''`, `<>`, `“”`, `„“`, `‘’`, `«»`} {
		runes := []rune(pair)
		open, end := string(runes[0]), string(runes[1])
		if len(s) >= len(open)+len(end) && strings.HasPrefix(s, open) && strings.HasSuffix(s, end) {
			inner := strings.TrimSpace(s[len(open) : len(s)-len(end)])
			if !strings.Contains(inner, open) {
				return inner, true
			}
		}
	}
	return s, false
}

// clean checks a link and writes it the way it goes over the wire.
func clean(link, rest string) (string, Reason) {
	if len(link) > maxLinkLen {
		return "", ReasonTooLong
	}
	if strings.ContainsFunc(link, func(r rune) bool {
		return unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r)
	}) {
		return "", ReasonBadChars
	}
	if !strings.HasPrefix(rest, "//") {
		return "", ReasonNoHost
	}
	u, err := url.Parse(strings.ReplaceAll(link, " ", "%20"))
	if err != nil || u.Hostname() == "" || strings.ContainsAny(u.Hostname(), "%\\<>\"'") || u.Port() == "0" {
		return "", ReasonNoHost
	}
	if strings.HasPrefix(u.Host, "[") && net.ParseIP(u.Hostname()) == nil {
		return "", ReasonNoHost
	}
	if !isASCII(u.Hostname()) {
		name, err := idna.Lookup.ToASCII(u.Hostname())
		if err != nil {
			return "", ReasonNoHost
		}
		u.Host = strings.Replace(u.Host, u.Hostname(), name, 1)
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String(), 0
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// Request turns a link into what the service is asked: a name and password in the link go where they
// belong, so that no list and no log shows them.
func Request(link string) api.AddRequest {
	u, err := url.Parse(link)
	if err != nil || u.User == nil {
		return api.AddRequest{URL: link}
	}
	password, _ := u.User.Password()
	r := api.AddRequest{User: u.User.Username(), Password: password}
	u.User = nil
	r.URL = u.String()
	return r
}

// mangled is what X11 and Wayland make of a link that is dropped on a window: a file below the working
// folder, with one slash lost and escapes decoded.
var mangled = regexp.MustCompile(`^.*?/(https?|ftp|magnet|javascript|data):/*`)

// Undrop turns the path of something dropped on the window back into the link it was, if it was one.
func Undrop(path string) (link string, isLink bool) {
	m := mangled.FindStringSubmatchIndex(path)
	if m == nil {
		return path, false
	}
	return path[m[2]:m[3]] + "://" + strings.ReplaceAll(path[m[1]:], " ", "%20"), true
}

// Shorten cuts a text to at most n runes in its middle and makes it one line, for showing.
func Shorten(text string, n int) string {
	head, tail := text, ""
	if len(text) > 8*n { // what lies between cannot be shown anyway
		head, tail = strings.ToValidUTF8(text[:4*n], ""), strings.ToValidUTF8(text[len(text)-4*n:], "")
	}
	clean := func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}
	runes := []rune(strings.Map(clean, head+tail))
	if len(runes) <= n {
		return string(runes)
	}
	half := (n - 1) / 2
	return string(runes[:n-1-half]) + "…" + string(runes[len(runes)-half:])
}
