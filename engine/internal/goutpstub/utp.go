// Package utp stands in for github.com/anacrolix/go-utp, whose module archive cannot be fetched.
// It has just the symbols that the piece engine names, and every constructor fails: our peers speak
// QUIC and the engine is configured without uTP. It must never grow an implementation.
package utp

import (
	"context"
	"errors"
	"log/slog"
	"net"
)

// Default names the implementation in the piece engine's error texts.
const Default = "none (uTP is not built in)"

var errNoUTP = errors.New("uTP is not built in")

// FirewallCallback reports whether a connection from addr is to be refused.
type FirewallCallback func(addr net.Addr) bool

// Option configures a socket; there are none to configure.
type Option func()

// Socket is what the piece engine expects of a uTP socket.
type Socket interface {
	net.PacketConn
	Accept() (net.Conn, error)
	Addr() net.Addr
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	SetFirewallCallback(FirewallCallback)
}

// WithLogger is accepted and ignored.
func WithLogger(*slog.Logger) Option { return func() {} }

// NewSocket always fails.
func NewSocket(network, addr string, opts ...Option) (Socket, error) { return nil, errNoUTP }

// NewSocketFromPacketConn always fails.
func NewSocketFromPacketConn(pc net.PacketConn, opts ...Option) (Socket, error) {
	return nil, errNoUTP
}
