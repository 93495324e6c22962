// Package peerlink turns an introduction by the control plane into a Link: an encrypted stream to
// another installation whose device key is the introduced one. One UDP socket serves all links: ICE
// (package pion/ice, imported by ice.go alone) finds the path through NATs, QUIC then carries the stream.
//
// What comes from outside (candidates, STUN messages, hellos, connections of strangers) is judged here
// before a library sees it, and what one introduction can make this device send is bounded. The package
// must never decide who may be met or what may be uploaded, and never know pieces, downloads or the
// session; a Signaller carries its messages to the other end.
//
//	Detect ──► stunMux.ask ─┐                    ┌─► agentSocket ─► ice agent of one attempt
//	Connect ─► ice agent ───┼─► token bucket ─► socket ─► parseSTUN ─► stunMux
//	        └► QUIC dial / expected arrival ─────┘ (quic.Transport owns it)
package peerlink
