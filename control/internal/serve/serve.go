// Package serve composes a control plane from its parts: the connection node with its directory, the edge
// on the same TLS port, the STUN server, and the ledger. It must hold no logic of theirs.
package serve

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tributary-dl/tributary/control/internal/ca"
	"github.com/tributary-dl/tributary/control/internal/directory"
	"github.com/tributary-dl/tributary/control/internal/edge"
	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/internal/node"
	"github.com/tributary-dl/tributary/control/internal/publish"
	"github.com/tributary-dl/tributary/control/internal/stun"
	"github.com/tributary-dl/tributary/control/protocol"
)

// Config says what to serve and where.
type Config struct {
	Data      string // directory of all state and content
	Listen    string // ADDR:PORT of the TLS port
	Advertise string // HOST[:PORT] by which clients reach it; empty: as Listen says
	STUN      string // ADDR:PORT; empty: the UDP port beside the TLS port
	EdgeRate  int64  // bytes a second over all downloads; 0: no cap
	CertFile  string // PEM; empty: a development CA in Data signs one
	KeyFile   string
	Geo       []string // databases of networks
	Log       *slog.Logger
}

// Ready is what the program prints when it serves.
type Ready struct {
	Control string `json:"control"` // base URL
	Edge    string `json:"edge"`    // base URL
	STUN    string `json:"stun"`    // host:port
}

const (
	grace             = 5 * time.Second // for requests under way, at the end
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	writeTimeout      = 2 * time.Minute // of answers that set no time of their own, as those of the edge do for each step
	maxHeader         = 16 << 10        // bytes
)

// Run serves until ctx ends, then lets requests under way finish for a few seconds. It calls ready once,
// when clients may come.
func Run(ctx context.Context, cfg Config, ready func(Ready) error) (err error) {
	var closers []func() error // in order of making; closed in the opposite one
	defer func() {
		for _, close := range slices.Backward(closers) {
			err = errors.Join(err, close())
		}
	}()
	keep := func(close func() error) { closers = append(closers, close) }

	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	keys, err := publish.OpenKeys(cfg.Data)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	accounts, err := ledger.Open(filepath.Join(cfg.Data, ledger.FileName))
	if err != nil {
		return err
	}
	keep(accounts.Close)
	copies, err := serveSnapshots(cfg.Data, accounts, cfg.Log)
	if err != nil {
		return err
	}
	keep(copies.Close)
	geo, err := openNetworks(cfg.Geo)
	if err != nil {
		return err
	}
	keep(geo.Close)

	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return err
	}
	keep(func() error { return ignoreClosed(listener.Close()) })
	at, err := reached(cfg.Advertise, listener.Addr())
	if err != nil {
		return err
	}
	certificates, err := serverTLS(cfg, at.host)
	if err != nil {
		return err
	}
	binding, err := stun.Listen(stunAddress(cfg.STUN, cfg.Listen), cfg.Log.With("component", "stun"))
	if err != nil {
		return err
	}
	keep(binding.Close)
	first, second := binding.Ports()
	stunAt := stunReached(cfg.STUN, at.host, first, second)

	if err := publish.Advertise(cfg.Data, publish.Site{Edge: at.base, Control: at.base}); err != nil {
		return err
	}
	content, err := edge.New(edge.Config{DataDir: cfg.Data, Control: at.base,
		RateLimit: cfg.EdgeRate, Log: cfg.Log.With("component", "edge")})
	if err != nil {
		return err
	}
	keep(content.Close)
	sessions := node.New(node.Config{
		Directory: directory.New(), Ledger: accounts, Network: geo.Find, Known: knownIn(publish.Open(cfg.Data)), STUN: stunAt,
		GrantKeys: []ed25519.PublicKey{keys.Grant.Public().(ed25519.PublicKey)},
		Epoch:     uint64(time.Now().UnixNano()), Log: cfg.Log.With("component", "node"),
	})
	mux := http.NewServeMux()
	mux.Handle(protocol.SessionPath, sessions)
	mux.Handle("/", content.Handler())
	return web(ctx, cfg.Log, listener, certificates, mux, sessions, func() error {
		cfg.Log.Info("serving", "listen", listener.Addr(), "reached", at.base, "stun", stunAt)
		return ready(Ready{Control: at.base, Edge: at.base, STUN: stunAt[0]})
	})
}

// knownIn tells which objects were published in a store.
func knownIn(store *publish.Store) func(protocol.ContentID) (bool, error) {
	return func(content protocol.ContentID) (bool, error) {
		_, err := store.ByID(content)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
}

// web serves HTTP until ctx ends.
func web(ctx context.Context, log *slog.Logger, listener net.Listener, certificates *tls.Config, handler http.Handler, sessions *node.Node, ready func() error) error {
	door := admit(listener, certificates, log)
	server := &http.Server{
		Handler: bounded(handler), TLSConfig: certificates, MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, WriteTimeout: writeTimeout,
		HTTP2:    &http.HTTP2Config{WriteByteTimeout: writeTimeout},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(door) }()
	err := ready()
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-ended:
			ended <- nil
		}
	}
	patience, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	farewell := make(chan error, 1)
	go func() { farewell <- sessions.Close(patience) }()
	unfinished := server.Shutdown(patience) // also closes the door
	if unfinished != nil {
		log.Info("requests were cut off", "err", unfinished)
		_ = server.Close() // the door is closed below, with its error
	}
	if cut := <-farewell; cut != nil {
		log.Info("sessions were cut off", "err", cut)
	}
	<-ended //nolint:errcheck // says only that the server was closed
	return errors.Join(err, door.Close())
}

// serverTLS loads the certificate, or has one made, and has session clients, but no browsers, asked for
// theirs: browsers speak HTTP/2 and would ask their user which certificate to show.
func serverTLS(cfg Config, host string) (*tls.Config, error) {
	plain, err := certificate(cfg, host)
	if err != nil {
		return nil, err
	}
	asking := plain.Clone()
	asking.ClientAuth = tls.RequestClientCert
	plain.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, "h2") {
			return nil, nil
		}
		return asking, nil
	}
	return plain, nil
}

func certificate(cfg Config, host string) (*tls.Config, error) {
	if cfg.CertFile == "" {
		return ca.Server(cfg.Data, []string{host})
	}
	pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}}, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
