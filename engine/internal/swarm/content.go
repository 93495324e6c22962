package swarm

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"

	"github.com/tributary-dl/tributary/control/protocol"
)

// Content is what a manifest says about an object, already validated by package manifest.
type Content struct {
	ID          protocol.ContentID
	Name        string            // for logs
	InfoBytes   []byte            // the bencoded info that ID is the hash of
	PieceLayers map[string]string // BEP 52, by pieces root; needed for files longer than a piece
	PieceLength int64             // bytes
	Length      int64             // bytes, all files
	Pieces      int
	Limiter     Limiter // of what this object's peers may send us, beside the engine's; nil: none
}

// layout says how long each piece is. In a v2 object every file starts a piece, so there may be many
// short ones.
type layout struct {
	pieces      int
	pieceLength int64
	short       map[int]int64 // pieces that are shorter
}

func (l *layout) size(i int) int64 {
	if n, ok := l.short[i]; ok {
		return n
	}
	return l.pieceLength
}

// layOut checks what the library would not survive or not report: it takes a hybrid's SHA-1 for proof,
// drops the error of a bad info, and waits for ever for missing piece layers.
func layOut(c Content) (*layout, error) {
	if sha256.Sum256(c.InfoBytes) != c.ID {
		return nil, errors.New("info does not hash to the content ID")
	}
	var info metainfo.Info
	if err := bencode.Unmarshal(c.InfoBytes, &info); err != nil {
		return nil, fmt.Errorf("decode info: %w", err)
	}
	if !info.HasV2() || info.HasV1() {
		return nil, errors.New("info is not pure BitTorrent v2")
	}
	if n := info.PieceLength; n < 16<<10 || n > 16<<20 || n&(n-1) != 0 || n != c.PieceLength {
		return nil, fmt.Errorf("piece length %d", n)
	}
	if err := info.FileTree.Validate(); err != nil {
		return nil, fmt.Errorf("file tree: %w", err)
	}
	l := &layout{pieceLength: info.PieceLength, short: map[int]int64{}}
	var total int64
	for f := range info.UpvertedFilesIter() {
		if f.Length > c.Length-total {
			return nil, errors.New("files are longer than the object")
		}
		total += f.Length
		pieces := int((f.Length + l.pieceLength - 1) / l.pieceLength)
		if pieces > c.Pieces-l.pieces {
			return nil, errors.New("files have more pieces than the object")
		}
		l.pieces += pieces
		if rest := f.Length % l.pieceLength; rest != 0 {
			l.short[l.pieces-1] = rest
		}
		if root := f.PiecesRoot; pieces > 1 && len(c.PieceLayers[string(root.Value[:])]) != pieces*sha256.Size {
			return nil, errors.New("piece layers are missing")
		}
	}
	if total != c.Length || l.pieces != c.Pieces || l.pieces == 0 {
		return nil, fmt.Errorf("info has %d bytes in %d pieces", total, l.pieces)
	}
	return l, nil
}
