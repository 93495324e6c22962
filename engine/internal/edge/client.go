package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

const (
	// Idle connections live just long enough for the next range or the next try; the service must cost
	// nothing when it rests.
	idleTimeout    = 30 * time.Second
	idlePerHost    = 16
	idleTotal      = 64
	maxHeaderBytes = 256 << 10
)

// Timeouts bound each step of a request. There is none on the whole: a large file on a slow line takes
// its time.
type Timeouts struct {
	Connect time.Duration // 0: 10 s
	TLS     time.Duration // 0: 10 s
	Header  time.Duration // 0: 30 s, until the answer's header is there
	Stall   time.Duration // 0: 15 s, in which at least stallBytes have to come
}

func (t Timeouts) withDefaults() Timeouts {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&t.Connect, 10*time.Second)
	set(&t.TLS, 10*time.Second)
	set(&t.Header, 30*time.Second)
	set(&t.Stall, 15*time.Second)
	return t
}

// Config is fixed for the life of a Client. Its zero value works.
type Config struct {
	Roots     *x509.CertPool // authorities of servers; nil: the system's
	Proxy     string         // http, https, socks5 or socks5h URL, for requests that name none; "": none
	UserAgent string         // "": "Tributary"
	Timeouts  Timeouts
	Log       *slog.Logger // nil: nothing is logged

	// Dial makes connections in place of the system, and answers for where they lead: no address is checked.
	// Simulations put servers in memory behind it. nil: the system's network, guarded.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// dialer makes a connection, as net.Dialer.DialContext does.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// Client holds the connections to all servers. It is safe for concurrent use.
type Client struct {
	proxy     string
	userAgent string
	timeouts  Timeouts
	log       *slog.Logger
	dial      dialer // nil: the system's
	tls       *tls.Config
	isLocal   func(netip.Addr) bool
	resolver  *net.Resolver // nil: the system's

	mu         sync.Mutex
	transports map[route]*http.Transport
}

// route is what connections may have in common. A connection made where local addresses were allowed must
// never be found again by a request for which they are not, so each has a pool of its own.
type route struct {
	proxy string // "": none
	local bool   // may dial local addresses

	// Whose receive buffer has ever been set, see window, would stay slow for those who want it as large as can be.
	windowed bool
}

// NewClient returns a Client. A proxy that cannot be used shows at the first request.
func NewClient(cfg Config) *Client {
	c := &Client{
		proxy:     cfg.Proxy,
		userAgent: cfg.UserAgent,
		timeouts:  cfg.Timeouts.withDefaults(),
		log:       cfg.Log,
		dial:      cfg.Dial,
		tls: &tls.Config{
			RootCAs:            cfg.Roots,
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(idleTotal),
		},
		isLocal:    isLocal,
		transports: map[route]*http.Transport{},
	}
	if c.userAgent == "" {
		c.userAgent = "Tributary"
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Close closes idle connections. Requests under way end with their contexts.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.transports {
		t.CloseIdleConnections()
	}
}

// transport returns the pool of connections for a route, whose proxy has been checked.
func (c *Client) transport(r route, proxy *url.URL) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.transports[r]; t != nil {
		return t
	}
	t := c.newTransport(r, proxy)
	c.transports[r] = t
	return t
}

// newTransport speaks HTTP/1.1 only: several connections beat HTTP/2's single one, see DECISIONS.md.
func (c *Client) newTransport(r route, proxy *url.URL) *http.Transport {
	system := &net.Dialer{Timeout: c.timeouts.Connect, Resolver: c.resolver}
	if !r.local && proxy == nil {
		system.ControlContext = guard(c.isLocal)
	}
	dial := system.DialContext
	if c.dial != nil {
		dial = c.dial
	}
	if r.windowed {
		dial = sized(dial)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	t := &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        c.tls.Clone(),
		TLSHandshakeTimeout:    c.timeouts.TLS,
		ResponseHeaderTimeout:  c.timeouts.Header,
		MaxResponseHeaderBytes: maxHeaderBytes,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           idleTotal,
		MaxIdleConnsPerHost:    idlePerHost,
		DisableCompression:     true,
		Protocols:              protocols,
		OnProxyConnectResponse: checkProxyAnswer,
	}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return t
}

// checkProxyAnswer gives a proxy's refusal of CONNECT the form of a server's.
func checkProxyAnswer(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return statusError("The proxy "+proxy.Hostname(), resp, proxy.User != nil, time.Now())
}

// parseProxy checks a proxy's URL; "" is none.
func parseProxy(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, nil
	}
	const remedy = "Give it as http://host:port, https://host:port or socks5://host:port."
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, badURL(remedy, "The proxy %q is not a usable address.", redactBroken(raw))
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u, nil
	}
	return nil, badURL(remedy, "A proxy of the kind %q is not supported.", clip(u.Scheme))
}

// logged is how URLs appear in logs.
func logged(u fmt.Stringer) slog.Attr { return slog.String("url", Redact(u.String())) }
