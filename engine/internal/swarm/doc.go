// Package swarm exchanges the pieces of objects with peers, over connections that others have opened and
// authorised. It is the only importer of anacrolix/torrent, and the seam behind which that library could
// be replaced: nothing of it shows in the API. It must never open a socket, see a path, or decide which
// source fetches a piece.
//
// The library does what it is good at: it keeps requests in flight, hashes pieces and finds out who
// sent a bad block. All else is here, because every trap of the library lies there:
//
//		connection ─► link (handshake, frames, uploads) ─► library (requests, hashes) ─► Pieces
//		                │ both directions: whitelist            │ callbacks, under its lock: mark and signal
//		                ▼                                       ▼
//		              queue of requests ─► serve()            pump ─► Observer
//
//	  - A link speaks the peer wire protocol (BEP 3) to the peer. The library sees a harmless subset of it:
//	    have, bitfield, piece, choke and unchoke come in; interested, have, bitfield, request and cancel go
//	    out. Links tell each other their claims besides, see claims.go. No extension of the library's is
//	    offered, so that no bencoding, hash or fast message of a stranger is ever parsed.
//	  - Uploads never enter the library. A link answers requests itself, which makes refusing to share a
//	    single decision at the socket, keeps a slow upload from delaying our own requests, and wakes at once
//	    when a limit is raised.
//	  - Every swarm has a client of its own: their locks are apart, and no swarm means no timer.
//
// Goroutines: one pump a swarm, which alone calls the Observer; two a link, one that shakes hands and then
// uploads, one that keeps it alive. The library has its own. Leave waits for all of ours.
package swarm
