package edge

import (
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	tests := []struct{ in, want string }{
		{"https://Example.COM/a", "https://example.com/a"},
		{" http://example.com \n", "http://example.com/"},
		{"https://example.com/a b/ü.zip?q=a b#part", "https://example.com/a%20b/%C3%BC.zip?q=a%20b"},
		{"https://example.com/100%.zip", "https://example.com/100%25.zip"},
		{"https://example.com/a%2Fb", "https://example.com/a%2Fb"},
		{"https://bücher.example/", "https://xn--bcher-kva.example/"},
		{"https://under_score.example:8443/", "https://under_score.example:8443/"},
		{"http://[2001:DB8::1]:80/f", "http://[2001:db8::1]:80/f"},
		{"https://name:secret@example.com/f", "https://example.com/f"},
		{`https://example.com/a\b|c"d`, "https://example.com/a%5Cb%7Cc%22d"},
	}
	for _, tt := range tests {
		got, err := parseURL(tt.in)
		if err != nil {
			t.Errorf("parseURL(%q): %v", tt.in, err)
		} else if got.String() != tt.want {
			t.Errorf("parseURL(%q) = %s; want %s", tt.in, got, tt.want)
		}
	}
}

func TestUnusableURLsGetASentence(t *testing.T) {
	tests := []struct{ in, says string }{
		{"", "not a complete web address"},
		{"example.com/file.zip", "not a complete web address"},
		{"ftp://example.com/f", "FTP"},
		{"file:///etc/passwd", "a file on this computer"},
		{"javascript:alert(1)", `"javascript:"`},
		{"data:text/plain,hello", `"data:"`},
		{"magnet:?xt=urn:btih:00", "magnet"},
		{"https://", "no usable server name"},
		{"https:///file", "no usable server name"},
		{"http://example.com:99999/", "not a port"},
		{"http://example.com:0/", "not a port"},
		{"http://exa mple.com/", "not a web address"},
		{"http://xn--\u00e4.example/", "no usable server name"},
		{"http://example.com/\x00", "not a web address"},
		{"https://u:pass/word@example.com/", "not a web address"},
		{"https://example.com/" + strings.Repeat("a", maxURL), "longer than"},
	}
	for _, tt := range tests {
		err := CheckURL(tt.in)
		if err == nil {
			t.Errorf("CheckURL(%q) = nil", clip(tt.in))
			continue
		}
		wantKind(t, err, BadURL)
		if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "pass") && strings.Contains(tt.in, "u:pass") {
			t.Errorf("CheckURL(%q) says %q; want something with %q and without secrets", clip(tt.in), err, tt.says)
		}
	}
}

func TestRedact(t *testing.T) {
	tests := map[string]string{
		"https://u:p@example.com/f?token=x#y": "https://example.com/f",
		"https://u:p@q@example.com/f":         "https://example.com/f",
		"https://example.com/@scope/f":        "https://example.com/@scope/f",
		"//u:p@h":                             "//h",
		"nonsense":                            "nonsense",
		"":                                    "",
	}
	for in, want := range tests {
		if got := Redact(in); got != want {
			t.Errorf("Redact(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestSameParty(t *testing.T) {
	tests := []struct {
		from, to string
		want     bool
	}{
		{"https://a.example/x", "https://a.example:443/y", true},
		{"http://a.example/", "https://a.example/", true},
		{"https://a.example/", "http://a.example/", false},
		{"http://a.example:8080/", "https://a.example/", false},
		{"https://a.example/", "https://a.example:8443/", false},
		{"https://a.example/", "https://b.a.example/", false},
	}
	for _, tt := range tests {
		from, _ := parseURL(tt.from)
		to, _ := parseURL(tt.to)
		if got := sameParty(from.URL, to.URL); got != tt.want {
			t.Errorf("sameParty(%s, %s) = %v", tt.from, tt.to, got)
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, s := range []string{"https://u:p@example.com:1/a b%?q#f", "http://[::1%25eth0]/", "//x", "http://ä/%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		loc, err := parseURL(s)
		if err != nil {
			return
		}
		if strings.Contains(loc.String(), " ") || loc.User != nil || loc.Hostname() == "" {
			t.Errorf("parseURL(%q) = %q", s, loc)
		}
		if again, err := parseURL(loc.String()); err != nil || again.String() != loc.String() {
			t.Errorf("parseURL(%q) = %q, which parses as %v, %v", s, loc, again, err)
		}
	})
}
