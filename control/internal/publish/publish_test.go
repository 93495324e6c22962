package publish

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/bencode"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
)

var update = flag.Bool("update", false, "write the manifest that the engine's tests read")

var site = Site{Edge: "https://edge.example:8443", Control: "https://control.example"}

func options() Options {
	return Options{Policy: protocol.DefaultPolicy(), Publisher: "Example Press", Site: site}
}

func content(size int) []byte {
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16)}).Read(data)
	return data
}

func file(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustPublish(t *testing.T, dataDir, path string, opts Options) Object {
	t.Helper()
	o, err := Publish(t.Context(), dataDir, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func readAll(t *testing.T, f *os.File, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func document(t *testing.T, s *Store, o Object, d Document) []byte {
	t.Helper()
	f, err := s.OpenDocument(o.ID, d)
	return readAll(t, f, err)
}

// openTerms reads the terms as a client does.
func openTerms(t *testing.T, s *Store, o Object) protocol.Terms {
	t.Helper()
	d, err := bencode.DecodeDict(document(t, s, o, Manifest))
	if err != nil {
		t.Fatal(err)
	}
	id := protocol.ContentID(sha256.Sum256(bencode.Encode(d.Dict("info"))))
	if id != o.ID {
		t.Errorf("the manifest's info hash is %s; want %s", id, o.ID)
	}
	terms, err := protocol.OpenTerms(id, d.Dict(protocol.TermsKey), d.Bytes(protocol.SignatureKey))
	if err != nil {
		t.Fatal(err)
	}
	return terms
}

func TestPublishedObjectIsFoundWithItsBytesAndTerms(t *testing.T) {
	dir, data := t.TempDir(), content(700_000)
	opts := options()
	opts.Mirrors = []string{"https://mirror.example/x.iso"}
	opts.NotAfter = time.Unix(2_000_000_000, 0)
	o := mustPublish(t, dir, file(t, "my file.iso", data), opts)

	store := Open(dir)
	named, err := store.ByName("my file.iso")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(o, named.Object); diff != "" {
		t.Errorf("found (-published +found):\n%s", diff)
	}
	f, err := store.OpenContent(o.ID)
	if got := readAll(t, f, err); !bytes.Equal(got, data) {
		t.Error("the content differs")
	}
	keys, err := OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := protocol.Terms{
		Publisher: "Example Press", Key: keys.Publisher.Public().(ed25519.PublicKey), GrantKey: keys.Grant.Public().(ed25519.PublicKey),
		Control: "https://control.example", Edges: []string{"https://edge.example:8443/my%20file.iso", "https://mirror.example/x.iso"},
		Policy: protocol.DefaultPolicy(), SHA256: sha256.Sum256(data), Published: o.Published, NotAfter: opts.NotAfter,
	}
	if diff := cmp.Diff(want, openTerms(t, store, o), cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
	if _, err := store.ByName("other"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unknown name gives %v", err)
	}
}

func TestPublishingAgainChangesNothing(t *testing.T) {
	dir, path := t.TempDir(), file(t, "a.bin", content(300_000))
	first := mustPublish(t, dir, path, options())
	snapshot := func() map[string]time.Time {
		times := map[string]time.Time{}
		filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if info, err := e.Info(); err == nil && !e.IsDir() {
				times[path] = info.ModTime()
			}
			return nil
		})
		return times
	}
	before := snapshot()
	second := mustPublish(t, dir, path, options())
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("objects (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(before, snapshot()); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
}

func TestNewBytesUnderAnOldNameAreANewObject(t *testing.T) {
	dir := t.TempDir()
	store := Open(dir) // finds what another process publishes
	old := mustPublish(t, dir, file(t, "a.bin", content(1000)), options())
	if n, err := store.ByName("a.bin"); err != nil || n.ID != old.ID {
		t.Fatalf("ByName = %v, %v", n, err)
	}
	fresh := mustPublish(t, dir, file(t, "a.bin", content(1001)), options())
	if n, err := store.ByName("a.bin"); err != nil || n.ID != fresh.ID || fresh.ID == old.ID || fresh.URL() != old.URL() {
		t.Errorf("ByName = %v, %v; want %v", n.ID, err, fresh.ID)
	}
	if o, err := store.ByID(old.ID); err != nil || len(document(t, store, o, Manifest)) == 0 {
		t.Errorf("the old object is gone: %v", err)
	}
	mustPublish(t, dir, file(t, "a.bin", content(1000)), options())
	if n, err := store.ByName("a.bin"); err != nil || n.ID != old.ID {
		t.Errorf("the name does not lead back: %v, %v", n.ID, err)
	}
}

func TestOtherTermsAreSignedAnew(t *testing.T) {
	dir, path := t.TempDir(), file(t, "a.bin", content(300_000))
	store := Open(dir)
	first := mustPublish(t, dir, path, options())
	opts := options()
	opts.Policy = protocol.Policy{Mode: protocol.ModeOffload, UploadsPerObject: 2}
	second := mustPublish(t, dir, path, opts)
	if second.ID != first.ID || second.Published != first.Published {
		t.Errorf("the object changed: %v, %v", first, second)
	}
	if got := openTerms(t, store, second).Policy; got != opts.Policy {
		t.Errorf("policy %v; want %v", got, opts.Policy)
	}
	if o, err := store.ByID(first.ID); err != nil || o.Policy != opts.Policy {
		t.Errorf("the store says %v, %v", o.Policy, err)
	}
}

func TestServerThatMovesTakesItsObjectsAlong(t *testing.T) {
	dir, path := t.TempDir(), file(t, "a.bin", content(600_000))
	if _, err := Publish(t.Context(), dir, path, Options{Policy: protocol.DefaultPolicy()}); err == nil {
		t.Error("published without knowing where")
	}
	if err := Advertise(dir, site); err != nil {
		t.Fatal(err)
	}
	opts := options()
	opts.Site, opts.Mirrors = Site{}, []string{"https://mirror.example/a.bin"}
	o := mustPublish(t, dir, path, opts)
	if o.URL() != "https://edge.example:8443/a.bin" {
		t.Errorf("URL %s", o.URL())
	}
	store := Open(dir)
	before := document(t, store, o, Manifest)
	if err := Advertise(dir, site); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, document(t, store, o, Manifest)) {
		t.Error("a manifest is signed anew without need")
	}
	if err := Advertise(dir, Site{Edge: "https://new.example/", Control: "https://new.example"}); err != nil {
		t.Fatal(err)
	}
	terms := openTerms(t, store, o)
	if diff := cmp.Diff([]string{"https://new.example/a.bin", "https://mirror.example/a.bin"}, terms.Edges); diff != "" || terms.Control != "https://new.example" {
		t.Errorf("control %s, edges (-want +got):\n%s", terms.Control, diff)
	}
	after := document(t, store, o, Hybrid)
	if !bytes.Contains(after, []byte("new.example/a.bin")) || bytes.Contains(after, []byte("edge.example")) {
		t.Error("the hybrid torrent names the old place")
	}
	if again := mustPublish(t, dir, path, opts); again.ID != o.ID {
		t.Error("signing anew changed the object")
	}
}

// The definitions of BEP 3, BEP 52 and RFC 5854, written out, against the parallel single pass.
func TestDocumentsDescribeTheBytes(t *testing.T) {
	const pieceLength = 32 << 10
	for _, size := range []int{1, pieceLength, pieceLength + 1, 5*pieceLength - 7, 64 * pieceLength} {
		data := content(size)
		dir := t.TempDir()
		opts := options()
		opts.PieceLength = pieceLength
		o := mustPublish(t, dir, file(t, "a.bin", data), opts)
		var v1 []byte
		var layer []merkle.Hash
		for piece := range slices.Chunk(data, pieceLength) {
			sum := sha1.Sum(piece)
			v1 = append(v1, sum[:]...)
			var h merkle.Hasher
			h.Write(piece)
			layer = append(layer, h.Root(2))
		}
		var whole merkle.Hasher
		whole.Write(data)
		root := whole.Root(1)
		flat := sha256.Sum256(data)

		d, err := bencode.DecodeDict(document(t, Open(dir), o, Hybrid))
		if err != nil {
			t.Fatal(err)
		}
		info := d.Dict("info")
		if length, _ := info.Int("length"); length != int64(size) || !bytes.Equal(info.Bytes("pieces"), v1) {
			t.Errorf("%d bytes: the hybrid's version 1 part is wrong", size)
		}
		leaf := info.Dict("file tree").Dict("a.bin").Dict("")
		if length, _ := leaf.Int("length"); length != int64(size) || !bytes.Equal(leaf.Bytes("pieces root"), root[:]) {
			t.Errorf("%d bytes: the hybrid's version 2 part is wrong", size)
		}
		var flatLayer []byte
		for _, sum := range layer {
			flatLayer = append(flatLayer, sum[:]...)
		}
		if got := d.Dict("piece layers").Bytes(string(root[:])); size > pieceLength && !bytes.Equal(got, flatLayer) || size <= pieceLength && got != nil {
			t.Errorf("%d bytes: the piece layers are wrong", size)
		}
		if seeds, ok := d.Strings("url-list"); !ok || len(seeds) != 1 || seeds[0] != o.URL() {
			t.Errorf("%d bytes: url-list is %v", size, seeds)
		}

		var meta4 metalinkDocument
		if err := xml.Unmarshal(document(t, Open(dir), o, Metalink), &meta4); err != nil {
			t.Fatal(err)
		}
		f := meta4.File
		if f.Name != "a.bin" || f.Size != int64(size) || f.Hash != (metalinkHash{"sha-256", fmt.Sprintf("%x", flat)}) ||
			strings.Join(f.Pieces.Sums, "") != fmt.Sprintf("%x", v1) || f.Pieces.Length != pieceLength || f.URLs[0].URL != o.URL() ||
			f.MetaURL.URL != o.URL()+".torrent" {
			t.Errorf("%d bytes: the Metalink file is wrong: %+v", size, meta4)
		}
	}
}

// The engine parses what is written here, but neither may import the other: the file is the contract.
func TestManifestIsWhatTheEngineParses(t *testing.T) {
	data := content(40_000)
	h, err := hashContent(t.Context(), bytes.NewReader(data), int64(len(data)), 16<<10)
	if err != nil {
		t.Fatal(err)
	}
	keys := Keys{Publisher: ed25519.NewKeyFromSeed(make([]byte, 32)), Grant: ed25519.NewKeyFromSeed(content(32))}
	o := options().object("hello world.bin", h)
	o.Published = time.Unix(1_700_000_000, 0)
	got := manifest(o, h, keys)
	path := filepath.Join("..", "..", "..", "engine", "internal", "manifest", "testdata", "published.torrent")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the manifest's bytes have changed; if clients still understand it, run with -update\n got %q\nwant %q", got, want)
	}
}

func TestRefusals(t *testing.T) {
	good := file(t, "a.bin", content(100))
	folder := t.TempDir()
	for what, c := range map[string]struct {
		path string
		bend func(*Options)
	}{
		"missing file":   {path: filepath.Join(folder, "none")},
		"folder":         {path: folder},
		"empty file":     {path: file(t, "empty", nil)},
		"hidden name":    {path: file(t, ".hidden", content(1))},
		"device name":    {path: file(t, "nul.txt", content(1))},
		"plain http":     {path: good, bend: func(o *Options) { o.Site.Edge = "http://edge.example" }},
		"no host":        {path: good, bend: func(o *Options) { o.Site.Control = "https://" }},
		"bad mirror":     {path: good, bend: func(o *Options) { o.Mirrors = []string{"ftp://x/y"} }},
		"17 edges":       {path: good, bend: func(o *Options) { o.Mirrors = make([]string, 16) }},
		"no mode":        {path: good, bend: func(o *Options) { o.Policy.Mode = "" }},
		"negative":       {path: good, bend: func(o *Options) { o.Policy.UploadsPerObject = -1 }},
		"piece length":   {path: good, bend: func(o *Options) { o.PieceLength = 100_000 }},
		"publisher":      {path: good, bend: func(o *Options) { o.Publisher = "a\u202eb" }},
		"long publisher": {path: good, bend: func(o *Options) { o.Publisher = strings.Repeat("a", 201) }},
	} {
		dir, opts := t.TempDir(), options()
		if c.bend != nil {
			c.bend(&opts)
		}
		if o, err := Publish(t.Context(), dir, c.path, opts); err == nil {
			t.Errorf("%s: published as %v", what, o)
		}
		if list, err := Open(dir).List(); err != nil || len(list) != 0 {
			t.Errorf("%s: left %v, %v", what, list, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, incomingDir, "*")); len(left) != 0 {
			t.Errorf("%s: left %v", what, left)
		}
	}
}

func TestPieceLengths(t *testing.T) {
	const mib, tib = 1 << 20, 1 << 40
	for _, c := range []struct{ size, wanted, want int64 }{
		{1, 0, 64 << 10}, {24 * mib, 0, 64 << 10}, {24*mib + 1, 0, 128 << 10}, {128 * mib, 0, 128 << 10}, {128*mib + 1, 0, 256 << 10}, {256 * mib, 0, 256 << 10}, {256*mib + 1, 0, mib / 2}, {512*mib + 1, 0, mib}, {tib / 4, 0, mib}, {tib/4 + 1, 0, 2 * mib},
		{4 * tib, 0, 16 * mib}, {4*tib + 1, 0, -1}, {100, 16 << 10, 16 << 10}, {4*tib/1024 + 1, 16 << 10, -1},
	} {
		got, err := choosePieceLength(c.size, c.wanted)
		if err != nil {
			got = -1
		}
		if got != c.want {
			t.Errorf("choosePieceLength(%d, %d) = %d, %v; want %d", c.size, c.wanted, got, err, c.want)
		}
	}
}

func TestFileThatChangesMeanwhileIsRefused(t *testing.T) {
	data := content(100_000)
	for what, size := range map[string]int64{"grown": 99_999, "shrunk": 100_001} {
		if _, err := hashContent(t.Context(), bytes.NewReader(data), size, 16<<10); !errors.Is(err, errChanged) {
			t.Errorf("%s: %v; want %v", what, err, errChanged)
		}
	}
}

func TestManyPublishAtOnce(t *testing.T) {
	dir := t.TempDir()
	same := file(t, "same.bin", content(500_000))
	var wg sync.WaitGroup
	for i := range 8 {
		own := file(t, fmt.Sprintf("own-%d.bin", i), content(1000+i))
		wg.Go(func() {
			for _, path := range []string{same, own} {
				if _, err := Publish(t.Context(), dir, path, options()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	list, err := Open(dir).List()
	if err != nil || len(list) != 9 {
		t.Errorf("%d objects, %v; want 9", len(list), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, incomingDir, "*")); len(left) != 0 {
		t.Errorf("left in incoming: %v", left)
	}
}

func TestAbandonedWorkIsCleared(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, incomingDir, "object-1")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(left, time.Time{}, time.Now().Add(-2*abandoned)); err != nil {
		t.Fatal(err)
	}
	mustPublish(t, dir, file(t, "a.bin", content(1)), options())
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

func TestKeysAreMadeOnce(t *testing.T) {
	dir := t.TempDir()
	first, err := OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := OpenKeys(dir)
	if err != nil || !first.Publisher.Equal(second.Publisher) || !first.Grant.Equal(second.Grant) || first.Publisher.Equal(first.Grant) {
		t.Errorf("keys %v, %v, %v", first, second, err)
	}
	path := filepath.Join(dir, "grant-key.pem")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("%v, %v; want a file for its owner only", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeys(dir); err == nil {
		t.Error("a broken key is replaced")
	}
}
