// Package peering brings objects and peers together: it holds the sessions with control planes, asks
// them for peers with an edge's grant, meets those that are introduced, and offers the connections to
// the piece engine. Whether payload may leave is asked here for every piece that is about to be sent, also whether
// the grant that the peer showed has ended.
// It must never make a download wait: without a control plane or peers, its methods still return at once.
package peering

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/download"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/identity"
	"github.com/tributary-dl/tributary/engine/internal/peerlink"
	"github.com/tributary-dl/tributary/engine/internal/session"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

// Config is what a Service needs.
type Config struct {
	Device        ed25519.PrivateKey
	Starts        []identity.SecondaryGUID // newest first
	Listen        string                   // UDP address for peers; empty: any port
	AllowLoopback bool
	Control       string // overrides the control plane that manifests name
	Roots         *x509.CertPool
	Software      string
	Edges         *edge.Client // asked for grants
	Upload        swarm.Limiter
	Download      swarm.Limiter
	Settings      func() api.Settings
	// MaySend is asked before each block goes to a peer, and with a LAN's path before an object is offered at all; Sent is
	// told when a block has left. They are called from many
	// goroutines and must not block.
	MaySend func(u Upload, path api.PathKind) bool
	Sent    func(u Upload, peer swarm.PeerID, bytes int)
	Log     *slog.Logger
}

// Upload is an object that may be given to peers.
type Upload struct {
	ContentID, Name, Publisher string
	Size                       int64 // bytes
	Copies                     int   // that the publisher lets one client give; 0: any number
}

// Service is the peers' side of an engine. All methods may be called from any goroutine.
type Service struct {
	cfg      Config
	log      *slog.Logger
	device   protocol.DeviceKey
	endpoint *peerlink.Endpoint
	swarms   *swarm.Engine
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	sessions map[place]*control
	members  map[protocol.ContentID][]*member       // the first has the object's place, the others wait for it
	vacated  map[protocol.ContentID]<-chan struct{} // closed when all who have given the object's place up have left its swarm
	nat      peerlink.NAT
}

// place is a control plane, and whether the user's word lets it be at a local address: a public manifest must not
// make this device dial one.
type place struct {
	url   string
	local bool
}

