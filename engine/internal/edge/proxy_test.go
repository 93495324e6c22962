package edge

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// relay copies both ways until both ends are done.
func relay(a, b net.Conn) {
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(a, b); a.Close() })
	_, _ = io.Copy(b, a)
	b.Close()
	wg.Wait()
}

// listen serves connections until the test ends.
func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		conns []net.Conn
	)
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() { defer conn.Close(); handle(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// httpProxy is a proxy that knows one name: every request goes to target.
func httpProxy(t *testing.T, target string, used *atomic.Int64) string {
	return listen(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		used.Add(1)
		if user, password, _ := parseProxyAuth(req); user != "me" || password != "secret" {
			_, _ = io.WriteString(conn, "HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		server, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		if req.Method == http.MethodConnect {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		} else {
			req.Header.Del("Proxy-Authorization")
			req.Close = true
			_ = req.Write(server)
		}
		relay(conn, server)
	})
}

func parseProxyAuth(r *http.Request) (user, password string, ok bool) {
	return (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
}

// socksProxy speaks as much of SOCKS 5 (RFC 1928) as a CONNECT without authentication needs, and sends
// everything to target. It notes the host names it is asked for.
func socksProxy(t *testing.T, target string, asked *atomic.Value) string {
	return listen(t, func(conn net.Conn) {
		var head [4]byte
		if _, err := io.ReadFull(conn, head[:2]); err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, conn, int64(head[1]))
		_, _ = conn.Write([]byte{5, 0})
		if _, err := io.ReadFull(conn, head[:4]); err != nil || head[1] != 1 {
			return
		}
		host := make([]byte, 4)
		if head[3] == 3 {
			var n [1]byte
			_, _ = io.ReadFull(conn, n[:])
			host = make([]byte, n[0])
		}
		var port [2]byte
		_, _ = io.ReadFull(conn, host)
		_, _ = io.ReadFull(conn, port[:])
		if head[3] == 3 {
			asked.Store(string(host) + ":" + strconv.Itoa(int(binary.BigEndian.Uint16(port[:]))))
		}
		server, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		relay(conn, server)
	})
}

func TestThroughAnHTTPProxy(t *testing.T) {
	data := content(100_000)
	plain, secure := serve(t, file(data, `"v1"`)), serveTLS(t, file(data, `"v1"`))
	for _, tt := range []struct {
		name, url string
		server    *httptest.Server
	}{
		{"http", "http://only-the-proxy-knows.test/f", plain},
		{"https", "https://example.com/f", secure}, // the name in httptest's certificate
	} {
		t.Run(tt.name, func(t *testing.T) {
			var used atomic.Int64
			proxy := httpProxy(t, tt.server.Listener.Addr().String(), &used)
			c := newClient(t, Config{}, secure)
			s := sourceOf(t, c, Request{URL: tt.url, Proxy: "http://me:secret@" + proxy}, SourceOptions{})
			if _, err := fetched(t, s, data, 0, 100_000); err != nil || used.Load() == 0 {
				t.Errorf("Fetch: %v; the proxy was used %d times", err, used.Load())
			}
			_, err := c.Resolve(t.Context(), Request{URL: tt.url, Proxy: "http://" + proxy})
			wantKind(t, err, Refused)
			if err == nil || !strings.Contains(err.Error(), "The proxy needs a name and a password") {
				t.Errorf("without a password: %v", err)
			}
		})
	}
}

func TestThroughASOCKSProxy(t *testing.T) {
	data := content(100_000)
	server := serve(t, file(data, `"v1"`))
	var asked atomic.Value
	proxy := socksProxy(t, server.Listener.Addr().String(), &asked)
	c := newClient(t, Config{Proxy: "socks5://" + proxy})
	s := sourceOf(t, c, Request{URL: "http://only-the-proxy-knows.test/f"}, SourceOptions{})
	if _, err := fetched(t, s, data, 0, 100_000); err != nil {
		t.Fatal(err)
	}
	if asked.Load() != "only-the-proxy-knows.test:80" {
		t.Errorf("the proxy was asked for %v; it should resolve names itself", asked.Load())
	}
}

func TestBehindAProxyPrivateAddressesStayRefused(t *testing.T) {
	server := serve(t, status(302, "Location", "http://192.168.1.1/admin"))
	var asked atomic.Value
	proxy := socksProxy(t, server.Listener.Addr().String(), &asked)
	_, err := newClient(t, Config{}).Resolve(t.Context(), Request{URL: "http://public.test/f", Proxy: "socks5://" + proxy})
	wantKind(t, err, Blocked)
}

func TestAProxyThatIsGone(t *testing.T) {
	for _, scheme := range []string{"http", "socks5"} {
		_, err := newClient(t, Config{}).Resolve(t.Context(), Request{URL: "http://public.test/f", Proxy: scheme + "://127.0.0.1:1"})
		wantKind(t, err, Temporary)
		if err == nil || !strings.Contains(err.Error(), "through the proxy") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}
