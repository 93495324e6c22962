package swarm

import (
	"context"
	"io"
	"sync"

	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"
)

// store lets the library use Pieces. Completion is what Pieces says, so nothing is hashed at the
// start, and a verified piece is never written again.
type store struct{ s *Swarm }

func (st store) OpenTorrent(context.Context, *metainfo.Info, metainfo.Hash) (storage.TorrentImpl, error) {
	return storage.TorrentImpl{Piece: func(p metainfo.Piece) storage.PieceImpl {
		return piece{st.s, p.Index()}
	}}, nil
}

// piece implements storage.PieceImpl and io.WriterTo.
type piece struct {
	s *Swarm
	i int
}

func (p piece) WriteAt(b []byte, off int64) (int, error) {
	if err := p.s.storing.enter(); err != nil {
		return 0, err
	}
	defer p.s.storing.exit()
	if err := p.s.pieces.WriteBlock(p.i, off, b); err != nil {
		p.s.storageFailed(err)
		return 0, err
	}
	return len(b), nil
}

// ReadAt is not used while links do the uploading, but the interface has it.
func (p piece) ReadAt(b []byte, off int64) (int, error) {
	if err := p.s.storing.enter(); err != nil {
		return 0, err
	}
	defer p.s.storing.exit()
	return p.s.pieces.ReadAt(b, p.i, off)
}

// WriteTo feeds the hash.
func (p piece) WriteTo(w io.Writer) (n int64, err error) {
	if err := p.s.storing.enter(); err != nil {
		return 0, err
	}
	defer p.s.storing.exit()
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	for size := p.s.layout.size(p.i); n < size; {
		b := buf[:min(mostChunk, size-n)]
		if _, err := p.s.pieces.ReadAt(b, p.i, n); err != nil {
			p.s.storageFailed(err)
			return n, err
		}
		k, err := w.Write(b)
		n += int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// MarkComplete is called when the hash fits.
func (p piece) MarkComplete() error {
	if err := p.s.storing.enter(); err != nil {
		return err
	}
	defer p.s.storing.exit()
	already := p.s.pieces.Verified(p.i)
	if err := p.s.pieces.MarkVerified(p.i); err != nil {
		p.s.storageFailed(err)
		p.s.repair(p.i)
		return err
	}
	p.s.hashed(p.i, already)
	return nil
}

// MarkNotComplete is called when the hash does not fit.
func (p piece) MarkNotComplete() error {
	if err := p.s.storing.enter(); err != nil {
		return err
	}
	defer p.s.storing.exit()
	if p.s.pieces.Verified(p.i) { // the caller committed it while the hash of peers' bytes was computed
		p.s.repair(p.i)
		return nil
	}
	p.s.rejected(p.i)
	return nil
}

func (p piece) Completion() storage.Completion {
	if err := p.s.storing.enter(); err != nil {
		return storage.Completion{Ok: true}
	}
	defer p.s.storing.exit()
	return storage.Completion{Ok: true, Complete: p.s.pieces.Verified(p.i)}
}

// buffer holds a piece message with a full chunk.
type buffer [prefix + pieceHeader + mostChunk]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// gate counts who is inside, and can be closed for good.
type gate struct {
	mu     sync.Mutex
	inside int
	closed bool
	empty  chan struct{} // closed when the last one leaves a closed gate
}

func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	g.inside++
	return nil
}

func (g *gate) exit() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.closed {
		close(g.empty)
	}
}

// close lets nobody in any more, and waits until nobody is inside.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.empty = make(chan struct{})
	if g.inside == 0 {
		close(g.empty)
	}
	g.mu.Unlock()
	<-g.empty
}
