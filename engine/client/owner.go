package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tributary-dl/tributary/engine/api"
)

// This file is the owner's half of a download at a service for the whole machine: the service has no right to any
// user's folder, so the user's programs open the file and hand it over, and give it its name in the end.

// partSuffix ends the name of an unfinished file. Nothing else is ever renamed or handed over to be written, and to be
// read only what has our mark, so that a service that was taken over cannot ask for other files of the user's.
const partSuffix = ".tributary-part"

// longestStem is how much of a link's last component goes into the name of the unfinished file, in bytes.
const longestStem = 120

// maxTries bounds the search for a free name.
const maxTries = 1000

// addHanded adds a download with a file that is opened for it. request.Dir is the user's own folder for downloads if
// it is empty, and may lead through links, once.
func (c *Client) addHanded(ctx context.Context, request api.AddRequest) (d api.Download, err error) {
	if request.Dir == "" {
		if request.Dir, err = c.ownFolder(ctx); err != nil {
			return d, err
		}
	}
	folder, err := makeFolder(request.Dir)
	if err != nil {
		return d, err
	}
	defer func() { _ = folder.Close() }() // it was only read
	request.Dir = folder.path
	part, err := folder.createPart(stemOf(request))
	if err != nil {
		return d, err
	}
	defer part.Close()
	request.Part = filepath.Base(part.Name())
	d, err = callWith[api.Download](ctx, c, part, post, "/v1/downloads", request)
	if err != nil {
		err = errors.Join(err, folder.remove(request.Part))
	}
	return d, err
}

// ownFolder returns where files go that nobody has said a folder for: where an administrator says, or else the user's
// own folder for downloads.
func (c *Client) ownFolder(ctx context.Context) (string, error) {
	settings, err := c.Settings(ctx)
	if err != nil || settings.Dir != "" {
		return settings.Dir, err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find your folder for downloads; say one: %w", err)
	}
	return filepath.Join(home, "Downloads"), nil
}

// stemOf makes a name for the unfinished file out of what is known before the server is asked.
func stemOf(r api.AddRequest) string {
	name := r.Out
	if u, err := url.Parse(r.URL); name == "" && err == nil {
		name = path.Base(u.Path)
	}
	name = strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("-_. ", c) {
			return c
		}
		return '_'
	}, strings.ToValidUTF8(name, "_"))
	for len(name) > longestStem {
		_, last := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-last]
	}
	if name = strings.Trim(name, ". "); name == "" {
		name = "download"
	}
	return name
}

// numbered returns the n-th name to try: "a.iso", "a (1).iso", "a (2).iso". A short ".tar" stays with what follows it.
func numbered(name string, n int) string {
	if n == 0 {
		return name
	}
	ext := filepath.Ext(name)
	if tar := strings.TrimSuffix(name, ext); strings.EqualFold(filepath.Ext(tar), ".tar") {
		ext = name[len(tar)-len(".tar"):]
	}
	if len(ext) == len(name) { // ".profile" has no extension
		ext = ""
	}
	return fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), n, ext)
}

