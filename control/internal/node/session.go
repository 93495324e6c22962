package node

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
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

// session is one client that is logged in. One goroutine reads, another writes while there is something to write. Other
// sessions only call send and end.
type session struct {
	node     *Node
	ws       *websocket.Conn
	conn     *gatherer // below ws
	log      *slog.Logger
	device   protocol.DeviceKey
	peer     selection.PeerID
	public   netip.AddrPort
	edgeOnly bool
	holder   *directory.Holder

	localAddress atomic.Pointer[string] // see wire.Login
	out          outbox

	// Used by the reader only.
	messages, lookups *rate.Limiter
	granted           grants
	malformed         int // reports
}

func newSession(n *Node, ws *websocket.Conn, conn *gatherer, device protocol.DeviceKey, public netip.AddrPort, edgeOnly bool) *session {
	return &session{
		node: n, ws: ws, conn: conn, device: device, peer: n.peerID(device), public: public, edgeOnly: edgeOnly,
		log:      n.cfg.Log.With("guid", device.GUID()),
		messages: rate.NewLimiter(messageRate, messageBurst),
		lookups:  rate.NewLimiter(lookupRate, lookupBurst),
	}
}

// run reads until the session ends. A farewell may still be under way when it returns.
func (s *session) run() {
	var pings *time.Timer
	pings = time.AfterFunc(protocol.KeepAlive, func() {
		if s.ping() == nil {
			pings.Reset(protocol.KeepAlive)
		}
	})
	err := s.read()
	pings.Stop()
	if violation, ok := errors.AsType[violation](err); ok {
		s.end(websocket.StatusPolicyViolation, closeReason(violation))
	} else {
		s.out.close(websocket.StatusNormalClosure, "") // nothing more is queued, and nothing more written
		s.conn.cut()
		s.ws.CloseNow()
	}
	s.node.unregister(s)
	s.node.cfg.Directory.Leave(s.holder)
	s.log.Debug("session ends", "err", err)
}

// violation is an error of the client that ends its session.
type violation struct{ error }

func (s *session) read() error {
	for {
		message, err := read(context.Background(), s.ws) // cut ends it
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
	room, start := s.out.add(data)
	if !room {
		s.log.Info("client does not keep up")
		s.conn.cut()
	}
	if start {
		// The session of whoever calls is counted in work, so this cannot come after the last.
		s.node.work.Go(s.write)
	}
}

// end closes the session in good order: what is queued is sent first.
func (s *session) end(code websocket.StatusCode, reason string) {
	if s.out.close(code, reason) {
		s.node.work.Go(s.write)
	}
}

// write sends what is queued until nothing is.
func (s *session) write() {
	for {
		messages, closing := s.out.take()
		if len(messages) == 0 && closing == nil {
			return
		}
		err := s.writeAll(messages)
		if err == nil && closing != nil {
			err = s.ws.Close(closing.code, closing.reason)
		}
		if err != nil || closing != nil {
			s.conn.cut()
			s.ws.CloseNow()
			return
		}
	}
}

func (s *session) writeAll(messages [][]byte) error {
	if len(messages) == 0 {
		return nil
	}
	s.conn.gather()
	var err error
	for _, m := range messages {
		err = errors.Join(err, s.ws.Write(context.Background(), websocket.MessageBinary, m)) // into memory
	}
	return errors.Join(err, s.conn.release())
}

// ping waits for the pong, so a connection that died without a word is noticed; it is cut off.
func (s *session) ping() error {
	if !s.node.begin() {
		return errClosing
	}
	defer s.node.work.Done()
	ctx, cancel := context.WithTimeout(context.Background(), writeDeadline)
	defer cancel()
	err := s.ws.Ping(ctx)
	if err != nil {
		s.conn.cut()
	}
	return err
}

func (s *session) setLocalAddress(address string) { s.localAddress.Store(&address) }
