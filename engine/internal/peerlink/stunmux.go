package peerlink

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// stunMux shares the socket's STUN among our own queries and the ICE agents of the attempts under way.
// A request reaches the agent whose ufrag it names; a response reaches whoever sent the request, and no
// one if nobody did. (pion's own mux routes by source address, so that two introductions to one device
// take each other's packets, and its queues have no limit.)
type stunMux struct {
	write  func([]byte, net.Addr) (int, error)
	bucket *rate.Limiter // for all STUN that leaves; what exceeds it is dropped, as a network would

	mu      sync.Mutex // guards what follows, and the fields of agentSocket that say so
	queries map[transaction]query
	agents  map[string]*agentSocket    // by local ufrag
	sounded [soundingsOpen]transaction // the last requests of sound
	sounds  int                        // of them so far
}

type query struct {
	server netip.AddrPort
	other  bool                // the answer comes from another port of the server
	answer chan netip.AddrPort // has room for one
	heard  func(stamp)         // in place of answer; called with mux.mu held
}

func newSTUNMux(write func([]byte, net.Addr) (int, error), bucket *rate.Limiter) *stunMux {
	return &stunMux{write: write, bucket: bucket, queries: map[transaction]query{}, agents: map[string]*agentSocket{}}
}

// receive routes one packet, which it does not keep.
func (m *stunMux) receive(packet []byte, from net.Addr) {
	udp, ok := from.(*net.UDPAddr)
	if !ok {
		return
	}
	message, err := parseSTUN(packet)
	if err != nil {
		return
	}
	source := unmapped(udp.AddrPort())
	m.mu.Lock()
	defer m.mu.Unlock()
	if !message.response {
		if s := m.agents[message.localFragment()]; s != nil && s.remotes.admit(source) == nil {
			s.deliver(packet, source)
		}
		return
	}
	if q, ok := m.queries[message.id]; ok {
		if q.expects(source) && message.mapped.IsValid() {
			if q.heard != nil {
				delete(m.queries, message.id)
				q.heard(message.reached)
				return
			}
			select {
			case q.answer <- message.mapped:
			default: // the answer to a retransmission
			}
		}
		return
	}
	for _, s := range m.agents {
		if _, sent := s.sent[message.id]; sent {
			s.deliver(packet, source)
			return
		}
	}
}

// send sends STUN unless the bucket is empty; then the packet counts as lost on the way.
func (m *stunMux) send(packet []byte, to net.Addr) (int, error) {
	if !m.bucket.Allow() {
		return len(packet), nil
	}
	return m.write(packet, to)
}

// Retransmission of a query: 100, 200, 400 and then 800 ms apart. One request alone failed 12 of 40
// times at 5% loss.
const (
	queryTries   = 7
	firstTimeout = 100 * time.Millisecond
	lastTimeout  = 800 * time.Millisecond
)

var errNoAnswer = errors.New("the STUN server does not answer")

// expects reports whether the answer may come from there.
func (q query) expects(source netip.AddrPort) bool {
	return source.Addr() == q.server.Addr() && (source.Port() != q.server.Port()) == q.other
}

// ask returns the address from which server sees this socket. It gives up after about four seconds.
func (m *stunMux) ask(ctx context.Context, server netip.AddrPort) (netip.AddrPort, error) {
	packet, id := newBindingRequest()
	return m.exchange(ctx, packet, id, query{server: server}, queryTries)
}

// hearsOtherPort reports whether an answer arrives from a port of the server that this socket has not talked to. Most
// NATs let none in, so it waits for less than a second: who is wrongly taken for stricter loses little.
func (m *stunMux) hearsOtherPort(ctx context.Context, server netip.AddrPort) bool {
	packet, id := newOtherPortRequest()
	_, err := m.exchange(ctx, packet, id, query{server: server, other: true}, 3)
	return err == nil
}

// sound sends one request and has heard called when its answer comes. Of those before, the last are still waited for.
func (m *stunMux) sound(server netip.AddrPort, heard func(stamp)) {
	packet, id := newSoundingRequest()
	m.mu.Lock()
	k := m.sounds % len(m.sounded)
	delete(m.queries, m.sounded[k])
	m.queries[id], m.sounded[k] = query{server: server, heard: heard}, id
	m.sounds++
	m.mu.Unlock()
	_, _ = m.send(packet, net.UDPAddrFromAddrPort(server)) // what does not leave is not answered
}

