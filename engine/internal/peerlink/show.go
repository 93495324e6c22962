package peerlink

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

// showPause lies between two grants that a peer shows, so that it cannot keep us busy with signatures.
const showPause = 10 * time.Second

// Show shows the peer another grant, while the link goes on: the one of the hello has an end. It returns when the grant
// is on its way, at most five seconds later; a peer that does not accept it ends the link.
func (l *Link) Show(ctx context.Context, grant []byte) error {
	words, err := helloMessage{introduction: l.about.ID, content: l.about.Content, grant: grant}.encode()
	if err != nil {
		return err
	}
	select {
	case <-l.closed: // it may linger for what was written before
		return net.ErrClosed
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	stream, err := l.conn.OpenUniStreamSync(ctx)
	if err != nil {
		return fmt.Errorf("open a stream for a grant: %w", l.explain(err))
	}
	deadline, _ := ctx.Deadline()
	_ = stream.SetWriteDeadline(deadline) // always nil
	if _, err := stream.Write(words); err != nil {
		stream.CancelWrite(quic.StreamErrorCode(codeDone))
		return fmt.Errorf("show a grant: %w", l.explain(err))
	}
	return stream.Close()
}

// Ended is closed when the connection has ended, whoever ended it.
func (l *Link) Ended() <-chan struct{} { return l.conn.Context().Done() }

// seeGrants has the grants judged that the peer shows while the link is up.
func (l *Link) seeGrants() {
	for {
		stream, err := l.conn.AcceptUniStream(l.conn.Context())
		if err != nil {
			return
		}
		if err := l.seeGrant(stream); err != nil {
			l.endpoint.log.Debug("a link ends", "err", err)
			l.abort(codeRefused)
			return
		}
		select {
		case <-time.After(showPause):
		case <-l.Ended():
			return
		}
	}
}

func (l *Link) seeGrant(stream *quic.ReceiveStream) error {
	defer stream.CancelRead(quic.StreamErrorCode(codeDone)) // nothing follows
	_ = stream.SetReadDeadline(time.Now().Add(attemptTime)) // always nil
	shown, err := readHello(stream)
	if err != nil {
		return err
	}
	if len(shown.grant) == 0 {
		return fmt.Errorf("%w: it shows no grant", errHello)
	}
	return judge(shown, l.about, Hello{Check: l.check})
}
