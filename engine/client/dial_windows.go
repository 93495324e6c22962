package client

import (
	"context"
	"net"

	"github.com/Microsoft/go-winio"
)

// dialSocket opens the pipe without letting its server act as us: go-winio asks for the anonymous
// level of impersonation.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	return winio.DialPipeContext(ctx, path)
}
