package model

import (
	"path/filepath"
	"testing"

	"github.com/tributary-dl/tributary/engine/api"
)

func TestLinkFile(t *testing.T) {
	tests := []struct {
		line, path string
		ok         bool
	}{
		{"/home/me/debian.meta4", "/home/me/debian.meta4", true},
		{`"/home/me/a b.TORRENT"`, "/home/me/a b.TORRENT", true},
		{"file:///home/me/a%20b.metalink", "/home/me/a b.metalink", true},
		{"file:///C:/Users/me/a.torrent", "C:/Users/me/a.torrent", true},
		{`C:\Users\me\a.torrent`, `C:\Users\me\a.torrent`, true},
		{"file://elsewhere/a.torrent", "", false},
		{"https://example.com/a.torrent", "", false},
		{"a.torrent", "", false},
		{"/home/me/photo.jpg", "/home/me/photo.jpg", false},
		{"", "", false},
	}
	for _, tt := range tests {
		if path, ok := LinkFile(tt.line); ok != tt.ok || ok && path != tt.path {
			t.Errorf("LinkFile(%q) = %q, %v; want %q, %v", tt.line, path, ok, tt.path, tt.ok)
		}
	}
}

func TestWishesKeepTheirFolder(t *testing.T) {
	dir := filepath.FromSlash("/data")
	wishes := append(WishesOf([]string{"https://me:secret@a.example/f"}), WishesIn([]api.LinkedFile{{Request: api.AddRequest{URL: "https://a.example/g"}, Folder: "sub/more"}})...)
	for i, want := range []string{dir, filepath.Join(dir, "sub", "more")} {
		if got := wishes[i].In(dir); got.Dir != want {
			t.Errorf("%+v goes to %q; want %q", wishes[i], got.Dir, want)
		}
	}
	if r := wishes[0].Request; r.User != "me" || r.URL != "https://a.example/f" {
		t.Errorf("the wish is %+v", r)
	}
}
