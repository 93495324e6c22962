package manifest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/bencode"
)

// hostile is one manifest that must be refused.
type hostile struct {
	what string
	raw  []byte
}

// bent returns a good manifest of one file of three pieces, after bend.
func bent(what string, bend func(*torrent)) hostile {
	t := newTorrent("a.bin", 16*kib, map[string][]byte{"a.bin": content(40 * kib)})
	bend(t)
	return hostile{what, t.bytes()}
}

// named returns a manifest of one file at path, inside a folder.
func named(path ...string) hostile {
	entry := bencode.Dict{"": bencode.Dict{"length": int64(0)}}
	for i := len(path) - 1; i >= 0; i-- {
		entry = bencode.Dict{path[i]: entry}
	}
	h := withTree("", entry)
	h.what = fmt.Sprintf("path %.60q", path)
	return h
}

// withTree returns a manifest with this file tree, to which one good file is added.
func withTree(what string, tree bencode.Dict) hostile {
	t := newTorrent("pack", 16*kib, map[string][]byte{"zz": content(1)})
	files := t.info["file tree"].(bencode.Dict)
	for name, entry := range tree {
		files[name] = entry
	}
	return hostile{what, t.bytes()}
}

// file describes a file by what is said of it alone.
func file(length int64, root any) bencode.Dict {
	d := bencode.Dict{"length": length}
	if root != nil {
		d["pieces root"] = root
	}
	return bencode.Dict{"": d}
}

// many returns a tree with n entries.
func many(n int, entry func(i int) bencode.Dict) bencode.Dict {
	tree := bencode.Dict{}
	for i := range n {
		tree[fmt.Sprintf("f%06d", i)] = entry(i)
	}
	return tree
}

func emptyFile(int) bencode.Dict { return file(0, nil) }