// acceptable checks a name that the service wants a file to have. It chose it by what a server on the internet said, and
// checked it; but it is our user's folder.
func acceptable(name string) error {
	switch {
	case name == "" || len(name) > 255 || !utf8.ValidString(name) || name[0] == '.', !filepath.IsLocal(name),
		strings.ContainsAny(name, `/\`), strings.ContainsFunc(name, unicode.IsControl), strings.HasSuffix(name, partSuffix):
		return fmt.Errorf("%q is not a name for a file", name)
	}
	return nil
}

// runErrand does what a download waits for its owner to do.
func (c *Client) runErrand(ctx context.Context, id string, e api.Errand) error {
	if !strings.HasSuffix(e.Part, partSuffix) {
		return fmt.Errorf("%q is not the name of an unfinished download", e.Part)
	}
	folder, err := openFolder(e.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // it was only read
	if e.Kind == api.ErrandShare {
		return c.share(ctx, id, folder, e.Name)
	}
	part, err := folder.openPart(e.Part)
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !gone:
		return err
	case gone && e.Name == "":
		return err
	case gone: // it has its name already, and only the service does not know
		return c.tellName(ctx, id, folder, e.Name)
	}
	defer part.Close()
	if e.Kind == api.ErrandHand {
		return c.handOver(ctx, id, part, e.Part)
	}
	name, err := folder.giveName(part, e.Part, e.Name)
	if err != nil {
		return err
	}
	return c.tellName(ctx, id, folder, name)
}

// tellName tells the service which name a finished file has, and shows it the file. A file system that keeps no marks is
// good enough for that.
func (c *Client) tellName(ctx context.Context, id string, folder *ownFolder, name string) error {
	return c.show(ctx, downloadPath(id, "/name"), folder, name, true)
}

// share hands a finished file over again, to be given to peers. That can wait, so it takes a mark to do it.
func (c *Client) share(ctx context.Context, id string, folder *ownFolder, name string) error {
	return c.show(ctx, downloadPath(id, "/file"), folder, name, false)
}

// show makes a call with a finished file, to be read, that was downloaded here.
func (c *Client) show(ctx context.Context, call string, folder *ownFolder, name string, evenWithoutMarks bool) error {
	if err := acceptable(name); err != nil {
		return err
	}
	file, err := folder.openFinished(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := checkMark(file); err != nil && !(evenWithoutMarks && errors.Is(err, errors.ErrUnsupported)) {
		return fmt.Errorf("%s has no mark of a download: %w", file.Name(), err)
	}
	return c.doWith(ctx, file, call, api.FileRequest{Name: name})
}

func (c *Client) handOver(ctx context.Context, id string, part *os.File, name string) error {
	return c.doWith(ctx, part, downloadPath(id, "/file"), api.FileRequest{Name: name})
}

// resumeHanded hands a file over before it resumes a download: the one that was begun, or a new one if that is gone.
func (c *Client) resumeHanded(ctx context.Context, id string) error {
	d, err := c.Download(ctx, id)
	if err != nil {
		return err
	}
	if d.Errand == nil || d.Owner != self() {
		return &api.Error{Code: api.ErrNeedsFile, Message: "only its owner can hand its file over again, with: tributaryctl resume " + id}
	}
	err = c.runErrand(ctx, id, *d.Errand)
	if errors.Is(err, fs.ErrNotExist) {
		err = c.beginAgain(ctx, id, *d.Errand)
	}
	if err != nil {
		return err
	}
	return c.do(ctx, post, downloadPath(id, "/resume"), nil)
}

// beginAgain hands over a new file, because the user wants the download although the old one is gone.
func (c *Client) beginAgain(ctx context.Context, id string, e api.Errand) error {
	folder, err := makeFolder(e.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // it was only read
	part, err := folder.createPart(strings.TrimSuffix(e.Part, partSuffix))
	if err != nil {
		return err
	}
	defer part.Close()
	name := filepath.Base(part.Name())
	if err := c.handOver(ctx, id, part, name); err != nil {
		return errors.Join(err, folder.remove(name))
	}
	return nil
}

// clearAway removes a download, and then the file that the service could not delete, if it is this user's.
func (c *Client) clearAway(ctx context.Context, method, path string) error {
	r, err := c.send(ctx, nil, method, path, nil)
	if err != nil {
		return err
	}
	defer r.close()
	var left api.Leftover
	if r.Code != statusOK || json.NewDecoder(io.LimitReader(r.Body, api.MaxBody)).Decode(&left) != nil || left.Name == "" || left.Owner != self() {
		return nil
	}
	folder, err := openFolder(left.Dir)
	if err != nil {
		return fmt.Errorf("the download was removed, but not its file: %w", err)
	}
	defer func() { _ = folder.Close() }() // it was only read
	if err := folder.removeOwn(left.Name, left.Bytes); err != nil {
		return fmt.Errorf("the download was removed, but not its file: %w", err)
	}
	return nil
}

// statusOK is the code of an answer that has a body.
const statusOK = 200
