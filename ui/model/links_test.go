package model_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/model"
)

func TestParseLinks(t *testing.T) {
	tests := []struct {
		name, text string
		urls       []string
		why        []model.Reason
	}{
		{name: "one link", text: "https://example.com/big.iso", urls: []string{"https://example.com/big.iso"}},
		{name: "space around", text: " \t https://example.com/a \r\n", urls: []string{"https://example.com/a"}},
		{name: "several lines, one twice", text: "https://a.example/1\n\nhttp://b.example/2\r\nhttps://a.example/1", urls: []string{"https://a.example/1", "http://b.example/2"}},
		{name: "in quotes, with a space", text: `"https://example.com/my file.iso"`, urls: []string{"https://example.com/my%20file.iso"}},
		{name: "in angle brackets", text: "<https://example.com/a.iso>", urls: []string{"https://example.com/a.iso"}},
		{name: "in German quotes", text: "„https://example.com/a.iso“", urls: []string{"https://example.com/a.iso"}},
		{name: "unescaped spaces", text: "https://example.com/my holiday film.mkv", urls: []string{"https://example.com/my%20holiday%20film.mkv"}},
		{name: "in a sentence", text: "Get (https://example.com/a.iso), it is good.", urls: []string{"https://example.com/a.iso"}},
		{name: "several in a line", text: "https://a.example/1, https://b.example/2;https://c.example/3,https://d.example/4",
			urls: []string{"https://a.example/1", "https://b.example/2", "https://c.example/3", "https://d.example/4"}},
		{name: "a link in a query stays whole", text: "https://a.example/get?from=https://b.example/x", urls: []string{"https://a.example/get?from=https://b.example/x"}},
		{name: "without a scheme", text: "example.com/big.iso", urls: []string{"https://example.com/big.iso"}},
		{name: "capital scheme", text: "HTTPS://Example.com/A", urls: []string{"https://Example.com/A"}},
		{name: "fragment is for browsers", text: "https://example.com/a#top", urls: []string{"https://example.com/a"}},
		{name: "other alphabets", text: "https://例え.jp/ü.iso", urls: []string{"https://xn--r8jz45g.jp/%C3%BC.iso"}},
		{name: "IPv6", text: "http://[::1]:8080/x", urls: []string{"http://[::1]:8080/x"}},

		{name: "nothing", text: " \n ", why: []model.Reason{model.ReasonEmpty}},
		{name: "prose", text: "Note: buy milk.", why: []model.Reason{model.ReasonNoLink}},
		{name: "ftp", text: "ftp://example.com/a", why: []model.Reason{model.ReasonScheme}},
		{name: "javascript", text: "javascript:alert('https://example.com/a')", why: []model.Reason{model.ReasonScheme}},
		{name: "data", text: "data:text/html,<b>hi</b>", why: []model.Reason{model.ReasonScheme}},
		{name: "magnet", text: "magnet:?xt=urn:btih:abc", why: []model.Reason{model.ReasonMagnet}},
		{name: "our own scheme", text: "tributary:https://example.com/a.iso", urls: []string{"https://example.com/a.iso"}},
		{name: "our own scheme with slashes", text: "tributary://http://example.com/a.iso", urls: []string{"http://example.com/a.iso"}},
		{name: "our own scheme around a file", text: "tributary:file:///etc/passwd", why: []model.Reason{model.ReasonNoLink}},
		{name: "our own scheme around itself", text: "tributary:tributary:https://example.com/a.iso", why: []model.Reason{model.ReasonNoLink}},
		{name: "our name in a sentence", text: "Tributary: https://example.com/a.iso", urls: []string{"https://example.com/a.iso"}},
		{name: "file", text: "file:///etc/passwd", why: []model.Reason{model.ReasonLocal}},
		{name: "a path", text: "/home/me/x.iso", why: []model.Reason{model.ReasonLocal}},
		{name: "a Windows path", text: `C:\x.iso`, why: []model.Reason{model.ReasonLocal}},
		{name: "no host", text: "https:///x", why: []model.Reason{model.ReasonNoHost}},
		{name: "half a scheme", text: "http:example.com/x", why: []model.Reason{model.ReasonNoHost}},
		{name: "bad port", text: "http://example.com:http/x", why: []model.Reason{model.ReasonNoHost}},
		{name: "bad escape", text: "http://example.com/%zz", why: []model.Reason{model.ReasonNoHost}},
		{name: "control character", text: "https://example.com/a\x01b", why: []model.Reason{model.ReasonBadChars}},
		{name: "text that runs backwards", text: "https://example.com/\u202Egpj.exe", why: []model.Reason{model.ReasonBadChars}},
		{name: "not text", text: "https://\xff\xfe", why: []model.Reason{model.ReasonBadChars}},
		{name: "a very long link", text: "https://example.com/" + strings.Repeat("a", 20_000), why: []model.Reason{model.ReasonTooLong}},
		{name: "10 MB", text: strings.Repeat("https://example.com/a ", 500_000), why: []model.Reason{model.ReasonTooMuch}},
		{name: "good and bad together", text: "https://example.com/a\nftp://example.com/b", urls: []string{"https://example.com/a"}, why: []model.Reason{model.ReasonScheme}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := model.ParseLinks(tt.text)
			var why []model.Reason
			for _, r := range got.Refused {
				why = append(why, r.Reason)
				if len([]rune(r.Text)) > 60 {
					t.Errorf("the refused text is %d characters long", len(r.Text))
				}
			}
			if diff := cmp.Diff(tt.urls, got.URLs); diff != "" {
				t.Error("URLs:", diff)
			}
			if diff := cmp.Diff(tt.why, why); diff != "" {
				t.Error("refusals:", diff)
			}
		})
	}
}