// exchange sends a request until its answer comes.
func (m *stunMux) exchange(ctx context.Context, packet []byte, id transaction, q query, tries int) (netip.AddrPort, error) {
	q.answer = make(chan netip.AddrPort, 1)
	m.mu.Lock()
	m.queries[id] = q
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.queries, id)
		m.mu.Unlock()
	}()
	to := net.UDPAddrFromAddrPort(q.server)
	timeout := firstTimeout
	for range tries {
		if _, err := m.send(packet, to); err != nil {
			return netip.AddrPort{}, err
		}
		timer := time.NewTimer(timeout)
		select {
		case mapped := <-q.answer:
			timer.Stop()
			return mapped, nil
		case <-ctx.Done():
			timer.Stop()
			return netip.AddrPort{}, ctx.Err()
		case <-timer.C:
			timeout = min(2*timeout, lastTimeout)
		}
	}
	return netip.AddrPort{}, errNoAnswer
}

// agentSocket is the shared socket as one ICE agent sees it. It implements ice.UDPMux.
type agentSocket struct {
	mux     *stunMux
	listen  []net.Addr // one per family: the host addresses of the agent's candidates
	remotes *remotes

	// Guarded by mux.mu.
	sent  map[transaction]struct{} // requests of this agent; bounded by the bucket and the attempt's time
	conns [2]*agentConn            // IPv4, IPv6
}

func (m *stunMux) newAgentSocket(local []netip.AddrPort, r *remotes) *agentSocket {
	s := &agentSocket{mux: m, remotes: r, sent: map[transaction]struct{}{}}
	for _, a := range local {
		s.listen = append(s.listen, net.UDPAddrFromAddrPort(a))
	}
	return s
}

// GetListenAddresses returns one address per family. pion would list every address of the machine.
func (s *agentSocket) GetListenAddresses() []net.Addr { return s.listen }

// GetConn returns the agent's view of one address family.
func (s *agentSocket) GetConn(ufrag string, local net.Addr) (net.PacketConn, error) {
	udp, ok := local.(*net.UDPAddr)
	if !ok {
		return nil, net.InvalidAddrError("not a UDP address")
	}
	c := &agentConn{socket: s, local: local, in: make(chan datagram, 64), closed: make(chan struct{})}
	s.mux.mu.Lock()
	defer s.mux.mu.Unlock()
	s.mux.agents[ufrag] = s
	s.conns[family(udp.AddrPort().Addr().Unmap())] = c
	return c, nil
}

// RemoveConnByUfrag stops routing to the agent.
func (s *agentSocket) RemoveConnByUfrag(ufrag string) {
	s.mux.mu.Lock()
	defer s.mux.mu.Unlock()
	delete(s.mux.agents, ufrag)
}

// Close does nothing; the socket belongs to the Endpoint.
func (s *agentSocket) Close() error { return nil }

// deliver queues a copy of the packet, or drops it when the agent does not keep up. mux.mu is held.
func (s *agentSocket) deliver(packet []byte, from netip.AddrPort) {
	c := s.conns[family(from.Addr())]
	if c == nil {
		return
	}
	select {
	case c.in <- datagram{data: append([]byte(nil), packet...), from: net.UDPAddrFromAddrPort(from)}:
	default:
	}
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

type datagram struct {
	data []byte
	from *net.UDPAddr
}

// agentConn is the net.PacketConn of an agent's candidate. Deadlines do nothing: pion sets one only
// right before Close.
type agentConn struct {
	socket *agentSocket
	local  net.Addr
	in     chan datagram
	closed chan struct{}
	once   sync.Once
}

func (c *agentConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-c.in:
		return copy(b, d.data), d.from, nil
	case <-c.closed:
		return 0, nil, io.EOF
	}
}

func (c *agentConn) WriteTo(b []byte, to net.Addr) (int, error) {
	message, err := parseSTUN(b)
	if err != nil {
		return 0, err // an ICE agent has nothing else to say; role conflicts do not happen, the node sets roles
	}
	if !message.response {
		m := c.socket.mux
		m.mu.Lock()
		c.socket.sent[message.id] = struct{}{}
		m.mu.Unlock()
	}
	return c.socket.mux.send(b, to)
}

func (c *agentConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *agentConn) LocalAddr() net.Addr              { return c.local }
func (c *agentConn) SetDeadline(time.Time) error      { return nil }
func (c *agentConn) SetReadDeadline(time.Time) error  { return nil }
func (c *agentConn) SetWriteDeadline(time.Time) error { return nil }

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
