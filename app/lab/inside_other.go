//go:build !linux

package lab

import (
	"net"
	"os"
)

// Listen needs network namespaces.
func (h *Host) Listen(int) (net.Listener, error) { return nil, Supported() }

// ListenPacket needs network namespaces.
func (h *Host) ListenPacket(int) (net.PacketConn, error) { return nil, Supported() }

// Dial needs network namespaces.
func (h *Host) Dial(string) (net.Conn, error) { return nil, Supported() }

// SetTCP needs Linux.
func SetTCP(net.Conn, string) error { return Supported() }

func openMeter(string) (*os.File, error) { return nil, Supported() }
