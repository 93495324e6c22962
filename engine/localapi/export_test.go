package localapi

import "net"

// Identify replaces the question to the kernel, for connections that no kernel knows.
func (s *Server) Identify(name string, allowed bool) {
	s.identify = func(net.Conn) (caller, error) { return caller{name: name, allowed: allowed}, nil }
}
