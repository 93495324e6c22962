package client

import (
	"context"
	"net"

	"github.com/tributary-dl/tributary/engine/pipe"
)

// dialSocket opens the pipe so that its server may know who we are. Only where the call hands a file over may it act as
// us: it opens that file.
func dialSocket(ctx context.Context, path string, handing bool) (net.Conn, error) {
	if handing {
		return pipe.Dial(ctx, path, pipe.Act)
	}
	return pipe.Dial(ctx, path, pipe.Identify)
}
