// Package e2e tests the whole product: the real programs, started as users start them, on the loopback
// interface or behind real NATs in a network laboratory. The tests use only what a user or an
// administrator has: flags, the local socket, files, the network, and a hostile peer's side of it (engine/peertest). What they promise is in their names.
//
// By default the programs are built first; `go test ./app/e2e -bin bin` takes built ones.
package e2e
