package localapi

import (
	"context"
	"net"
	"os"
	"sync"
)

// caller is what is known about the other end of a connection before it has said a word.
type caller struct {
	name    string // for the refusal and the log: "uid 1000"
	id      string // uid or SID
	allowed bool
	// owner is whose downloads the caller sees and steers, a uid or SID; "": all, and everything else too.
	owner string
}

// peer is what the system says of the process at the other end.
type peer struct {
	name          string // "uid 1000"
	id            string // uid or SID
	self          bool   // the user who runs the service
	master        bool   // could take the socket anyway: root, an administrator of Windows
	administrator bool   // of a service for every user
	unknown       bool   // stands for several users, whom the system cannot tell apart
}

// ofOneUser admits the user who runs the service, and whoever could take the socket anyway.
func ofOneUser(p peer) caller { return caller{name: p.name, id: p.id, allowed: p.self || p.master} }

// ofTheMachine admits everybody whom the system can name. Who is no administrator is kept to their own downloads.
func ofTheMachine(p peer) caller {
	c := caller{name: p.name, id: p.id, allowed: !p.unknown && p.id != ""}
	if !p.administrator {
		c.owner = p.id
	}
	return c
}

// gate is a listener that holds at most cap(slots) connections, and of one user half of them, and asks once for each
// who called, while the kernel still knows.
type gate struct {
	net.Listener
	slots    chan struct{}
	identify func(net.Conn) (caller, error)

	mu   sync.Mutex
	held map[string]int // connections by caller's name
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
	if !g.enter(who) {
		who = caller{name: who.name + " with so many connections at once"}
	}
	leave := sync.OnceFunc(func() { g.leave(who); <-g.slots })
	return &identified{fileConn: receiving(c), who: who, leave: leave}, nil
}

// enter counts a connection. A user who has too many of them is refused, so that others find a slot.
func (g *gate) enter(who caller) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if who.owner != "" && g.held[who.name] >= cap(g.slots)/2 {
		return false
	}
	g.held[who.name]++
	return true
}

func (g *gate) leave(who caller) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held[who.name]--; g.held[who.name] <= 0 {
		delete(g.held, who.name)
	}
}

// fileConn is a connection through which open files come beside the bytes.
type fileConn interface {
	net.Conn
	// takeFile returns the file that came with the request that has just been read, which belongs to the caller from
	// then on; nil if none came. Where files do not travel it opens dir/name with the rights of who called,
	// only to read if it is finished.
	takeFile(dir, name string, finished bool) (*os.File, error)
}

// identified is a connection whose caller is known.
type identified struct {
	fileConn
	who   caller
	leave func() // frees the slot
}

func (c *identified) Close() error {
	defer c.leave()
	return c.fileConn.Close()
}

type callerKey struct{}

func withCaller(ctx context.Context, c net.Conn) context.Context {
	who := caller{name: "a caller that did not come through the socket"}
	if c, ok := c.(*identified); ok {
		who = c.who
		ctx = context.WithValue(ctx, filesKey{}, fileConn(c))
	}
	return context.WithValue(ctx, callerKey{}, who)
}

type filesKey struct{}

// fileOf returns the file that came with a request, see fileConn.
func fileOf(ctx context.Context, dir, name string, finished bool) (*os.File, error) {
	if c, ok := ctx.Value(filesKey{}).(fileConn); ok {
		return c.takeFile(dir, name, finished)
	}
	return nil, nil
}

func callerOf(ctx context.Context) caller {
	who, _ := ctx.Value(callerKey{}).(caller)
	return who
}
