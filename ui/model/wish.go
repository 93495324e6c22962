package model

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tributary-dl/tributary/engine/api"
)

// Wish is a download that the user is about to ask for.
type Wish struct {
	Request    api.AddRequest // without what the dialog decides: Dir, Priority, Paused
	Folder     string         // below the chosen folder, with slashes; empty: in it
	TotalBytes int64          // -1 while unknown
	Publisher  string         // as a file says that named it; nobody has verified it
}

// WishesOf turns links into wishes.
func WishesOf(links []string) []Wish {
	wishes := make([]Wish, len(links))
	for i, link := range links {
		wishes[i] = Wish{Request: Request(link), TotalBytes: -1}
	}
	return wishes
}

// WishesIn turns what the service read in a file into wishes.
func WishesIn(linked []api.LinkedFile) []Wish {
	wishes := make([]Wish, len(linked))
	for i, l := range linked {
		wishes[i] = Wish{Request: l.Request, Folder: l.Folder, TotalBytes: l.TotalBytes, Publisher: l.Publisher}
	}
	return wishes
}

// In returns the request of a wish for a folder.
func (w Wish) In(dir string) api.AddRequest {
	r := w.Request
	r.Dir = dir
	if w.Folder != "" {
		r.Dir = filepath.Join(dir, filepath.FromSlash(w.Folder))
	}
	return r
}

// linkFiles are the endings of files that name downloads.
var linkFiles = []string{".torrent", ".meta4", ".metalink"}

// fromFileURL returns the path of a file: address (RFC 8089). One of another host is none of ours.
func fromFileURL(line string) (string, bool) {
	u, err := url.Parse(line)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" {
		return "", false
	}
	path := u.Path
	if drive := strings.TrimPrefix(path, "/"); len(drive) > 1 && drive[1] == ':' { // file:///C:/…
		path = drive
	}
	return path, path != ""
}

// LinkFile returns the path that a line names if it is a file of links: what a file manager, a drop or a command line
// gives, as a path or a file: address.
func LinkFile(line string) (path string, ok bool) {
	line = strings.Trim(strings.TrimSpace(line), `"'`)
	if path, ok = fromFileURL(line); !ok {
		path = line
	}
	if !ok && !localPath.MatchString(line) {
		return "", false
	}
	return path, slices.Contains(linkFiles, strings.ToLower(filepath.Ext(path)))
}
