package localapi

import (
	"context"
	"net"
	"sync"
)

// caller is what is known about the other end of a connection before it has said a word.
type caller struct {
	name    string // for the refusal and the log: "uid 1000"
	allowed bool
}

// gate is a listener that holds at most cap(slots) connections and asks once for each who called, while
// the kernel still knows.
type gate struct {
	net.Listener
	slots    chan struct{}
	identify func(net.Conn) (caller, error)
}

// Accept waits for a free slot first, so that callers beyond the limit queue in the kernel.
func (g *gate) Accept() (net.Conn, error) {
	g.slots <- struct{}{}
	c, err := g.Listener.Accept()
	if err != nil {
		<-g.slots
		return nil, err
	}
	who, err := g.identify(c)
	if err != nil {
		who = caller{name: "a caller that the system does not name"} // fail closed
	}
	return &identified{Conn: c, who: who, leave: sync.OnceFunc(func() { <-g.slots })}, nil
}

// identified is a connection whose caller is known.
type identified struct {
	net.Conn
	who   caller
	leave func() // frees the slot
}

func (c *identified) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

type callerKey struct{}

func withCaller(ctx context.Context, c net.Conn) context.Context {
	who := caller{name: "a caller that did not come through the socket"}
	if c, ok := c.(*identified); ok {
		who = c.who
	}
	return context.WithValue(ctx, callerKey{}, who)
}

func callerOf(ctx context.Context) caller {
	who, _ := ctx.Value(callerKey{}).(caller)
	return who
}