func hostileManifests() []hostile {
	root := make([]byte, 32)
	good := newTorrent("a.bin", 16*kib, map[string][]byte{"a.bin": content(40 * kib)}).bytes()
	oneEmpty := bencode.Dict{"": bencode.Dict{"length": int64(0)}}
	leaf := func(t *torrent) bencode.Dict { return t.info.Dict("file tree").Dict("a.bin").Dict("") }
	sign := func(bend func(*protocol.Terms)) func(*torrent) {
		return func(t *torrent) { terms := goodTerms(); bend(&terms); t.signed(terms) }
	}
	// resign lets a publisher who has a real key sign malformed terms.
	resign := func(what string, bend func(terms bencode.Dict)) hostile {
		t := newTorrent("a.bin", 16*kib, map[string][]byte{"a.bin": content(1)})
		terms := goodTerms().Dict()
		bend(terms)
		t.extra[protocol.TermsKey] = terms
		id := mustID(t)
		t.extra[protocol.SignatureKey] = protocol.SignTerms(publisher, id, terms)
		return hostile{what, t.bytes()}
	}

	list := []hostile{
		{"nothing", nil},
		{"a number", []byte("i1e")},
		{"a list", []byte("le")},
		{"an empty dictionary", []byte("de")},
		{"cut off", good[:len(good)-1]},
		{"cut in half", good[:len(good)/2]},
		{"bytes behind the end", append(bytes.Clone(good), '\n')},
		{"unsorted keys", []byte("d12:piece layersde4:infodee")},
		{"repeated key", []byte("d4:infode4:infodee")},
		{"number with leading zero", bytes.Replace(good, []byte("i16384e"), []byte("i016384e"), 1)},
		{"number beyond 64 bits", bytes.Replace(good, []byte("i16384e"), []byte("i18446744073709551616e"), 1)},
		{"string longer than the manifest", []byte("d4:info999999999:xe")},
		{"string of negative length", []byte("d4:info-1:xe")},
		{"HTML", []byte("<!DOCTYPE html><html><body>404</body></html>")},
		{"more than 16 MiB", make([]byte, MaxBytes+1)},
		{"half a million numbers", []byte("d1:al" + strings.Repeat("i123456789e", 500_000) + "ee")},
		{"a quarter of a million dictionaries", []byte("d1:al" + strings.Repeat("d0:i0ee", 260_000) + "ee")},
		{"a million empty strings", []byte("d1:al" + strings.Repeat("0:", 1_000_000) + "ee")},
		{"lists in lists in lists", []byte(strings.Repeat("l", 1<<20))},
		{"dictionaries in dictionaries", []byte("d4:info" + strings.Repeat("d1:a", 1<<20))},

		bent("empty info", func(t *torrent) { t.info = nil }),
		bent("no file tree", func(t *torrent) { delete(t.info, "file tree") }),
		bent("file tree that is a list", func(t *torrent) { t.info["file tree"] = []any{} }),
		bent("empty file tree", func(t *torrent) { t.info["file tree"] = bencode.Dict{} }),
		bent("file tree that is itself a file", func(t *torrent) { t.info["file tree"] = oneEmpty }),
		bent("no meta version", func(t *torrent) { delete(t.info, "meta version") }),
		bent("meta version 1", func(t *torrent) { t.info["meta version"] = 1 }),
		bent("meta version 3", func(t *torrent) { t.info["meta version"] = 3 }),
		bent("version 1 pieces", func(t *torrent) { t.info["pieces"] = make([]byte, 60); t.info["length"] = 40 * kib }),
		bent("version 1 files", func(t *torrent) { t.info["files"] = []any{} }),
		bent("no name", func(t *torrent) { delete(t.info, "name") }),
		bent("name that is a number", func(t *torrent) { t.info["name"] = 1 }),
		bent("name that climbs", func(t *torrent) { t.info["name"] = ".." }),
		bent("name that is a path", func(t *torrent) { t.info["name"] = "etc/passwd" }),
		bent("no piece length", func(t *torrent) { delete(t.info, "piece length") }),
		bent("nothing but empty files", func(t *torrent) { t.info["file tree"] = bencode.Dict{"a.bin": oneEmpty} }),

		bent("no length", func(t *torrent) { delete(leaf(t), "length") }),
		bent("negative length", func(t *torrent) { leaf(t)["length"] = -1 }),
		bent("length that is a string", func(t *torrent) { leaf(t)["length"] = "40960" }),
		bent("length that the layer does not fit", func(t *torrent) { leaf(t)["length"] = 80 * kib }),
		bent("no root", func(t *torrent) { delete(leaf(t), "pieces root") }),
		bent("root of 31 bytes", func(t *torrent) { leaf(t)["pieces root"] = make([]byte, 31) }),
		bent("root without a layer", func(t *torrent) { leaf(t)["pieces root"] = root }),
		bent("link by attribute", func(t *torrent) { leaf(t)["attr"] = "l" }),
		bent("executable link", func(t *torrent) { leaf(t)["attr"] = "xl" }),
		bent("padding file", func(t *torrent) { leaf(t)["attr"] = "p" }),
		bent("link by path", func(t *torrent) { leaf(t)["symlink path"] = []any{"..", "x"} }),
		withTree("empty file with a root", bencode.Dict{"a": file(0, root)}),
		withTree("folder without entries", bencode.Dict{"a": bencode.Dict{}}),
		withTree("file that is also a folder", bencode.Dict{"a": bencode.Dict{"": bencode.Dict{"length": 0}, "b": oneEmpty}}),
		withTree("entry that is a string", bencode.Dict{"a": "file"}),
		withTree("names that differ in case", bencode.Dict{"readme": oneEmpty, "README": oneEmpty}),
		withTree("folders that differ in case", bencode.Dict{"Dir": bencode.Dict{"a": oneEmpty}, "dir": bencode.Dict{"b": oneEmpty}}),
		withTree("file and folder that differ in case", bencode.Dict{"Dir": oneEmpty, "dir": bencode.Dict{"b": oneEmpty}}),
		withTree("names that differ in sharp s", bencode.Dict{"straße": oneEmpty, "STRASSE": oneEmpty}),

		withTree("1,001 empty files", many(MaxEmptyFiles+1, emptyFile)),
		withTree("20,001 files", many(MaxFiles, func(i int) bencode.Dict { return file(1, root) })),
		withTree("20,001 folders", many(MaxFolders/16+1, func(i int) bencode.Dict {
			return many(16, func(int) bencode.Dict { return bencode.Dict{"f": file(1, root)} })
		})),
		withTree("more than 8 TiB", bencode.Dict{"a": file(MaxLength, root)}),
		withTree("sum that overflows", many(3, func(int) bencode.Dict { return file(math.MaxInt64/2, root) })),
		withTree("the largest length", bencode.Dict{"a": file(math.MaxInt64, root)}),
		withTree("more than 262,144 pieces", bencode.Dict{"a": file(MaxPieces*16*kib, root)}),
		withTree("pieces of many files over the limit", many(17_000, func(int) bencode.Dict { return file(16*16*kib, root) })),

		bent("no layers", func(t *torrent) { t.layers = bencode.Dict{} }),
		bent("layer too long", func(t *torrent) { eachLayer(t, func(l []byte) []byte { return append(l, root...) }) }),
		bent("layer too short", func(t *torrent) { eachLayer(t, func(l []byte) []byte { return l[:64] }) }),
		bent("layer of broken size", func(t *torrent) { eachLayer(t, func(l []byte) []byte { return l[:95] }) }),
		bent("layer with one wrong bit", func(t *torrent) { eachLayer(t, func(l []byte) []byte { l[70] ^= 1; return l }) }),
		bent("layer with pieces exchanged", func(t *torrent) {
			eachLayer(t, func(l []byte) []byte { return bytes.Join([][]byte{l[32:64], l[:32], l[64:]}, nil) })
		}),
		bent("layer of no file", func(t *torrent) { t.layers[string(root)] = make([]byte, 64) }),
		bent("layer that is a list", func(t *torrent) { t.layers[string(leaf(t).Bytes("pieces root"))] = []any{} }),
		bent("layers that are a list", func(t *torrent) { t.extra["piece layers"] = []any{} }),
		bent("layers that are a string", func(t *torrent) { t.extra["piece layers"] = strings.Repeat("x", 1000) }),
		largest("242,144 pieces, of which the last is wrong", nil),
		largest("everything that costs time at once", func(manifest, tree bencode.Dict) {
			for name, entry := range many(MaxFiles-1, func(int) bencode.Dict { return file(1, make([]byte, 32)) }) {
				tree[strings.Repeat(name, 20)] = entry
			}
			manifest["announce"] = slices.Repeat([]any{int64(123456789012345678)}, 95_000)
		}),

		bent("terms without signature", func(t *torrent) { t.extra[protocol.TermsKey] = goodTerms().Dict() }),
		bent("signature without terms", func(t *torrent) { t.extra[protocol.SignatureKey] = make([]byte, 64) }),
		bent("wrong signature", func(t *torrent) { t.signed(goodTerms()); t.extra[protocol.SignatureKey] = make([]byte, 64) }),
		bent("short signature", func(t *torrent) { t.signed(goodTerms()); t.extra[protocol.SignatureKey] = make([]byte, 63) }),
		bent("signature that is a list", func(t *torrent) { t.signed(goodTerms()); t.extra[protocol.SignatureKey] = []any{} }),
		bent("terms changed after signing", func(t *torrent) {
			t.signed(goodTerms())
			terms := goodTerms()
			terms.Edges = []string{"https://evil.example/a.bin"}
			t.extra[protocol.TermsKey] = terms.Dict()
		}),
		bent("terms of another object", func(t *torrent) {
			t.signed(goodTerms())
			d := t.dict()
			t.extra[protocol.SignatureKey] = d[protocol.SignatureKey]
			t.info["private"] = 1
		}),
		bent("terms with another's key", sign(func(t *protocol.Terms) {
			t.Key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)).Public().(ed25519.PublicKey)
		})),
		bent("key of 31 bytes", sign(func(t *protocol.Terms) { t.Key = t.Key[:31] })),
		bent("grant key of 31 bytes", sign(func(t *protocol.Terms) { t.GrantKey = t.GrantKey[:31] })),
		bent("no such mode", sign(func(t *protocol.Terms) { t.Policy.Mode = "fast" })),
		bent("negative uploads", sign(func(t *protocol.Terms) { t.Policy.UploadsPerObject = -1 })),
		bent("a million and one uploads", sign(func(t *protocol.Terms) { t.Policy.UploadsPerObject = 1_000_001 })),
		bent("17 edges", sign(func(t *protocol.Terms) {
			t.Edges = strings.Split(strings.Repeat("https://e.example/,", 16)+"https://e.example/", ",")
		})),
		bent("edge over plain HTTP", sign(func(t *protocol.Terms) { t.Edges = []string{"http://e.example/a"} })),
		bent("edge that is a file", sign(func(t *protocol.Terms) { t.Edges = []string{"file:///etc/passwd"} })),
		bent("edge with a password", sign(func(t *protocol.Terms) { t.Edges = []string{"https://a:b@e.example/a"} })),
		bent("edge without a host", sign(func(t *protocol.Terms) { t.Edges = []string{"https:///a"} })),
		bent("edge with a line break", sign(func(t *protocol.Terms) { t.Edges = []string{"https://e.example/\r\nX: y"} })),
		bent("edge of 3,000 bytes", sign(func(t *protocol.Terms) { t.Edges = []string{"https://e.example/" + strings.Repeat("a", 3000)} })),
		bent("control plane over plain HTTP", sign(func(t *protocol.Terms) { t.Control = "http://c.example" })),
		bent("publisher of 201 bytes", sign(func(t *protocol.Terms) { t.Publisher = strings.Repeat("a", 201) })),
		bent("publisher with a line break", sign(func(t *protocol.Terms) { t.Publisher = "Example\nVerified" })),
		bent("publisher that turns the writing", sign(func(t *protocol.Terms) { t.Publisher = "elpmaxE\u202e" })),
		bent("publisher that is not UTF-8", sign(func(t *protocol.Terms) { t.Publisher = "\xff" })),
		resign("checksum of 31 bytes", func(d bencode.Dict) { d["sha256"] = make([]byte, 31) }),
		resign("terms of version 2", func(d bencode.Dict) { d["v"] = 2 }),
		resign("terms without policy", func(d bencode.Dict) { delete(d, "policy") }),
		resign("terms without time", func(d bencode.Dict) { delete(d, "published") }),
		resign("edges that are numbers", func(d bencode.Dict) { d["edges"] = []any{1} }),
		resign("terms of 100 KiB", func(d bencode.Dict) { d["x"] = make([]byte, 100*kib) }),
		checksumOfFolder(),
	}
	for _, length := range []int64{math.MinInt64, -16384, 0, 1, 8 * kib, 24 * kib, 16*kib + 1, 32 << 20, math.MaxInt64} {
		list = append(list, bent(fmt.Sprintf("piece length %d", length), func(t *torrent) { t.info["piece length"] = length }))
	}
	for _, name := range []string{
		".", "..", "...", ".x", "x.", " x", "x ", "a/b", "../x", "/etc/passwd", `a\b`, `..\x`, "C:", "x:y", "a<", "a>", `"`, "a|b", "?", "*",
		"a\x00b", "a\nb", "\x7f", "\u0085", "\xff\xfe", "e\u0301", "CON", "nul.txt", "COM1", "lpt9.x", "CONIN$", "COM²", "gpj\u202eexe", strings.Repeat("a", 201),
	} {
		list = append(list, named(name), named("dir", name), named(name, "file"))
	}
	return append(list,
		named(strings.Split(strings.Repeat("d/", MaxDepth)+"f", "/")...),
		named(strings.Split(strings.Repeat("d/", 1000)+"f", "/")...),
		named(strings.Repeat("a", 200), strings.Repeat("b", 200), strings.Repeat("c", 200), strings.Repeat("d", 200), strings.Repeat("e", 200), strings.Repeat("f", 20)),
	)
}