func TestManyLinks(t *testing.T) {
	var text strings.Builder
	for i := range model.MaxLinks + 5 {
		text.WriteString("https://example.com/" + strings.Repeat("x", i%500) + "/" + string(rune('a'+i/500)) + "\n")
	}
	got := model.ParseLinks(text.String())
	if len(got.URLs) != model.MaxLinks || len(got.Refused) != 1 || got.Refused[0].Reason != model.ReasonTooMuch {
		t.Errorf("%d links, refused %+v; want %d and a word about the rest", len(got.URLs), got.Refused, model.MaxLinks)
	}
}

func TestRequestMovesThePasswordOutOfTheLink(t *testing.T) {
	want := api.AddRequest{URL: "https://example.com/a", User: "me", Password: "s3cret"}
	if diff := cmp.Diff(want, model.Request("https://me:s3cret@example.com/a")); diff != "" {
		t.Error(diff)
	}
}

func TestUndrop(t *testing.T) {
	tests := []struct {
		path, want string
		link       bool
	}{
		{"/home/me/https:/example.com/path/file one.iso?x=1&y=2", "https://example.com/path/file%20one.iso?x=1&y=2", true},
		{"/cwd/http:/example.com/a", "http://example.com/a", true},
		{"/cwd/javascript:alert(1)", "javascript://alert(1)", true}, // then refused as a link
		{"/home/me/debian.torrent", "/home/me/debian.torrent", false},
	}
	for _, tt := range tests {
		if got, link := model.Undrop(tt.path); got != tt.want || link != tt.link {
			t.Errorf("Undrop(%q) = %q, %v; want %q, %v", tt.path, got, link, tt.want, tt.link)
		}
	}
}

func TestParseChecksum(t *testing.T) {
	hex64 := strings.Repeat("0aB1", 16)
	tests := []struct {
		text, want string
		ok         bool
	}{
		{"", "", true},
		{hex64, "sha-256:" + strings.ToLower(hex64), true},
		{"SHA256: " + hex64, "sha-256:" + strings.ToLower(hex64), true},
		{hex64 + "  *big.iso", "sha-256:" + strings.ToLower(hex64), true},
		{"md5=" + hex64[:32], "md5:" + strings.ToLower(hex64[:32]), true},
		{hex64[:40], "sha-1:" + strings.ToLower(hex64[:40]), true},
		{hex64 + hex64, "sha-512:" + strings.ToLower(hex64+hex64), true},
		{"md5:" + hex64, "", false},
		{hex64[:63], "", false},
		{"hello", "", false},
	}
	for _, tt := range tests {
		if got, _, ok := model.ParseChecksum(tt.text); got != tt.want || ok != tt.ok {
			t.Errorf("ParseChecksum(%q) = %q, %v; want %q, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

// FuzzParseLinks feeds whatever a clipboard can hold: every link that comes out is one the service can ask for.
func FuzzParseLinks(f *testing.F) {
	for _, s := range []string{"https://example.com/a b.iso", `"http://x/y"`, "javascript:alert(1)", "a.b/c", "“”", "https://a,https://b", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found := model.ParseLinks(text)
		if len(found.URLs) == 0 && len(found.Refused) == 0 {
			t.Errorf("ParseLinks(%q) says nothing", text)
		}
		for _, link := range found.URLs {
			u, err := url.Parse(link)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
				t.Errorf("ParseLinks(%q) gives %q", text, link)
			}
		}
	})
}
