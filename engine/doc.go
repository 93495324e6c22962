// Package engine is the façade of the background service: it owns the set of downloads, opens and
// closes everything below it, and is the only thing that app/daemon and engine/localapi see. It must
// never know how a byte travels; that is the business of the packages under internal.
//
// # Glossary
//
// One word, one meaning, in code, comments and texts:
//
//   - object: immutable content, named by its content ID (BitTorrent v2 infohash)
//   - download: the user's wish to have an object, or whatever a URL names, at a path
//   - manifest: size, piece length, hashes and the publisher's signed terms of an object
//   - piece: the unit that has a hash; of a plain download, the unit that is written and marked
//   - block: 16 KiB, the leaf of the hash tree; peers request 64 KiB chunks of four
//   - range: bytes asked of an edge in one request
//   - source: an edge or a peer
//   - edge: an HTTP server that holds the object
//   - peer: another installation
//   - swarm: the peers of one object
//   - GUID: the installation's lasting name
//   - grant: an edge's signed word that this device may look for peers of an object
//   - connection node, directory: the parts of the control plane that hold sessions, and who holds what
//   - introduction: a connection node's order to two peers to connect about an object
//   - verified: the hash has passed; durable: also on disk, so that a power cut cannot take it
//   - offload: verified bytes from peers ÷ all verified bytes
//   - holdout: a download that uses no peers, to measure what the edge alone gives
package engine
