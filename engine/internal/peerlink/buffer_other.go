//go:build !linux

package peerlink

import "net"

// receiveBuffer is not known: only Linux has so small a limit that it matters, and a setting against it.
func receiveBuffer(*net.UDPConn) int { return 0 }
