package manifest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/bencode"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
)

const kib = 1 << 10

// content is pseudo-random, so that no two blocks are equal.
func content(size int) []byte {
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16)}).Read(data)
	return data
}

// torrent is a manifest under construction; tests bend it before they encode it.
type torrent struct {
	info, layers bencode.Dict
	terms        *protocol.Terms
	extra        bencode.Dict
}

var publisher = ed25519.NewKeyFromSeed(make([]byte, 32))

// newTorrent describes files, given as path → content.
func newTorrent(name string, pieceLength int, files map[string][]byte) *torrent {
	t := &torrent{layers: bencode.Dict{}, extra: bencode.Dict{}}
	tree := bencode.Dict{}
	for path, data := range files {
		dir := tree
		for _, part := range strings.Split(path, "/") {
			if dir[part] == nil {
				dir[part] = bencode.Dict{}
			}
			dir = dir[part].(bencode.Dict)
		}
		dir[""] = t.describe(data, pieceLength)
	}
	t.info = bencode.Dict{"name": name, "piece length": int64(pieceLength), "meta version": int64(2), "file tree": tree}
	return t
}

func (t *torrent) describe(data []byte, pieceLength int) bencode.Dict {
	if len(data) == 0 {
		return bencode.Dict{"length": int64(0)}
	}
	var layer []merkle.Hash
	var flat []byte
	var h merkle.Hasher
	for rest := data; len(rest) > 0; {
		n := min(len(rest), pieceLength)
		h.Write(rest[:n])
		leaves := pieceLength / merkle.BlockSize
		if len(data) <= pieceLength {
			leaves = 1
		}
		sum := h.Root(leaves)
		layer, flat, rest = append(layer, sum), append(flat, sum[:]...), rest[n:]
	}
	root := layer[0]
	if len(layer) > 1 {
		root = merkle.LayerRoot(layer, pieceLength/merkle.BlockSize)
		t.layers[string(root[:])] = flat
	}
	return bencode.Dict{"length": int64(len(data)), "pieces root": root[:]}
}

func (t *torrent) signed(terms protocol.Terms) *torrent { t.terms = &terms; return t }

func goodTerms() protocol.Terms {
	return protocol.Terms{
		Publisher: "Example", Key: publisher.Public().(ed25519.PublicKey), GrantKey: make([]byte, 32),
		Control: "https://control.example", Edges: []string{"https://edge.example/a.bin"},
		Policy: protocol.DefaultPolicy(), Published: time.Unix(1_700_000_000, 0),
	}
}

func (t *torrent) dict() bencode.Dict {
	d := bencode.Dict{"info": t.info, "piece layers": t.layers}
	if t.terms != nil {
		terms := t.terms.Dict()
		d[protocol.TermsKey] = terms
		d[protocol.SignatureKey] = protocol.SignTerms(publisher, sha256.Sum256(bencode.Encode(t.info)), terms)
	}
	for k, v := range t.extra {
		d[k] = v
	}
	return d
}

func (t *torrent) bytes() []byte { return bencode.Encode(t.dict()) }

