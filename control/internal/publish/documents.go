package publish

import (
	"crypto/ed25519"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tributary-dl/tributary/control/internal/durable"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/bencode"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
)

const generator = "Tributary"

// infoV2 returns BEP 52's info dictionary. Its hash is the content ID, so it holds nothing but what
// follows from the name and the bytes.
func infoV2(name string, h *hashes) bencode.Dict {
	root := h.root()
	return bencode.Dict{
		"file tree":    bencode.Dict{name: bencode.Dict{"": bencode.Dict{"length": h.size, "pieces root": root[:]}}},
		"meta version": 2,
		"name":         name,
		"piece length": h.pieceLength,
	}
}

func contentID(name string, h *hashes) protocol.ContentID {
	return sha256.Sum256(bencode.Encode(infoV2(name, h)))
}

// pieceLayers returns BEP 52's "piece layers", which have no entry for a file of one piece.
func pieceLayers(h *hashes) bencode.Dict {
	if len(h.layer) == 1 {
		return bencode.Dict{}
	}
	flat := make([]byte, 0, len(h.layer)*merkle.Size)
	for _, sum := range h.layer {
		flat = append(flat, sum[:]...)
	}
	root := h.root()
	return bencode.Dict{string(root[:]): flat}
}

// manifest returns the signed manifest of o.
func manifest(o Object, h *hashes, keys Keys) []byte {
	terms := protocol.Terms{
		Publisher: o.Publisher,
		Key:       keys.Publisher.Public().(ed25519.PublicKey),
		GrantKey:  keys.Grant.Public().(ed25519.PublicKey),
		Control:   o.Control,
		Edges:     o.Edges,
		Policy:    o.Policy,
		SHA256:    h.flat,
		Published: o.Published,
		NotAfter:  o.NotAfter,
	}.Dict()
	return bencode.Encode(bencode.Dict{
		"info":                infoV2(o.Name, h),
		"piece layers":        pieceLayers(h),
		protocol.TermsKey:     terms,
		protocol.SignatureKey: protocol.SignTerms(keys.Publisher, o.ID, terms),
	})
}

// hybrid returns a torrent for programs that know version 1 or 2, with the edges as web seeds (BEP 19).
// Its info hashes are not the content ID: it is for the rest of the world, our clients use the manifest.
func hybrid(o Object, h *hashes) []byte {
	info := infoV2(o.Name, h)
	info["length"] = h.size
	info["pieces"] = h.v1
	var seeds []any
	for _, edge := range o.Edges {
		seeds = append(seeds, edge)
	}
	return bencode.Encode(bencode.Dict{
		"created by":    generator,
		"creation date": o.Published.Unix(),
		"info":          info,
		"piece layers":  pieceLayers(h),
		"url-list":      seeds,
	})
}

// Elements of a Metalink file, RFC 5854 section 4.
type metalinkDocument struct {
	XMLName   xml.Name `xml:"urn:ietf:params:xml:ns:metalink metalink"`
	Generator string   `xml:"generator"`
	Published string   `xml:"published"`
	File      struct {
		Name      string           `xml:"name,attr"`
		Publisher *metalinkOwner   `xml:"publisher"`
		Size      int64            `xml:"size"`
		Hash      metalinkHash     `xml:"hash"`
		Pieces    metalinkPieces   `xml:"pieces"`
		MetaURL   metalinkMetaURL  `xml:"metaurl"`
		URLs      []metalinkSource `xml:"url"`
	} `xml:"file"`
}

type metalinkOwner struct {
	Name string `xml:"name,attr"`
}

type metalinkHash struct {
	Type string `xml:"type,attr"`
	Sum  string `xml:",chardata"`
}

type metalinkPieces struct {
	Length int64    `xml:"length,attr"`
	Type   string   `xml:"type,attr"`
	Sums   []string `xml:"hash"`
}

type metalinkMetaURL struct {
	MediaType string `xml:"mediatype,attr"`
	Priority  int    `xml:"priority,attr"`
	URL       string `xml:",chardata"`
}

type metalinkSource struct {
	Priority int    `xml:"priority,attr"`
	URL      string `xml:",chardata"`
}

func metalink(o Object, h *hashes) ([]byte, error) {
	d := metalinkDocument{Generator: generator, Published: o.Published.UTC().Format(time.RFC3339)}
	f := &d.File
	f.Name, f.Size = o.Name, h.size
	if o.Publisher != "" {
		f.Publisher = &metalinkOwner{o.Publisher}
	}
	f.Hash = metalinkHash{"sha-256", hex.EncodeToString(h.flat[:])}
	f.Pieces = metalinkPieces{Length: h.pieceLength, Type: "sha-1"}
	for sum := range slices.Chunk(h.v1, sha1.Size) {
		f.Pieces.Sums = append(f.Pieces.Sums, hex.EncodeToString(sum))
	}
	f.MetaURL = metalinkMetaURL{"torrent", len(o.Edges) + 1, o.URL() + HybridSuffix}
	for i, edge := range o.Edges {
		f.URLs = append(f.URLs, metalinkSource{i + 1, edge})
	}
	text, err := xml.MarshalIndent(d, "", " ")
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte(xml.Header), text, []byte("\n")), nil
}

// writeDocuments writes everything beside the content into the object's directory. object.json comes
// last, so that it never promises terms that the manifest does not have yet.
func writeDocuments(dir string, o Object, h *hashes, keys Keys) error {
	meta4, err := metalink(o, h)
	if err != nil {
		return err
	}
	object, err := encodeJSON(o)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		data []byte
	}{
		{manifestFile, manifest(o, h, keys)}, {hybridFile, hybrid(o, h)}, {metalinkFile, meta4}, {objectFile, object},
	} {
		if err := durable.Write(filepath.Join(dir, file.name), file.data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// readHashes takes from an object's documents what is needed to write them anew under other terms.
func readHashes(dir string, o Object) (*hashes, error) {
	h := &hashes{size: o.Size, pieceLength: o.PieceLength}
	copy(h.flat[:], o.SHA256)
	text, err := os.ReadFile(filepath.Join(dir, hybridFile))
	if err != nil {
		return nil, err
	}
	torrent, err := bencode.DecodeDict(text)
	if err != nil {
		return nil, err
	}
	info := torrent.Dict("info")
	h.v1 = info.Bytes("pieces")
	root := info.Dict("file tree").Dict(o.Name).Dict("").Bytes("pieces root")
	layer := torrent.Dict("piece layers").Bytes(string(root))
	if layer == nil {
		layer = root
	}
	if len(layer)%merkle.Size != 0 {
		return nil, errors.New("the piece layer is cut off")
	}
	for sum := range slices.Chunk(layer, merkle.Size) {
		h.layer = append(h.layer, merkle.Hash(sum))
	}
	if len(h.layer) == 0 || contentID(o.Name, h) != o.ID {
		return nil, fmt.Errorf("%s does not describe the object", hybridFile)
	}
	return h, nil
}
