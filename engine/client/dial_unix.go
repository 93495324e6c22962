//go:build unix

package client

import (
	"context"
	"net"
)

// dialSocket connects to the socket. A file that the call hands over goes through it, see carrying.
func dialSocket(ctx context.Context, path string, _ bool) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}