func mustParse(t *testing.T, raw []byte) *Manifest {
	t.Helper()
	m, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every file begins on a piece, in the order of the tree; the picture is one letter a piece.
func TestPiecesOfFiles(t *testing.T) {
	m := mustParse(t, newTorrent("pack", 32*kib, map[string][]byte{
		"b/two.bin": content(65 * kib), "a.bin": content(32 * kib), "b/empty": nil, "c.bin": content(1), "a/x": content(33 * kib),
	}).bytes())
	want := []File{
		{Path: []string{"a"}, Length: 33 * kib, FirstPiece: 0, Pieces: 2},
		{Path: []string{"a.bin"}, Length: 32 * kib, FirstPiece: 2, Pieces: 1},
		{Path: []string{"b", "empty"}, Length: 0, FirstPiece: 3, Pieces: 0},
		{Path: []string{"b", "two.bin"}, Length: 65 * kib, FirstPiece: 3, Pieces: 3},
		{Path: []string{"c.bin"}, Length: 1, FirstPiece: 6, Pieces: 1},
	}
	want[0].Path = []string{"a", "x"}
	if diff := cmp.Diff(want, m.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	var picture []string
	for i := range m.Pieces() {
		f, offset := m.PieceSpan(i)
		picture = append(picture, fmt.Sprintf("%d+%dk=%d", f, offset/kib, m.PieceSize(i)))
	}
	wantPicture := "0+0k=32768 0+32k=1024 1+0k=32768 3+0k=32768 3+32k=32768 3+64k=1024 4+0k=1"
	if got := strings.Join(picture, " "); got != wantPicture {
		t.Errorf("pieces:\n got %s\nwant %s", got, wantPicture)
	}
	if m.Length != 130*kib+1 || m.Single || m.Name != "pack" || m.Terms != nil {
		t.Errorf("length %d, single %v, name %q, terms %v", m.Length, m.Single, m.Name, m.Terms)
	}
}

func TestVerifyKnowsEachPieceFromEveryOther(t *testing.T) {
	for _, size := range []int{1, 16 * kib, 16*kib + 1, 48 * kib, 64 * kib, 64*kib + 1, 200 * kib, 256 * kib} {
		data := content(size)
		m := mustParse(t, newTorrent("a.bin", 64*kib, map[string][]byte{"a.bin": data}).bytes())
		if !m.Single || m.Length != int64(size) {
			t.Fatalf("%d bytes: single %v, length %d", size, m.Single, m.Length)
		}
		for i := range m.Pieces() {
			_, offset := m.PieceSpan(i)
			piece := data[offset : offset+m.PieceSize(i)]
			for j := -1; j <= m.Pieces(); j++ {
				if got := m.Verify(j, piece); got != (i == j) {
					t.Errorf("%d bytes: piece %d offered as %d: %v", size, i, j, got)
				}
			}
			bad := slices.Clone(piece)
			bad[len(bad)/2] ^= 1
			if m.Verify(i, bad) || m.Verify(i, piece[:len(piece)-1]) || m.Verify(i, slices.Concat(piece, []byte{0})) {
				t.Errorf("%d bytes: a wrong piece %d passes", size, i)
			}
		}
	}
}

func TestSignedTerms(t *testing.T) {
	terms := goodTerms()
	terms.NotAfter = time.Unix(1_800_000_000, 0)
	terms.SHA256 = sha256.Sum256(content(5))
	raw := newTorrent("a.bin", 16*kib, map[string][]byte{"a.bin": content(5)}).signed(terms).bytes()
	m := mustParse(t, raw)
	if diff := cmp.Diff(&terms, m.Terms); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
	if m.Expired(terms.NotAfter) || !m.Expired(terms.NotAfter.Add(time.Second)) {
		t.Error("Expired does not turn at NotAfter")
	}
	if m.ID != sha256.Sum256(m.InfoBytes()) || string(m.Raw()) != string(raw) {
		t.Error("ID, InfoBytes and Raw do not belong together")
	}
	plain := mustParse(t, newTorrent("a.bin", 16*kib, map[string][]byte{"a.bin": content(5)}).bytes())
	if plain.Expired(time.Unix(1<<40, 0)) {
		t.Error("a manifest without terms expires")
	}
}

func TestPieceLayersAreHandedOnUnchanged(t *testing.T) {
	tor := newTorrent("a", 16*kib, map[string][]byte{"one": content(50 * kib), "two": content(90 * kib), "tiny": content(9)})
	want := map[string]string{}
	for root, layer := range tor.layers {
		want[root] = string(layer.([]byte))
	}
	if diff := cmp.Diff(want, mustParse(t, tor.bytes()).PieceLayers()); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

// published.torrent is what the control plane's publisher writes; its own test compares the bytes.
// Neither package may import the other, so the file is the contract between them.
func TestParsesWhatThePublisherWrites(t *testing.T) {
	raw, err := os.ReadFile("testdata/published.torrent")
	if err != nil {
		t.Fatal(err)
	}
	m := mustParse(t, raw)
	if !m.Single || m.Terms == nil || m.Terms.Publisher != "Example Press" || m.Name != "hello world.bin" || m.Pieces() != 3 {
		t.Errorf("got %+v", m)
	}
}

func BenchmarkVerify(b *testing.B) {
	data := content(1 << 20)
	m, err := Parse(newTorrent("a.bin", 1<<20, map[string][]byte{"a.bin": data}).bytes())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if !m.Verify(0, data) {
			b.Fatal("wrong")
		}
	}
}

func BenchmarkSHA256(b *testing.B) {
	data := content(1 << 20)
	b.SetBytes(1 << 20)
	for b.Loop() {
		sha256.Sum256(data)
	}
}
