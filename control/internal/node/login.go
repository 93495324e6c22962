package node

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/tributary-dl/tributary/control/internal/directory"
	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// ServeHTTP upgrades a request to a session. The session goes on in a goroutine of its own, so that what an HTTP server
// keeps for a request under way (buffers, headers, a deep stack) does not stay for the hours that a session lasts.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	device, err := deviceOf(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, "the connection has no address", http.StatusBadRequest)
		return
	}
	public := netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	if !n.begin() {
		http.Error(w, errClosing.Error(), http.StatusServiceUnavailable)
		return
	}
	defer n.work.Done()
	taken := &taker{ResponseWriter: w}
	ws, err := websocket.Accept(taken, r, &websocket.AcceptOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err != nil {
		n.cfg.Log.Debug("WebSocket refused", "remote", public, "err", err)
		return // Accept has answered
	}
	n.work.Go(func() { n.hold(ws, taken.conn, device, public) })
}

// hold is a session from its login to its end.
func (n *Node) hold(ws *websocket.Conn, conn *gatherer, device protocol.DeviceKey, public netip.AddrPort) {
	ws.SetReadLimit(protocol.MaxMessage)
	if ws.Subprotocol() != protocol.Subprotocol {
		ws.Close(websocket.StatusProtocolError, "the subprotocol must be "+protocol.Subprotocol)
		return
	}
	s, err := n.login(ws, conn, device, public)
	if err != nil {
		n.cfg.Log.Debug("login refused", "remote", public, "err", err)
		ws.Close(websocket.StatusPolicyViolation, closeReason(err))
		return
	}
	s.run()
}

// deviceOf returns the key that the client proved to have in the TLS handshake. Its certificate says
// nothing else that counts.
func deviceOf(r *http.Request) (protocol.DeviceKey, error) {
	switch {
	case r.TLS == nil || r.TLS.Version < tls.VersionTLS13:
		return protocol.DeviceKey{}, errors.New("a session needs TLS 1.3")
	case r.Header.Get("Origin") != "":
		return protocol.DeviceKey{}, errors.New("a session is not for web pages")
	case len(r.TLS.PeerCertificates) == 0:
		return protocol.DeviceKey{}, errors.New("a session needs a client certificate")
	}
	key, ok := r.TLS.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return protocol.DeviceKey{}, errors.New("the client certificate's key is not Ed25519")
	}
	return protocol.KeyFrom(key)
}

// closeReason fits an error into a close frame, which takes 123 bytes.
func closeReason(err error) string {
	text := err.Error()
	return text[:min(len(text), 120)]
}

// login reads the first message and answers it.
func (n *Node) login(ws *websocket.Conn, conn *gatherer, device protocol.DeviceKey, public netip.AddrPort) (*session, error) {
	ctx, cancel := context.WithTimeout(context.Background(), loginDeadline)
	defer cancel()
	message, err := read(ctx, ws)
	if err != nil {
		return nil, err
	}
	l := message.GetLogin()
	guids, err := checkLogin(l)
	if err != nil {
		code := "invalid"
		if errors.Is(err, errVersion) {
			code = "unsupported_version"
		}
		refusal := &wire.NodeMessage{Body: &wire.NodeMessage_Refused{Refused: &wire.Refused{Code: code, Text: err.Error()}}}
		return nil, errors.Join(err, write(ctx, ws, refusal))
	}
	edgeOnly, err := n.cfg.Ledger.Login(device, guids, time.Now(), func() bool { return n.newcomers.device(public.Addr(), time.Now()) })
	if err != nil {
		// An operator's trouble must not become the client's: it is let in, unchecked.
		n.cfg.Log.Error("chain of a device could not be checked", "guid", device.GUID(), "err", err)
	}
	s := newSession(n, ws, conn, device, public, edgeOnly)
	s.holder = directory.NewHolder(selection.End{
		Peer: s.peer, Address: public.Addr(), Network: n.cfg.Network(public.Addr()), NAT: l.Nat, Sharing: l.Sharing,
	})
	s.setLocalAddress(l.LocalAddress)
	if err := n.register(s); err != nil {
		return nil, err
	}
	n.cfg.Log.Debug("session begins", "guid", device.GUID(), "remote", public, "software", l.Software, "edge_only", edgeOnly)
	s.send(&wire.NodeMessage{Body: &wire.NodeMessage_Welcome{Welcome: &wire.Welcome{
		Epoch:             n.cfg.Epoch,
		AnnounceIntervalS: uint32(n.cfg.AnnounceInterval / time.Second),
		ReconnectWindowMs: uint32(n.reconnectWindow() / time.Millisecond),
		PublicAddress:     public.String(),
		Stun:              n.cfg.STUN,
		EdgeOnly:          edgeOnly,
	}}})
	return s, nil
}

var errVersion = fmt.Errorf("this node speaks version %d of the protocol", protocol.Version)

func checkLogin(l *wire.Login) ([]ledger.SecondaryGUID, error) {
	switch {
	case l == nil:
		return nil, errors.New("the first message must be a login")
	case l.Version != protocol.Version:
		return nil, errVersion
	case len(l.SecondaryGuids) == 0 || len(l.SecondaryGuids) > ledger.MaxChain:
		return nil, fmt.Errorf("a login has 1 to %d secondary GUIDs", ledger.MaxChain)
	case len(l.Software) > 100:
		return nil, errors.New("the software's name is longer than 100 bytes")
	}
	if err := checkSituation(l.Sharing, l.Nat, l.LocalAddress); err != nil {
		return nil, err
	}
	guids := make([]ledger.SecondaryGUID, len(l.SecondaryGuids))
	for i, g := range l.SecondaryGuids {
		if len(g) != len(guids[i]) {
			return nil, errors.New("a secondary GUID has 16 bytes")
		}
		copy(guids[i][:], g)
	}
	return guids, nil
}

// checkSituation checks what Login and Update have in common.
func checkSituation(sharing wire.Sharing, nat wire.NatKind, localAddress string) error {
	if wire.Sharing_name[int32(sharing)] == "" || wire.NatKind_name[int32(nat)] == "" {
		return errors.New("unknown kind of sharing or NAT")
	}
	if localAddress != "" {
		if _, err := netip.ParseAddrPort(localAddress); err != nil {
			return fmt.Errorf("local address: %w", err)
		}
	}
	return nil
}

// read returns the next message; a violation if it is not one.
func read(ctx context.Context, conn *websocket.Conn) (*wire.ClientMessage, error) {
	kind, data, err := conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	if kind != websocket.MessageBinary {
		return nil, violation{errors.New("a message must be binary")}
	}
	message := &wire.ClientMessage{}
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, violation{fmt.Errorf("decode message: %w", err)}
	}
	return message, nil
}

func write(ctx context.Context, conn *websocket.Conn, message *wire.NodeMessage) error {
	data, err := proto.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	return conn.Write(ctx, websocket.MessageBinary, data)
}
