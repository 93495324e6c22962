package client

import (
	"context"
	"net"

	"github.com/tributary-dl/tributary/engine/pipe"
)

// dialSocket opens the pipe so that its server may know who we are, but not act as us.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	return pipe.Dial(ctx, path, pipe.Identify)
}
