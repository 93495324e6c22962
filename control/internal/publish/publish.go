// Package publish makes objects: it takes a file into the data directory, hashes it, and writes the
// signed manifest and its relatives for other programs. It also finds objects again. Whatever stands
// under an object's content ID has the bytes that the ID names; the package must never change content
// once it is published, nor follow a path that came from a client.
package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tributary-dl/tributary/control/internal/durable"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/filename"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
)

// Suffixes under which an edge serves, beside an object's URL, its documents for other programs.
const (
	HybridSuffix   = ".torrent"
	MetalinkSuffix = ".meta4"
)

// Limits of what clients take; package manifest of the engine enforces the same ones.
const (
	maxPieces      = 262_144
	minPieceLength = merkle.BlockSize
	maxPieceLength = 16 << 20
	maxMirrors     = 15 // and this edge make 16

	smallObject      = 24 << 20 // bytes; up to here a piece is so large a part that a crowd waits long for its first
	smallPieceLength = 64 << 10
	leastPieceLength = 128 << 10 // that is chosen for others; a publisher may want less
	goodPieces       = 1024      // so many are plenty to exchange
	goodPieceLength  = 1 << 20   // longer ones hardly cost less
)

// Options say on what terms a file is published.
type Options struct {
	Policy      protocol.Policy
	Publisher   string    // name for people; may be empty
	Site        Site      // zero: what Advertise has recorded
	Mirrors     []string  // https URLs of the same bytes elsewhere
	NotAfter    time.Time // zero: the terms have no end
	PieceLength int64     // bytes; 0: chosen by the size of the file
}

// Publish makes file an object of dataDir and lets its base name lead to it. The content is cloned or
// copied, so the file may change afterwards. Publishing the same file again changes nothing; other
// bytes under the same name are a new object under the same URL; other terms for the same bytes are
// signed anew. It may run while an edge serves dataDir, and several times at once.
func Publish(ctx context.Context, dataDir, file string, opts Options) (Object, error) {
	o, err := publish(ctx, dataDir, file, opts)
	if err != nil {
		return Object{}, fmt.Errorf("publish %s: %w", file, err)
	}
	return o, nil
}

func publish(ctx context.Context, dataDir, file string, opts Options) (Object, error) {
	name := filepath.Base(file)
	if err := filename.Check(name); err != nil {
		return Object{}, fmt.Errorf("the name cannot be used on every system: %w", err)
	}
	if opts.Site == (Site{}) {
		site, err := readSite(dataDir)
		if err != nil {
			return Object{}, err
		}
		opts.Site = site
	}
	if err := opts.check(); err != nil {
		return Object{}, err
	}
	keys, err := OpenKeys(dataDir)
	if err != nil {
		return Object{}, err
	}
	incoming, err := makeDirs(dataDir)
	if err != nil {
		return Object{}, err
	}
	defer os.RemoveAll(incoming) // nothing is left of it if all goes well
	h, err := takeIn(ctx, file, filepath.Join(incoming, contentFile), opts.PieceLength)
	if err != nil {
		return Object{}, err
	}
	o := opts.object(name, h)
	if o, err = install(dataDir, incoming, o, h, keys); err != nil {
		return Object{}, err
	}
	return o, giveName(dataDir, o)
}

// CheckMirror says what is wrong with the URL of a mirror.
func CheckMirror(mirror string) error { return checkURL(mirror) }

// CheckPieceLength says what is wrong with a length of pieces; 0 lets Publish choose.
func CheckPieceLength(n int64) error {
	if n != 0 && (n < minPieceLength || n > maxPieceLength || n&(n-1) != 0) {
		return fmt.Errorf("%d is not a power of two from 16384 (16 KiB) to 16777216 (16 MiB)", n)
	}
	return nil
}

func (opts Options) check() error {
	if p := opts.Policy; p.Mode != protocol.ModeSpeed && p.Mode != protocol.ModeOffload {
		return fmt.Errorf("the policy's mode %q is neither %q nor %q", p.Mode, protocol.ModeSpeed, protocol.ModeOffload)
	}
	if n := opts.Policy.UploadsPerObject; n < 0 || n > 1_000_000 {
		return fmt.Errorf("the policy's uploads per object, %d, are out of range", n)
	}
	if name := opts.Publisher; len(name) > 200 || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
		return fmt.Errorf("the publisher's name %q is too long or has forbidden characters", name)
	}
	if len(opts.Mirrors) > maxMirrors {
		return fmt.Errorf("more than %d mirrors", maxMirrors)
	}
	for _, mirror := range opts.Mirrors {
		if err := checkURL(mirror); err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
	}
	if err := CheckPieceLength(opts.PieceLength); err != nil {
		return fmt.Errorf("the piece length %w", err)
	}
	return opts.Site.check()
}

func (opts Options) object(name string, h *hashes) Object {
	o := Object{
		ID: contentID(name, h), Name: name, Size: h.size, SHA256: h.flat[:], PieceLength: h.pieceLength,
		Publisher: opts.Publisher, Policy: opts.Policy,
		Control: opts.Site.Control, Edges: append([]string{opts.Site.objectURL(name)}, opts.Mirrors...),
		Published: time.Now().UTC().Truncate(time.Second),
	}
	if !opts.NotAfter.IsZero() {
		o.NotAfter = opts.NotAfter.UTC().Truncate(time.Second)
	}
	return o
}

