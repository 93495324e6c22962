package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestContentRange(t *testing.T) {
	tests := []struct {
		in   string
		want contentRange
		ok   bool
	}{
		{"bytes 0-0/10", contentRange{0, 0, 10}, true},
		{" Bytes  5-9/10", contentRange{5, 9, 10}, true},
		{"bytes 5-9/*", contentRange{5, 9, -1}, true},
		{"bytes */10", contentRange{-1, -1, 10}, true},
		{"bytes */*", contentRange{}, false},
		{"bytes 5-4/10", contentRange{}, false},
		{"bytes 5-10/10", contentRange{}, false},
		{"bytes -5-10/20", contentRange{}, false},
		{"bytes +5-10/20", contentRange{}, false},
		{"bytes 0-9", contentRange{}, false},
		{"bytes 0-9/99999999999999999999", contentRange{}, false},
		{"items 0-9/10", contentRange{}, false},
		{"", contentRange{}, false},
	}
	for _, tt := range tests {
		got, ok := parseContentRange(tt.in)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("parseContentRange(%q) = %v, %v; want %v, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	tests := map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		" 0 ":                           0,
		"-5":                            0,
		"86400":                         time.Hour,
		"99999999999999999999":          time.Hour,
		"Sun, 22 Nov 2026 12:00:30 GMT": 30 * time.Second,
		"Sun, 22 Nov 2026 11:00:00 GMT": 0,
		"Sun, 22 Nov 2099 11:00:00 GMT": time.Hour,
		"soon":                          0,
	}
	for in, want := range tests {
		if got := parseRetryAfter(in, now); got != want {
			t.Errorf("parseRetryAfter(%q) = %v; want %v", in, got, want)
		}
	}
}

func TestDispositionName(t *testing.T) {
	tests := map[string]string{
		``:                                  "",
		`inline`:                            "",
		`attachment; filename=plain.zip`:    "plain.zip",
		`attachment; filename="a;b\"c.zip"`: `a;b"c.zip`,
		`attachment; filename=my file.zip`:  "my file.zip",
		`attachment; FileName = "x.zip" ; size=3`:                                 "x.zip",
		`attachment; filename="€.zip"`:                                            "€.zip",
		"attachment; filename=\"\xe4.zip\"":                                       "ä.zip",
		`attachment; filename="EURO.zip"; filename*=utf-8''%e2%82%ac%20rates.zip`: "€ rates.zip",
		`attachment; filename*=ISO-8859-1'en'%A3.zip`:                             "£.zip",
		`attachment; filename*=koi8-r''%A3.zip; filename=fallback.zip`:            "fallback.zip",
		`attachment; filename*=UTF-8''%zz; filename=fallback.zip`:                 "fallback.zip",
		`filename=no-type.zip`:                                                    "no-type.zip",
		`attachment; filename="unclosed.zip`:                                      "unclosed.zip",
		`attachment; filename="../../etc/passwd"`:                                 "../../etc/passwd", // the caller makes names safe
		`attachment; filename=a.zip; filename=b.zip`:                              "a.zip",
		`;;;=;filename=;`:                                                         "",
	}
	for in, want := range tests {
		if got := dispositionName(in); got != want {
			t.Errorf("dispositionName(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	got := parseLinks([]string{
		`<https://a.example/f>; rel=duplicate; pri=2, </f.torrent>; rel="describedby"; type="application/x-bittorrent"`,
		`<http://b.example/f>; title="x, <y>; z"; rel="next duplicate"; pri=1`,
		`<#s>; rel=describedby; anchor="https://elsewhere.example/"`,
		`broken, <unclosed`, `<>`,
	})
	want := []link{
		{"https://a.example/f", []string{"duplicate"}, "", 2},
		{"/f.torrent", []string{"describedby"}, "application/x-bittorrent", 1_000_000},
		{"http://b.example/f", []string{"next", "duplicate"}, "", 1},
		{"", []string{}, "", 1_000_000},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(link{})); d != "" {
		t.Errorf("parseLinks (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"http://b.example/f", "https://a.example/f"}, mirrorTargets(got)); d != "" {
		t.Errorf("mirrorTargets (-want +got):\n%s", d)
	}
	if n := len(parseLinks([]string{strings.Repeat("<x>;rel=duplicate,", 10_000)})); n != maxLinks {
		t.Errorf("%d links were taken from a hostile answer; want %d", n, maxLinks)
	}
}

func TestDigest(t *testing.T) {
	const hexEmpty, b64Empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	tests := []struct{ name, value, want string }{
		{"Digest", "SHA-256=" + b64Empty, hexEmpty},
		{"Digest", "MD5=1B2M2Y8AsgTpgAmY7PhCfg==, sha-256=" + b64Empty, hexEmpty},
		{"Repr-Digest", "sha-256=:" + b64Empty + ":", hexEmpty},
		{"Content-Digest", "sha-256=:" + b64Empty + ":", ""},
		{"Digest", "SHA-256=" + b64Empty[:20], ""},
		{"Digest", "SHA-256", ""},
	}
	for _, tt := range tests {
		if got := digestSHA256(http.Header{tt.name: {tt.value}}); got != tt.want {
			t.Errorf("digest of %s: %s = %q; want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-9/10")
	f.Add("bytes */10")
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := parseContentRange(s)
		if ok && r.first >= 0 && (r.first > r.last || r.total >= 0 && r.last >= r.total) {
			t.Errorf("parseContentRange(%q) = %v contradicts itself", s, r)
		}
	})
}

func FuzzDispositionName(f *testing.F) {
	f.Add(`attachment; filename="a\"b"; filename*=utf-8''%e2%82%ac`)
	f.Add(`filename=;=;"`)
	f.Fuzz(func(t *testing.T, s string) {
		if name := dispositionName(s); !utf8.ValidString(name) {
			t.Errorf("dispositionName(%q) = %q, which is not UTF-8", s, name)
		}
	})
}

func FuzzLinks(f *testing.F) {
	f.Add(`<https://a.example/f>; rel=duplicate; pri=2, </f>; rel="describedby"; type="a/b"`)
	f.Add(`<a>;="\`)
	f.Fuzz(func(t *testing.T, s string) {
		links := parseLinks([]string{s, s})
		if len(links) > maxLinks {
			t.Errorf("%d links", len(links))
		}
		mirrorTargets(links)
	})
}
