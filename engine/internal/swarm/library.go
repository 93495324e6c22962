package swarm

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/anacrolix/torrent"
	pp "github.com/anacrolix/torrent/peer_protocol"
)

// startLibrary makes a client of the library with one torrent and no way to the network but our links.
func (s *Swarm) startLibrary(c Content) (err error) {
	if s.client, err = torrent.NewClient(s.libraryConfig()); err != nil {
		return fmt.Errorf("start the piece engine: %w", err)
	}
	s.client.AddListener(s.acceptor)
	opts := torrent.AddTorrentOpts{
		ChunkSize:   pp.Integer(s.layout.chunk),
		InfoBytes:   c.InfoBytes,
		PieceLayers: c.PieceLayers,
		// Under its v2 hash the library would look for missing piece hashes, piece by piece, each time
		// it writes to a peer. The v1 hash is only our links' name for the torrent: without v1 pieces in
		// the info, pieces are verified by SHA-256 all the same.
		InfoHash:                 s.alias,
		DisableInitialPieceCheck: true,
	}
	opts.InfoHashV2.Set([32]byte(c.ID))
	t, _ := s.client.AddTorrentOpt(opts)
	s.torrent = t
	select {
	case <-t.GotInfo():
		return nil
	default: // AddTorrentOpt drops the error
		return fmt.Errorf("the piece engine does not take the info")
	}
}

// stopLibrary drops the torrent, which can panic on a broken invariant: the product would rather lose
// the memory of one swarm than end.
func (s *Swarm) stopLibrary() {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("piece engine broke when a swarm was left", "panic", fmt.Sprint(r))
		}
	}()
	if s.torrent != nil {
		s.torrent.Drop()
	}
	if s.client != nil {
		s.client.Close()
	}
}

func (s *Swarm) libraryConfig() *torrent.ClientConfig {
	cfg := torrent.NewDefaultClientConfig()

	// No network of its own.
	cfg.NoDHT, cfg.DisableTrackers, cfg.DisablePEX = true, true, true
	cfg.DisableWebtorrent, cfg.DisableWebseeds = true, true
	cfg.DisableTCP, cfg.DisableUTP, cfg.DialForPeerConns = true, true, false
	cfg.NoDefaultPortForwarding, cfg.LocalServiceDiscovery = true, nil
	cfg.PeriodicallyAnnounceTorrentsToDht = false

	// The links' wire: plain, without any extension.
	cfg.HeaderObfuscationPolicy = torrent.HeaderObfuscationPolicy{Preferred: false, RequirePreferred: true}
	cfg.Extensions = torrent.PeerExtensionBits{}
	cfg.KeepAliveTimeout = 24 * time.Hour // links do it, without a timer in the library

	cfg.AlwaysWantConns = true // also while nothing is wanted: peers may want what we have
	cfg.EstablishedConnsPerTorrent = maxPeers
	cfg.DropMutuallyCompletePeers = true
	cfg.StealRequestGrace = stealGrace
	cfg.NoUpload = true           // links do it
	cfg.MaxUnverifiedBytes = 0    // what is asked for is our choice, see ask.go
	cfg.DefaultStorage = store{s} // its own would open a database in the working directory
	cfg.Slogger = slog.New(muffled{s.log.Handler()})

	cfg.Callbacks.SentRequest = append(cfg.Callbacks.SentRequest, s.onSent)
	cfg.Callbacks.DeletedRequest = append(cfg.Callbacks.DeletedRequest, s.onDeleted)
	cfg.Callbacks.ReceivedUsefulData = append(cfg.Callbacks.ReceivedUsefulData, s.onUseful)
	cfg.Callbacks.ReadMessage = s.onMessage
	cfg.Callbacks.PeerConnClosed = s.onEnd
	cfg.Callbacks.PeerConnAdded = append(cfg.Callbacks.PeerConnAdded, func(c *torrent.PeerConn) {
		c.PeerMaxRequests = s.window(linkOf(&c.Peer))
	})
	return cfg
}

// stealGrace is how old a request must be before the library lets another peer take it over. Without it
// requests move while their answers are on the way: a block takes most of a second where a peer's line serves many. A
// peer that stalls loses its requests sooner and by another way, see pulse.
const stealGrace = 3 * time.Second

func linkOf(p *torrent.Peer) *link { return p.RemoteAddr.(*address).link }

// The callbacks below run under the library's lock.

func (s *Swarm) onSent(e torrent.PeerRequestEvent) {
	s.mu.Lock()
	s.progress(int(e.Index)).outstanding++
	s.mu.Unlock()
	if linkOf(e.Peer).asked(time.Now()) {
		s.signal() // a new batch: the next one must be prepared
	}
}

func (s *Swarm) onDeleted(e torrent.PeerRequestEvent) {
	s.mu.Lock()
	s.progress(int(e.Index)).outstanding--
	s.tidy(int(e.Index))
	s.mu.Unlock()
	linkOf(e.Peer).answered()
}

func (s *Swarm) onUseful(e torrent.ReceivedUsefulDataEvent) {
	l := linkOf(e.Peer)
	s.mu.Lock()
	s.progress(int(e.Message.Index)).credit(int(e.Message.Begin)/int(s.layout.chunk), l, len(e.Message.Piece))
	l.useful += int64(len(e.Message.Piece))
	l.unjudged = 0
	s.mu.Unlock()
	if c, ok := e.Peer.TryAsPeerConn(); ok {
		c.PeerMaxRequests = s.window(l)
	}
}

func (s *Swarm) window(l *link) int { return l.window(time.Now(), time.Duration(s.horizon.Load())) }

// muffled passes the library's warnings and errors on as debugging notes: it warns of what peers do,
// which is nobody's concern, and what concerns the user reaches the Observer.
type muffled struct{ slog.Handler }

func (m muffled) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && m.Handler.Enabled(ctx, slog.LevelDebug)
}

func (m muffled) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return m.Handler.Handle(ctx, r)
}

func (m muffled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return muffled{m.Handler.WithAttrs(attrs)}
}
func (m muffled) WithGroup(name string) slog.Handler { return muffled{m.Handler.WithGroup(name)} }