// abandoned is the age at which a directory in incoming cannot belong to a running Publish any more.
const abandoned = 24 * time.Hour

// makeDirs prepares the data directory and returns a fresh directory for one object.
func makeDirs(dataDir string) (incoming string, err error) {
	parent := filepath.Join(dataDir, incomingDir)
	for _, dir := range []string{parent, filepath.Join(dataDir, objectsDir), filepath.Join(dataDir, namesDir)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
	}
	entries, err := os.ReadDir(parent)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
			os.RemoveAll(filepath.Join(parent, e.Name())) // what stays is tried again next time
		}
	}
	return os.MkdirTemp(parent, "object-*")
}

// takeIn clones or copies file to path and hashes it in the same pass.
func takeIn(ctx context.Context, file, path string, pieceLength int64) (h *hashes, err error) {
	from, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	before, err := from.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !before.Mode().IsRegular():
		return nil, errors.New("not an ordinary file")
	case before.Size() == 0:
		return nil, errors.New("the file is empty, so there is nothing to share")
	}
	if pieceLength, err = choosePieceLength(before.Size(), pieceLength); err != nil {
		return nil, err
	}
	to, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	var source io.Reader = to
	if clone(to, from) != nil { // most file systems cannot
		source = io.TeeReader(from, to)
	}
	if h, err = hashContent(ctx, source, before.Size(), pieceLength); err != nil {
		return nil, err
	}
	after, err := from.Stat()
	if err == nil && !after.ModTime().Equal(before.ModTime()) {
		err = errChanged
	}
	if err == nil {
		err = to.Chmod(0o444)
	}
	return h, errors.Join(err, to.Sync())
}

// choosePieceLength returns wanted, or a length for the size. A crowd can pass on only whole pieces, so they are small
// as long as that does not make too many. Of 20 clients that start together the last is done, in multiples of what is possible: 48 MB from a good edge after
// 1.47 with 1 MiB, 1.21 with 256 KiB, 1.14 with 128 KiB; 20 MiB from one that is as slow as a client after 1.39 and 1.35 with
// 64 KiB, 1.50 and 1.43 with 128 KiB. Where the line is not that slow shorter ones gain nothing, and what each tells the others about each piece has its
// price: 30 MiB in two sites after 1.23 and 1.38 with 64 KiB, 1.22 and 1.18 with 128 KiB.
func choosePieceLength(size, wanted int64) (int64, error) {
	n := wanted
	if n == 0 {
		n = leastPieceLength
		if size <= smallObject {
			n = smallPieceLength
		}
		for n < goodPieceLength && size > n*goodPieces {
			n *= 2
		}
		for n < maxPieceLength && size > n*maxPieces {
			n *= 2
		}
	}
	if size > n*maxPieces {
		return 0, fmt.Errorf("%d bytes are more than %d pieces of %d bytes", size, maxPieces, n)
	}
	return n, nil
}

// install moves a finished object to its place. If it is there already, only its terms are brought up
// to date.
func install(dataDir, incoming string, o Object, h *hashes, keys Keys) (Object, error) {
	dir := objectDir(dataDir, o.ID)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := writeDocuments(incoming, o, h, keys); err != nil {
			return o, err
		}
		if err := os.Chmod(incoming, 0o755); err != nil {
			return o, err
		}
		if err := os.Rename(incoming, dir); err == nil {
			return o, durable.SyncDir(filepath.Dir(dir))
		}
		// Another Publish of the same file may have been quicker; if not, updateTerms says what is wrong.
	}
	if err := restoreContent(incoming, dir); err != nil {
		return o, err
	}
	return updateTerms(dataDir, o, h, keys)
}

// restoreContent gives an object its content back that was withdrawn.
func restoreContent(incoming, dir string) error {
	to := filepath.Join(dir, contentFile)
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(filepath.Join(incoming, contentFile), to); err != nil {
		return err
	}
	return durable.SyncDir(dir)
}

// updateTerms signs an existing object anew if want differs from it in more than its time.
func updateTerms(dataDir string, want Object, h *hashes, keys Keys) (Object, error) {
	have, err := Open(dataDir).ByID(want.ID)
	if err != nil {
		return want, err
	}
	want.Published = have.Published
	if reflect.DeepEqual(want, have) {
		return have, nil
	}
	return want, writeDocuments(objectDir(dataDir, want.ID), want, h, keys)
}

// giveName lets o's name lead to o.
func giveName(dataDir string, o Object) error {
	have, err := Open(dataDir).ByName(o.Name)
	if err == nil && have.ID == o.ID {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := encodeJSON(naming{Name: o.Name, Content: o.ID, Since: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	return durable.Write(namePath(dataDir, o.Name), data, 0o644)
}

func encodeJSON(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return append(data, '\n'), err
}

// checkURL refuses URLs that clients would refuse.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return err
	}
	if len(s) > 2048 || strings.ContainsAny(s, `<>" `) || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%q is not an absolute https URL", s)
	}
	return nil
}
