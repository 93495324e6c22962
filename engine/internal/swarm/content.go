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
	chunk       int64         // bytes that peers are asked for in one request
}

// Four blocks of 16 KiB cost a quarter more processor time than one of 64. But what else is said to a peer waits until the block that is being sent to it has left,
// and where a line of 10 Mbit/s serves thirteen, 64 KiB take most of a second. Objects with small pieces are the ones that are not fast in any case.
const (
	smallPiece = 128 << 10
	smallChunk = 16 << 10
)

func chunkOf(pieceLength int64) int64 {
	if pieceLength <= smallPiece {
		return smallChunk
	}
	return mostChunk
}

// chunks is how many chunks so many bytes of a piece have.
func (l *layout) chunks(bytes int64) int { return int((bytes + l.chunk - 1) / l.chunk) }

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
	l := &layout{pieceLength: info.PieceLength, short: map[int]int64{}, chunk: chunkOf(info.PieceLength)}
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
