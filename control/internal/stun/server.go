// Package stun answers the question "where do my packets seem to come from?" on two ports of one
// address. Asking both from one socket shows whether a NAT maps by destination (RFC 5780 section 4.3),
// which is what pairing peers depends on. An answer from a third port, which nobody asks, shows whether it lets in what
// comes from a port that was not talked to (section 4.4). It must never answer anything but a well-formed Binding
// request, nor send more than a few bytes for it: sources of UDP packets are easily forged.
package stun

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Server listens until it is closed.
type Server struct {
	sockets [2]*net.UDPConn
	third   *net.UDPConn // answers what asks for another port; reads nothing
	limiter *limiter
	began   time.Time
	log     *slog.Logger
	work    sync.WaitGroup
}

// Listen starts a server on address and on the port after it; with port 0, on two that are free.
func Listen(address string, log *slog.Logger) (*Server, error) {
	first, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("STUN address: %w", err)
	}
	second := *first
	if first.Port != 0 {
		second.Port++
	}
	s := &Server{limiter: newLimiter(), began: time.Now(), log: log}
	for i, a := range []*net.UDPAddr{first, &second} {
		if s.sockets[i], err = net.ListenUDP("udp", a); err != nil {
			return nil, errors.Join(fmt.Errorf("listen for STUN: %w", err), s.Close())
		}
	}
	if s.third, err = net.ListenUDP("udp", &net.UDPAddr{IP: first.IP, Zone: first.Zone}); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for STUN: %w", err), s.Close())
	}
	for _, socket := range s.sockets {
		s.work.Go(func() { s.serve(socket) })
	}
	return s, nil
}

// Ports returns the two ports.
func (s *Server) Ports() (first, second uint16) {
	port := func(c *net.UDPConn) uint16 { return c.LocalAddr().(*net.UDPAddr).AddrPort().Port() }
	return port(s.sockets[0]), port(s.sockets[1])
}

// Close stops listening and waits for the answers under way.
func (s *Server) Close() error {
	var err error
	for _, socket := range []*net.UDPConn{s.sockets[0], s.sockets[1], s.third} {
		if socket != nil {
			err = errors.Join(err, socket.Close())
		}
	}
	s.work.Wait()
	return err
}

func (s *Server) serve(socket *net.UDPConn) {
	datagram := make([]byte, maxRequest+1) // one more: a longer one is cut and refused
	response := make([]byte, 0, 128)
	for {
		n, from, err := socket.ReadFromUDPAddrPort(datagram)
		arrived := time.Now()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // on Windows, that an earlier answer found its port closed
			s.log.Debug("STUN read", "err", err)
			continue
		}
		s.reply(socket, response, datagram[:n], from, arrived)
	}
}

func (s *Server) reply(socket *net.UDPConn, buffer, datagram []byte, from netip.AddrPort, arrived time.Time) {
	out, otherPort, ok := answer(buffer, datagram, from, arrived.Sub(s.began))
	if !ok || !s.limiter.allow(from.Addr(), arrived) {
		return
	}
	if otherPort {
		socket = s.third
	}
	if _, err := socket.WriteToUDPAddrPort(out, from); err != nil {
		s.log.Debug("STUN answer", "to", from, "err", err)
	}
}
