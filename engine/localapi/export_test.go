package localapi

import (
	"context"
	"net"
	"net/http"
	"strconv"
)

// Identify replaces the question to the kernel, for connections that no kernel knows.
func (s *Server) Identify(name string, allowed bool) {
	s.identify = func(net.Conn) (caller, error) { return caller{name: name, allowed: allowed}, nil }
}

// Peer is what a test lets the kernel say of who called.
type Peer struct {
	UID                   uint32
	Administrator, Nobody bool
}

// IdentifyPeer answers for the kernel with a user of the machine.
func (s *Server) IdentifyPeer(p Peer) {
	id := strconv.FormatUint(uint64(p.UID), 10)
	s.identify = func(net.Conn) (caller, error) {
		return ofTheMachine(peer{name: "uid " + id, id: id, administrator: p.Administrator, unknown: p.Nobody}), nil
	}
}

// Table lists each route as "GET /v1/downloads".
func (s *Server) Table() (routes []string) {
	for path, methods := range s.table() {
		for method := range methods {
			routes = append(routes, method+" "+path)
		}
	}
	return routes
}

// Answer answers a request as if the same user had sent it through the socket.
func (s *Server) Answer(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithValue(r.Context(), callerKey{}, caller{name: "the same user", allowed: true})
	s.handler.ServeHTTP(w, r.WithContext(ctx))
}
