package manifest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/bencode"
	"github.com/tributary-dl/tributary/control/protocol/filename"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
)

// Parse reads a manifest and checks everything that can be checked without the content: structure,
// limits, names, the hashes of pieces against the roots of files, and the publisher's signature if
// there are terms. Whether the publisher is the expected one, and Expired, are for the caller. Errors
// are of type *Error. The manifest keeps raw, which the caller must not change afterwards.
func Parse(raw []byte) (*Manifest, error) {
	if len(raw) > MaxBytes {
		return nil, refuse("the manifest is larger than %d MiB", MaxBytes>>20)
	}
	p := parser{m: &Manifest{raw: raw}, layers: map[string][]byte{}}
	for _, step := range []func() error{p.read, p.checkLayers, p.openTerms} {
		if err := step(); err != nil {
			return nil, asError(err)
		}
	}
	return p.m, nil
}

func refuse(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// asError gives errors of package bencode their sentence.
func asError(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return refuse("the manifest is malformed: %s", err)
}

// parser holds what is known of a manifest between the steps of Parse.
type parser struct {
	m       *Manifest
	layers  map[string][]byte // root of each file longer than a piece → its layer, nil until found
	folders int
	empty   int
	longest int // path below Name in bytes, with the separator before it

	rawTerms, signature []byte
}

// read reads the outermost dictionary. Its keys come sorted, so the files are known before the hashes
// of their pieces.
func (p *parser) read() error {
	r := bencode.NewReader(p.m.raw)
	err := r.Dict(func(key []byte) (err error) {
		switch string(key) {
		case "info":
			p.m.info, err = r.Spelling(func() error { return p.info(r) })
		case "piece layers":
			return p.readLayers(r)
		case protocol.TermsKey:
			p.rawTerms, err = r.Raw()
		case protocol.SignatureKey:
			p.signature, err = r.Bytes()
		default: // other programs' keys, which say nothing that we use
			_, err = r.Raw()
		}
		return err
	})
	if err != nil {
		return err
	}
	if p.m.info == nil {
		return refuse("the manifest has no info dictionary")
	}
	p.m.ID = sha256.Sum256(p.m.info)
	return r.End()
}

// info reads the dictionary that describes the content.
func (p *parser) info(r *bencode.Reader) error {
	var name []byte
	var version int64
	err := r.Dict(func(key []byte) (err error) {
		switch string(key) {
		case "file tree":
			return p.fileTree(r)
		case "meta version":
			version, err = r.Int()
		case "name":
			name, err = r.Bytes()
		case "piece length":
			p.m.PieceLength, err = r.Int()
		case "pieces", "files", "length": // the piece engine would verify a hybrid by SHA-1 alone
			return refuse("the manifest is a BitTorrent v1 or hybrid one; only v2 is safe")
		default:
			_, err = r.Raw()
		}
		return err
	})
	if err != nil {
		return err
	}
	if version != 2 {
		return refuse("the manifest is not of BitTorrent version 2")
	}
	if n := p.m.PieceLength; n < MinPieceLength || n > MaxPieceLength || n&(n-1) != 0 {
		return refuse("the piece length %d is not a power of two from 16 KiB to 16 MiB", n)
	}
	p.m.Name = string(name)
	if err := checkName(p.m.Name); err != nil {
		return err
	}
	if len(p.m.Name)+p.longest > MaxPath {
		return refuse("the paths below %.80q are too long", p.m.Name)
	}
	return p.layOut()
}

// fileTree reads all files. No more memory is set aside than the input can fill.
func (p *parser) fileTree(r *bencode.Reader) error {
	const leastBytes = 75 // that describe a file which is not empty
	p.m.Files = make([]File, 0, min(len(p.m.raw)/leastBytes+1, MaxFiles))
	p.m.roots = make([][]byte, 0, cap(p.m.Files))
	return p.folder(r, nil, 0)
}

// layOut numbers the pieces of the files.
func (p *parser) layOut() error {
	m := p.m
	if m.Length == 0 {
		return refuse("the manifest describes no bytes")
	}
	for i := range m.Files {
		file := &m.Files[i]
		pieces := (file.Length + m.PieceLength - 1) / m.PieceLength
		if pieces > int64(MaxPieces-m.pieces) {
			return refuse("the manifest has more than %d pieces", MaxPieces)
		}
		file.FirstPiece, file.Pieces = m.pieces, int(pieces)
		m.pieces += file.Pieces
		if file.Pieces > 1 {
			p.layers[string(m.roots[i])] = nil
		}
	}
	m.Single = len(m.Files) == 1 && len(m.Files[0].Path) == 1 && m.Files[0].Path[0] == m.Name
	return nil
}

func checkName(name string) error {
	if err := filename.Check(name); err != nil {
		return refuse("the name %.80q is not allowed: %s", name, err)
	}
	return nil
}

// folder reads one dictionary of the file tree: either a folder's entries or, under an empty key, what
// path itself is. length is that of the path so far in bytes, with the separator before it.
func (p *parser) folder(r *bencode.Reader, path []string, length int) error {
	if p.folders++; p.folders > MaxFolders+len(p.m.Files)+1 { // a file's dictionary counts too
		return refuse("the manifest has more than %d folders", MaxFolders)
	}
	var folded []string
	isFile, entries := false, 0
	err := r.Dict(func(key []byte) error {
		if isFile {
			return refuse("%.80q is both a file and a folder", path[len(path)-1])
		}
		entries++
		if len(key) == 0 && len(path) > 0 {
			isFile = true
			return p.file(r, path)
		}
		name := string(key)
		if err := checkName(name); err != nil {
			return err
		}
		inner := length + 1 + len(name)
		if len(path) == MaxDepth || inner > MaxPath {
			return refuse("the path to %.80q is too long", name)
		}
		folded = append(folded, filename.Fold(name))
		p.longest = max(p.longest, inner)
		return p.folder(r, append(path[:len(path):len(path)], name), inner)
	})
	if err != nil {
		return err
	}
	if entries == 0 {
		return refuse("the manifest has an empty folder")
	}
	slices.Sort(folded)
	for i := 1; i < len(folded); i++ {
		if folded[i] == folded[i-1] {
			return refuse("two names differ only in upper and lower case: %.80q", folded[i])
		}
	}
	return nil
}

// file reads the description of one file and appends it.
func (p *parser) file(r *bencode.Reader, path []string) error {
	length, root := int64(-1), []byte(nil)
	err := r.Dict(func(key []byte) (err error) {
		switch string(key) {
		case "length":
			length, err = r.Int()
		case "pieces root":
			root, err = r.Bytes()
		case "attr":
			return checkAttributes(r)
		case "symlink path":
			return refuse("the manifest holds a symbolic link")
		default:
			_, err = r.Raw()
		}
		return err
	})
	if err != nil {
		return err
	}
	m := p.m
	name := path[len(path)-1]
	switch {
	case length < 0:
		return refuse("the file %.80q has no valid length", name)
	case length > MaxLength-m.Length:
		return refuse("the content is larger than %d TiB", int64(MaxLength)>>40)
	case len(m.Files) == MaxFiles:
		return refuse("the manifest has more than %d files", MaxFiles)
	case length == 0 && p.empty == MaxEmptyFiles:
		return refuse("the manifest has more than %d empty files", MaxEmptyFiles)
	case length == 0 && root != nil, length > 0 && len(root) != merkle.Size:
		return refuse("the file %.80q has no valid root hash", name)
	}
	if length == 0 {
		p.empty++
	}
	m.Files = append(m.Files, File{Path: path, Length: length})
	m.roots = append(m.roots, root)
	m.Length += length
	return nil
}

// checkAttributes reads BEP 47's attributes. Hidden and executable are hints that we ignore; a link
// could point anywhere, and padding has no place in version 2.
func checkAttributes(r *bencode.Reader) error {
	attributes, err := r.Bytes()
	if err != nil {
		return err
	}
	for _, a := range attributes {
		if a != 'x' && a != 'h' {
			return refuse("the manifest holds a link or another file that is not an ordinary one")
		}
	}
	return nil
}