// Open opens the socket for peers. Sessions begin when an object names their control plane.
func Open(c Config) (*Service, error) {
	listen := c.Listen
	if listen == "" {
		listen = ":0"
	}
	endpoint, err := peerlink.Listen(peerlink.Config{Listen: listen, Device: c.Device, Log: c.Log, AllowLoopback: c.AllowLoopback})
	if err != nil {
		return nil, fmt.Errorf("listen for peers: %w", err)
	}
	swarms, err := swarm.New(swarm.Config{Log: c.Log, UploadLimiter: c.Upload, DownloadLimiter: c.Download})
	if err != nil {
		_ = endpoint.Close() // err says what matters
		return nil, err
	}
	s := &Service{cfg: c, log: c.Log, device: endpoint.DeviceKey(), endpoint: endpoint, swarms: swarms,
		sessions: map[place]*control{}, members: map[protocol.ContentID][]*member{}, vacated: map[protocol.ContentID]<-chan struct{}{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Close withdraws all objects, ends everything and returns when no goroutine is left.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	var left sync.WaitGroup
	for _, list := range s.members {
		for _, m := range list {
			left.Go(m.Leave)
		}
	}
	s.mu.Unlock()
	left.Wait()
	s.cancel()
	s.swarms.Close()
	_ = s.endpoint.Close() // its port is given back in any case
	s.work.Wait()
}

// goWork runs f unless the service is closing.
func (s *Service) goWork(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.work.Go(f)
	}
}

// Join makes an object known to peers and, if seek, looks for some. See download.Peering.
func (s *Service) Join(o download.Object, seek bool) (download.Swarm, error) {
	at, err := s.controlOf(o)
	if err != nil {
		return nil, err
	}
	m := &member{service: s, object: o, wake: make(chan struct{}, 1), wanted: map[int]bool{}, known: map[swarm.PeerID]known{},
		meetings: map[swarm.PeerID]*meeting{}, seeking: seek}
	m.ctx, m.cancel = context.WithCancel(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, swarm.ErrClosed
	}
	m.control = s.session(at)
	s.add(m)
	return m, nil
}

// controlOf returns the control plane of an object: the administrator's, or the manifest's.
func (s *Service) controlOf(o download.Object) (place, error) {
	if s.cfg.Control != "" {
		return place{s.cfg.Control, true}, nil
	}
	if o.Manifest.Terms.Control == "" {
		return place{}, errors.New("the manifest names no control plane")
	}
	u, err := url.Parse(o.Manifest.Terms.Control)
	if err != nil || u.User != nil {
		return place{}, errors.New("the manifest's control plane has no usable address")
	}
	return place{u.String(), s.cfg.Edges.MayBeLocal(o.Request, u.Hostname())}, nil
}

// session returns the session with a control plane and starts it if there is none; s.mu is held.
func (s *Service) session(at place) *control {
	if c := s.sessions[at]; c != nil {
		return c
	}
	c := &control{service: s, url: at.url, reach: s.cfg.Edges.Dialer(at.local)}
	c.Session = session.New(session.Config{URL: at.url, Key: s.cfg.Device, Roots: s.cfg.Roots, Dial: c.dial, Software: s.cfg.Software,
		Log: s.log.With("control", at.url), Login: s.login, Handler: c})
	s.sessions[at] = c
	s.work.Go(func() {
		if err := c.Run(s.ctx); err != nil && s.ctx.Err() == nil {
			s.log.Error("the control plane cannot be used", "control", at.url, "err", err)
		}
	})
	return c
}

func (s *Service) login() session.LoginInfo {
	s.mu.Lock()
	nat := s.nat.Kind
	s.mu.Unlock()
	local, _ := netip.ParseAddrPort(s.endpoint.LocalAddress())
	return session.LoginInfo{Sharing: sharing(s.cfg.Settings().Sharing), NAT: session.NAT(nat), Starts: s.cfg.Starts, LocalAddress: local}
}

func sharing(s api.Sharing) session.Sharing {
	switch s {
	case api.SharingOn:
		return session.SharingOn
	case api.SharingLAN:
		return session.SharingLAN
	}
	return session.SharingOff
}

// SettingsChanged tells control planes and peers what the user's settings mean for them now.
func (s *Service) SettingsChanged() {
	s.mu.Lock()
	controls := make([]*control, 0, len(s.sessions))
	for _, c := range s.sessions {
		controls = append(controls, c)
	}
	s.mu.Unlock()
	for _, m := range s.all() {
		m.settingsChanged()
	}
	for _, c := range controls {
		c.Relogin()
	}
}

// Reannounce withdraws what may not be sent any more, and offers again what may. Call it now and then: hours of sharing,
// months and used up volumes come and go without anybody telling.
func (s *Service) Reannounce() {
	for _, m := range s.all() {
		m.announceAgain()
	}
}

func (s *Service) all() []*member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(slices.Collect(maps.Values(s.members))...)
}

// Status tells how sessions and the peers' socket are doing.
func (s *Service) Status() ([]api.ControlStatus, api.PeerNetStatus) {
	s.mu.Lock()
	controls := make([]*control, 0, len(s.sessions))
	for _, c := range s.sessions {
		controls = append(controls, c)
	}
	nat := s.nat
	s.mu.Unlock()
	slices.SortFunc(controls, func(a, b *control) int { return strings.Compare(a.url, b.url) })
	list := make([]api.ControlStatus, 0, len(controls))
	for _, c := range controls {
		list = append(list, c.describe())
	}
	network := api.PeerNetStatus{Listen: s.endpoint.LocalAddress(), NAT: natText(nat.Kind)}
	if nat.Public.IsValid() {
		network.Public = nat.Public.String()
	}
	return list, network
}

