package node

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"

	"github.com/tributary-dl/tributary/control/internal/directory"
	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// What one session may ask of us. A client that keeps to its own limits stays far below.
const (
	messageRate  = 100 // a second
	messageBurst = 1000
	lookupRate   = 2 // a second
	lookupBurst  = 20
	maxHoldings  = 20_000
)

// session is one client that is logged in. Its reader is the goroutine of the HTTP request; a second
// one writes. Other sessions only call send and end.
type session struct {
	node     *Node
	conn     *websocket.Conn
	log      *slog.Logger
	device   protocol.DeviceKey
	peer     selection.PeerID
	public   netip.AddrPort
	edgeOnly bool
	holder   *directory.Holder

	localAddress atomic.Pointer[string] // see wire.Login
	out          *outbox
	cancel       context.CancelFunc // cuts the connection off
	ctx          context.Context

	// Used by the reader only.
	messages, lookups *rate.Limiter
	malformed         int // reports
}

func newSession(n *Node, conn *websocket.Conn, device protocol.DeviceKey, public netip.AddrPort, edgeOnly bool) *session {
	s := &session{
		node: n, conn: conn, device: device, peer: n.peerID(device), public: public, edgeOnly: edgeOnly,
		log:      n.cfg.Log.With("guid", device.GUID()),
		out:      newOutbox(),
		messages: rate.NewLimiter(messageRate, messageBurst),
		lookups:  rate.NewLimiter(lookupRate, lookupBurst),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// run reads until the session ends, and returns when nothing of it is left.
func (s *session) run() {
	var writer sync.WaitGroup
	writer.Go(s.write)
	err := s.read()
	if violation, ok := errors.AsType[violation](err); ok {
		s.end(websocket.StatusPolicyViolation, closeReason(violation))
	} else {
		s.cancel()
	}
	s.node.unregister(s)
	s.node.cfg.Directory.Leave(s.holder)
	writer.Wait()
	s.conn.CloseNow()
	s.log.Debug("session ends", "err", err)
}

// violation is an error of the client that ends its session.
type violation struct{ error }

func (s *session) read() error {
	for {
		message, err := read(s.ctx, s.conn)
		if err != nil {
			return err
		}
		if !s.messages.Allow() {
			return violation{errors.New("too many messages")}
		}
		if err := s.obey(message); err != nil {
			return violation{err}
		}
	}
}

// send queues a message. A client that does not keep up is cut off: it will come back and be told anew.
func (s *session) send(message *wire.NodeMessage) {
	data, err := proto.Marshal(message)
	if err != nil {
		s.log.Error("message could not be encoded", "err", err) // a string that is not UTF-8
		return
	}
	if !s.out.add(data) {
		s.log.Info("client does not keep up")
		s.cancel()
	}
}

// end closes the session in good order: what is queued is sent first.
func (s *session) end(code websocket.StatusCode, reason string) { s.out.close(code, reason) }

// write sends what is queued, and pings, until the session ends.
func (s *session) write() {
	defer s.cancel() // so that the reader ends too
	ping := time.NewTicker(protocol.KeepAlive)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-s.ctx.Done():
			return
		case <-ping.C:
			err = s.ping()
		case <-s.out.wake:
			messages, closing := s.out.take()
			err = s.writeAll(messages)
			if err == nil && closing != nil {
				s.conn.Close(closing.code, closing.reason)
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *session) writeAll(messages [][]byte) error {
	for _, m := range messages {
		ctx, cancel := context.WithTimeout(s.ctx, writeDeadline)
		err := s.conn.Write(ctx, websocket.MessageBinary, m)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// ping waits for the pong, so a connection that died without a word is noticed.
func (s *session) ping() error {
	ctx, cancel := context.WithTimeout(s.ctx, writeDeadline)
	defer cancel()
	return s.conn.Ping(ctx)
}

func (s *session) setLocalAddress(address string) { s.localAddress.Store(&address) }
