package peerlink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"

	"github.com/tributary-dl/tributary/control/protocol"
)

// Config says how an Endpoint listens. Listen and Device are required.
type Config struct {
	// Listen is the UDP address "host:port" of the one socket. An empty host means all addresses of both
	// families, port 0 any free port.
	Listen string
	// Device is the key of this installation. Peers see it in a certificate that Listen makes from it.
	Device ed25519.PrivateKey
	Log    *slog.Logger // nil: discard
	// AllowLoopback admits loopback addresses, for tests and demonstrations on one machine. Without it a
	// peer could aim our checks at services of this machine.
	AllowLoopback bool
	// MaxAttempts is how many paths are searched at once; 0 means 4.
	MaxAttempts int
	// MaxAttemptsPerMinute is how many may begin in any minute; 0 means 30.
	MaxAttemptsPerMinute int
}

const (
	defaultAttempts          = 4
	defaultAttemptsPerMinute = 30

	// All STUN of this device together, so that no set of introductions can turn it into a flood.
	stunPacketsPerSecond = 200
	stunBurst            = 100

	// Handshakes from addresses that have not been validated, before QUIC answers with a Retry. Strangers
	// cannot complete one, but each would cost a signature.
	handshakesPerSecond = 20
	handshakeBurst      = 50
)

// Endpoint is the UDP socket that all links of this device share. Its methods may be called
// concurrently.
type Endpoint struct {
	log       *slog.Logger
	loopback  bool
	addresses func() addresses // asked at each use, because networks change
	port      uint16
	buffer    int // see receiveBuffer

	udp       net.PacketConn
	transport *quic.Transport
	listener  *quic.Listener
	identity  identity
	stun      *stunMux
	public    reflexive
	signals   *mailbox
	attempts  *attempts
	uplink    *uplink

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup // the endpoint's goroutines, attempts under way and lingering links

	mu       sync.Mutex // guards what follows
	closed   bool
	links    map[*Link]struct{}
	expected map[expectation]chan arrival
}

// Listen opens the socket. The caller owns the Endpoint and must Close it.
func Listen(cfg Config) (*Endpoint, error) {
	at, err := net.ResolveUDPAddr("udp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for peers: %w", err)
	}
	udp, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, fmt.Errorf("listen for peers: %w", err)
	}
	bound := udp.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	quietBuffers()
	e, err := newEndpoint(cfg, udp, func() addresses { return localAddresses(bound, cfg.AllowLoopback) })
	if err != nil {
		return nil, errors.Join(err, udp.Close())
	}
	if e.buffer = receiveBuffer(udp); e.SmallBuffer() {
		e.log.Info("the buffer for packets from peers is small; fast links may lose packets", "bytes", e.buffer, "wanted", wantedBuffer, "remedy", BufferRemedy)
	}
	return e, nil
}

// newEndpoint builds an Endpoint on any packet socket; tests give it one of a virtual network. It owns
// udp once it has returned without an error.
func newEndpoint(cfg Config, udp net.PacketConn, local func() addresses) (*Endpoint, error) {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	id, err := newIdentity(cfg.Device)
	if err != nil {
		return nil, err
	}
	e := &Endpoint{
		log:       log,
		loopback:  cfg.AllowLoopback,
		addresses: local,
		port:      uint16(udp.LocalAddr().(*net.UDPAddr).Port),
		udp:       udp,
		identity:  id,
		signals:   newMailbox(),
		attempts:  newAttempts(orDefault(cfg.MaxAttempts, defaultAttempts), orDefault(cfg.MaxAttemptsPerMinute, defaultAttemptsPerMinute)),
		uplink:    newUplink(time.Now()),
		links:     map[*Link]struct{}{},
		expected:  map[expectation]chan arrival{},
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	handshakes := rate.NewLimiter(handshakesPerSecond, handshakeBurst)
	e.transport = &quic.Transport{
		Conn:                udp, // directly, not wrapped: segmentation offload is worth three times the CPU
		ConnContext:         e.expectAny,
		VerifySourceAddress: func(net.Addr) bool { return !handshakes.Allow() },
	}
	e.stun = newSTUNMux(e.transport.WriteTo, rate.NewLimiter(stunPacketsPerSecond, stunBurst))
	e.uplink.sounding.send = e.sound
	if e.listener, err = e.transport.Listen(e.acceptTLS(), quicConfig()); err != nil {
		e.cancel()
		return nil, fmt.Errorf("listen for peers: %w", errors.Join(err, e.transport.Close()))
	}
	e.keepNonQUIC()
	e.running.Go(e.readSTUN)
	e.running.Go(e.acceptLinks)
	return e, nil
}

func orDefault(n, fallback int) int {
	if n <= 0 {
		return fallback
	}
	return n
}

// DeviceKey is the key that peers must be introduced to.
func (e *Endpoint) DeviceKey() protocol.DeviceKey { return e.identity.key }

// LocalAddress is the host:port at which other hosts of the same LAN reach the socket, or "" if this
// machine has no network.
func (e *Endpoint) LocalAddress() string {
	routes := e.addresses().routes
	if len(routes) == 0 {
		return ""
	}
	return netip.AddrPortFrom(routes[0], e.port).String()
}

// UplinkQueue is how long what this device sends to peers, and with it everything else, waits in front of its line to the Internet; 0 while it
// sends nothing.
func (e *Endpoint) UplinkQueue() time.Duration { return e.uplink.queue(time.Now()) }

// keepNonQUIC makes the transport keep packets that are not QUIC from now on. quic-go discards them
// until the first call of ReadNonQUICPacket, which would lose answers to STUN requests sent before the
// reader has been scheduled.
func (e *Endpoint) keepNonQUIC() {
	ended, cancel := context.WithCancel(e.ctx)
	cancel()
	_, _, _ = e.transport.ReadNonQUICPacket(ended, make([]byte, 1)) // returns at once; only the side effect counts
}

// readSTUN hands packets that are not QUIC to the STUN mux until the transport closes.
func (e *Endpoint) readSTUN() {
	buf := make([]byte, maxSTUN+1) // one more than allowed, so that a longer packet is seen to be too long
	for {
		n, from, err := e.transport.ReadNonQUICPacket(e.ctx, buf)
		if err != nil {
			return
		}
		e.stun.receive(buf[:n], from)
	}
}

// begin counts the caller as running, so that Close waits for it; the caller calls running.Done.
func (e *Endpoint) begin() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return net.ErrClosed
	}
	e.running.Add(1)
	return nil
}

// Close ends all attempts and links, closes the socket and returns when no goroutine is left.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	links := make([]*Link, 0, len(e.links))
	for l := range e.links {
		links = append(links, l)
	}
	e.mu.Unlock()
	e.cancel()
	for _, l := range links {
		l.abort(codeGoingAway)
	}
	err := errors.Join(e.listener.Close(), e.transport.Close(), e.udp.Close())
	e.running.Wait()
	return err
}

// quicConfig is the same at both ends. One stream is all that a link needs. Keep-alives stay below the
// 30 s after which common NATs forget a mapping.
func quicConfig() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:           attemptTime,
		KeepAlivePeriod:                15 * time.Second,
		MaxIdleTimeout:                 45 * time.Second,
		MaxIncomingStreams:             1,
		MaxIncomingUniStreams:          1, // see Link.Show
		InitialStreamReceiveWindow:     1 << 20,
		MaxStreamReceiveWindow:         16 << 20,
		InitialConnectionReceiveWindow: 2 << 20,
		MaxConnectionReceiveWindow:     32 << 20,
	}
}