// BufferCheck says whether the socket for peers has a buffer that fast links need. A small one loses packets, but no more:
// downloads work.
func (s *Service) BufferCheck() api.Check {
	c := api.Check{Name: "packet buffer", OK: true, Detail: "large enough"}
	if s.endpoint.SmallBuffer() {
		c.Detail = fmt.Sprintf("%d bytes; fast links to peers may lose packets", s.endpoint.ReceiveBuffer())
		c.Remedy = "Type: " + peerlink.BufferRemedy + "."
	}
	return c
}

func natText(k peerlink.NATKind) string {
	switch k {
	case peerlink.NATOpen:
		return "open"
	case peerlink.NATEndpointIndependent:
		return "endpoint-independent"
	case peerlink.NATAnyPort:
		return "endpoint-independent, any port"
	case peerlink.NATSymmetric:
		return "symmetric"
	case peerlink.NATBlocked:
		return "udp blocked"
	}
	return "unknown"
}

// control is the session with one control plane, and what it says.
type control struct {
	*session.Session
	service *Service
	url     string
	reach   func(ctx context.Context, network, address string) (net.Conn, error)
	local   atomic.Bool // it is at a local address, and may name others
}

// dial connects to the control plane, where it may be, and notes where it is.
func (c *control) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.reach(ctx, network, address)
	if err != nil {
		return nil, err
	}
	at, ok := conn.RemoteAddr().(*net.TCPAddr)
	c.local.Store(ok && edge.IsLocal(at.AddrPort().Addr()))
	return conn, nil
}

func (c *control) describe() api.ControlStatus {
	st := c.Status()
	d := api.ControlStatus{URL: c.url, Connected: st.Connected, Detail: "not connected yet"}
	switch {
	case st.Connected && st.Welcome.EdgeOnly:
		d.Detail = "connected; this device takes from edges only for now"
	case st.Connected:
		d.Detail = fmt.Sprintf("connected since %s, %d objects offered", st.Since.Format(time.TimeOnly), st.Holdings)
	case st.Err != nil:
		d.Detail = st.Err.Error()
	}
	return d
}

// Welcomed implements session.Handler: a new login is the moment to learn how this network maps.
func (c *control) Welcomed(w session.Welcome) {
	c.service.goWork(func() { c.detect(w.STUN) })
	c.service.wakeMembers(c)
}

func (c *control) detect(stun []string) {
	s := c.service
	if len(stun) == 0 {
		return
	}
	nat, err := s.endpoint.Detect(s.ctx, stun, c.local.Load())
	if err != nil {
		s.log.Info("testing the NAT", "err", err)
		return
	}
	s.mu.Lock()
	changed := nat.Kind != s.nat.Kind
	s.nat = nat
	s.mu.Unlock()
	if changed {
		s.log.Info("NAT tested", "nat", natText(nat.Kind), "public", nat.Public)
		c.Relogin()
		s.wakeMembers(c) // more peers may be in reach than was known
	}
}

// wakeMembers makes those who seek by this control plane look again.
func (s *Service) wakeMembers(c *control) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.members {
		if m := s.placed(id); m.control == c {
			m.signal()
		}
	}
}

// Introduced implements session.Handler.
func (c *control) Introduced(in session.Introduction) {
	s := c.service
	s.mu.Lock()
	m := s.placed(in.Content)
	s.mu.Unlock()
	if m == nil || m.control != c {
		return
	}
	m.introduced(in)
}

// Signalled implements session.Handler.
func (c *control) Signalled(g session.Signal) {
	c.service.endpoint.Deliver(peerlink.Signal{Introduction: g.Introduction, Ufrag: g.Ufrag, Password: g.Password,
		Candidates: g.Candidates, Failed: g.Failed})
}

// Pushed implements session.Handler.
func (c *control) Pushed(p session.Push) {
	c.service.log.Info("the control plane says", "control", c.url, "notice", p.Notice, "edgeOnly", p.EdgeOnly)
}

// signaller sends signals of introductions by a session.
type signaller struct{ *control }

func (g signaller) Signal(x peerlink.Signal) error {
	return g.Session.Signal(session.Signal{Introduction: x.Introduction, Ufrag: x.Ufrag, Password: x.Password,
		Candidates: x.Candidates, Failed: x.Failed})
}