func mustID(t *torrent) protocol.ContentID {
	m, err := Parse(newTorrentBytes(t))
	if err != nil {
		panic(err)
	}
	return m.ID
}

// newTorrentBytes encodes t without its terms.
func newTorrentBytes(t *torrent) []byte {
	return bencode.Encode(bencode.Dict{"info": t.info, "piece layers": t.layers})
}

func eachLayer(t *torrent, bend func([]byte) []byte) {
	for root, layer := range t.layers {
		t.layers[root] = bend(layer.([]byte))
	}
}

func checksumOfFolder() hostile {
	terms := goodTerms()
	terms.SHA256[0] = 1
	return hostile{"checksum of a folder", newTorrent("a", 16*kib, map[string][]byte{"x": {1}, "y": {2}}).signed(terms).bytes()}
}

// largest is the largest manifest that only the last step of checking refuses.
func largest(what string, bend func(manifest, tree bencode.Dict)) hostile {
	const pieces = MaxPieces - MaxFiles // leaves room for bend's files
	layer := make([]byte, pieces*32)
	root := layerRoot(layer, 1)
	layer[len(layer)-1] = 1
	tree := bencode.Dict{"a": file(pieces*16*kib, root[:])}
	manifest := bencode.Dict{
		"info":         bencode.Dict{"file tree": tree, "meta version": 2, "name": "a", "piece length": 16 * kib},
		"piece layers": bencode.Dict{string(root[:]): layer},
	}
	if bend != nil {
		bend(manifest, tree)
	}
	return hostile{what, bencode.Encode(manifest)}
}

