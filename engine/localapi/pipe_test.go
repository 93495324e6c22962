package localapi_test

import (
	"context"
	"net"
	"testing"

	"github.com/tributary-dl/tributary/engine/localapi"
)

// pipeListener hands out net.Pipe connections, which a bubble's clock understands.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

// serve runs server until the test ends.
func serve(t *testing.T, server *localapi.Server) *pipeListener {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve() = %v; want nil after its context ended", err)
		}
	})
	return l
}

func (l *pipeListener) dial() net.Conn {
	ours, theirs := net.Pipe()
	l.conns <- theirs
	return ours
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
