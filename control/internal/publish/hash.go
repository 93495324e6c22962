package publish

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/tributary-dl/tributary/control/protocol/merkle"
)

// hashes is all that the documents of an object say about its bytes.
type hashes struct {
	size        int64
	pieceLength int64
	layer       []merkle.Hash // of each piece, BEP 52
	v1          []byte        // SHA-1 of each piece, one after the other, BEP 3
	flat        [sha256.Size]byte
}

// maxHashers bounds the memory: each takes a piece of up to 16 MiB.
const maxHashers = 16

var errChanged = errors.New("the file changed while it was read")

// hashContent reads size bytes and not one more. A reader, the hash over the whole file and a hasher
// for pieces on each core work at the same time; a piece passes through all three in this order.
func hashContent(ctx context.Context, r io.Reader, size, pieceLength int64) (*hashes, error) {
	pieces := int((size + pieceLength - 1) / pieceLength)
	h := &hashes{size: size, pieceLength: pieceLength, layer: make([]merkle.Hash, pieces), v1: make([]byte, pieces*sha1.Size)}
	type piece struct {
		number int
		data   []byte
	}
	hashers := min(runtime.GOMAXPROCS(0), maxHashers, pieces)
	free := make(chan []byte, hashers+2)
	for range cap(free) {
		free <- make([]byte, min(size, pieceLength))
	}
	read, summed := make(chan piece), make(chan piece)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(read)
		for i := range pieces {
			var buf []byte
			select {
			case buf = <-free:
			case <-ctx.Done():
				return ctx.Err()
			}
			p := piece{i, buf[:min(pieceLength, size-int64(i)*pieceLength)]}
			if _, err := io.ReadFull(r, p.data); err != nil {
				return shorter(err)
			}
			select {
			case read <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if n, _ := io.ReadFull(r, make([]byte, 1)); n != 0 {
			return errChanged
		}
		return nil
	})
	group.Go(func() error {
		defer close(summed)
		whole := sha256.New()
		for p := range read {
			whole.Write(p.data)
			select {
			case summed <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		whole.Sum(h.flat[:0])
		return nil
	})
	for range hashers {
		group.Go(func() error {
			var tree merkle.Hasher
			for p := range summed {
				tree.Write(p.data)
				h.layer[p.number] = tree.Root(h.leaves())
				sum := sha1.Sum(p.data)
				copy(h.v1[p.number*sha1.Size:], sum[:])
				free <- p.data[:cap(p.data)] // never blocks: there is room for all buffers
			}
			return nil
		})
	}
	return h, group.Wait()
}

// shorter turns the end of a file that came too early into words.
func shorter(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errChanged
	}
	return err
}

// leaves returns the width of a piece's tree. A file of one piece has a tree only as wide as its blocks need.
func (h *hashes) leaves() int {
	if h.size <= h.pieceLength {
		return 1
	}
	return int(h.pieceLength / merkle.BlockSize)
}

func (h *hashes) root() merkle.Hash {
	if len(h.layer) == 1 {
		return h.layer[0]
	}
	return merkle.LayerRoot(h.layer, h.leaves())
}