// Each hostile manifest is refused with a sentence, within 50 ms and 16 MiB, whatever its size.
func TestHostileManifest(t *testing.T) {
	list := hostileManifests()
	if len(list) < 80 {
		t.Fatalf("only %d manifests", len(list))
	}
	before := here(t)
	for _, h := range list {
		var start, end runtime.MemStats
		runtime.ReadMemStats(&start)
		m, err := Parse(h.raw)
		runtime.ReadMemStats(&end)
		if m != nil || err == nil {
			t.Errorf("%s: accepted", h.what)
			continue
		}
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Reason == "" || len(refusal.Reason) > 600 {
			t.Errorf("%s: the error is %T %.100q", h.what, err, err)
		}
		if used := end.TotalAlloc - start.TotalAlloc; used > 16<<20 {
			t.Errorf("%s: %d KiB allocated", h.what, used>>10)
		}
		if raceEnabled {
			continue
		}
		if took := quickest(func() { Parse(h.raw) }); took > 50*time.Millisecond && took > fifty() {
			t.Errorf("%s: %s", h.what, took)
		}
	}
	if after := here(t); after != before {
		t.Errorf("the folder holds %s; before %s", after, before)
	}
}

// quickest returns what do costs this thread, the best of several tries if it is much.
func quickest(do func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	best := time.Hour
	for try := 0; try < 5 && best > 50*time.Millisecond; try++ {
		began := threadTime()
		do()
		best = min(best, threadTime()-began)
	}
	return best
}

// fifty returns what takes 50 ms on an idle machine, hashing 90 MiB, at this moment.
func fifty() time.Duration {
	block := make([]byte, 1<<20)
	return quickest(func() {
		for range 90 {
			sha256.Sum256(block)
		}
	})
}

// here lists the folder that the test runs in, to see that parsing touches no files.
func here(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(entries)
}

// Limits are limits: what is just inside is taken.
func TestLargestGoodManifests(t *testing.T) {
	root := bytes.Repeat([]byte{1}, 32)
	for _, h := range []hostile{
		withTree("999 empty files and one that is not", many(MaxEmptyFiles, emptyFile)),
		withTree("20,000 files", many(MaxFiles-1, func(int) bencode.Dict { return file(1, root) })),
		named(strings.Split(strings.Repeat("d/", MaxDepth-1)+"f", "/")...),
		named(strings.Repeat("a", 200)),
		bent("executable", func(t *torrent) {
			t.info.Dict("file tree").Dict("a.bin").Dict("")["attr"] = "hx"
		}),
		bent("keys of others", func(t *torrent) {
			t.info["private"], t.extra["announce"], t.extra["created by"] = 1, "https://t.example", []any{bencode.Dict{}}
		}),
		bent("offer without an address", func(t *torrent) { terms := goodTerms(); terms.Edges, terms.Control = nil, ""; t.signed(terms) }),
	} {
		if _, err := Parse(h.raw); err != nil {
			t.Errorf("%s: %v", h.what, err)
		}
	}
	layer := make([]byte, MaxPieces*32)
	all := layerRoot(layer, 1)
	big := newTorrent("a", 16*kib, map[string][]byte{"a": {1}})
	big.info["file tree"] = bencode.Dict{"a": file(MaxPieces*16*kib, all[:])}
	big.layers[string(all[:])] = layer
	if m, err := Parse(big.bytes()); err != nil || m.Pieces() != MaxPieces {
		t.Errorf("262,144 pieces: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for i, h := range hostileManifests() {
		if len(h.raw) < 4096 && i%4 == 0 {
			f.Add(h.raw)
		}
	}
	good := newTorrent("pack", 16*kib, map[string][]byte{"a/x": content(40 * kib), "b": content(5), "c": nil})
	f.Add(good.bytes())
	f.Add(good.signed(goodTerms()).bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Parse(raw)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("error of type %T", err)
			}
			return
		}
		checkInvariants(t, m)
	})
}

// checkInvariants holds for every manifest that Parse lets pass.
func checkInvariants(t *testing.T, m *Manifest) {
	t.Helper()
	if m.Pieces() > 1000 || m.Length > 64<<20 {
		return // would take the fuzzer too long
	}
	var total int64
	next := 0
	for i := range m.Pieces() {
		f, offset := m.PieceSpan(i)
		size := m.PieceSize(i)
		if size < 1 || size > m.PieceLength || offset+size > m.Files[f].Length || i < m.Files[f].FirstPiece {
			t.Fatalf("piece %d: file %d, offset %d, size %d", i, f, offset, size)
		}
		total += size
		if m.Verify(i, make([]byte, size)) && m.Verify(i, bytes.Repeat([]byte{1}, int(size))) {
			t.Fatalf("piece %d is anything", i)
		}
	}
	for _, f := range m.Files {
		if f.FirstPiece != next || len(f.Path) == 0 || len(f.Path) > MaxDepth {
			t.Fatalf("file %+v; want first piece %d", f, next)
		}
		next += f.Pieces
	}
	if total != m.Length || next != m.Pieces() || m.Length < 1 || len(m.Files) > MaxFiles {
		t.Fatalf("%d bytes in pieces, %d in all; %d pieces in files, %d in all", total, m.Length, next, m.Pieces())
	}
}
