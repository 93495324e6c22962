package edge

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// A server's bytes arrive as they are read, also of a request that was under way when less was asked for.
func TestServersSendNoMoreAheadThanTheWindow(t *testing.T) {
	const size, read, short = 6 << 20, 2 << 20, 64 << 10
	var sent atomic.Int64
	data := content(size)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file(data, `"v1"`)(counted{w, &sent}, r)
	}))
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetWriteBuffer(short) // what waits there has not been sent
		return ctx
	}
	server.Start()
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		first, then int
		most        int64 // bytes ahead; 0: no matter
	}{
		"short":              {short, short, 1 << 20},
		"shorter on the way": {MostWindow, short, 1 << 20},
		"at first none":      {NoWindowYet, short, 1 << 20},
		"the system's":       {0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var window atomic.Int64
			window.Store(int64(c.first))
			s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL + "/f.bin"},
				SourceOptions{Window: func() int { return int(window.Load()) }})
			sent.Store(0)
			got, stopped, goOn := 0, make(chan int), make(chan struct{})
			done := make(chan error, 1)
			go func() {
				_, err := s.Fetch(t.Context(), 0, size, func(p []byte) error {
					if got += len(p); got > read/2 {
						window.Store(int64(c.then))
					}
					if got > read && stopped != nil {
						stopped <- got
						stopped = nil
						<-goOn
					}
					return nil
				})
				done <- err
			}()
			at := <-stopped
			ahead := settled(&sent) - int64(at)
			t.Logf("%d KiB ahead", ahead>>10)
			if c.most > 0 && ahead > c.most {
				t.Errorf("the server has sent %d bytes that nobody has read; want at most %d", ahead, c.most)
			}
			close(goOn)
			if err := <-done; err != nil || got != size {
				t.Errorf("%d bytes, %v; want %d", got, err, size)
			}
			if rtt := s.Stats()[0].RTT; c.first > 0 && (rtt <= 0 || rtt > time.Second) {
				t.Errorf("round trip of %s on loopback", rtt)
			}
		})
	}
}

// A connection of the common pool is left alone though a bound is wanted while its bytes come: its next request may want none.
func TestOnlyConnectionsOfTheirPoolAreBounded(t *testing.T) {
	server := serve(t, file(content(10), ""))
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, c := range []struct {
		wants []int // at the request, and then while bytes come
		want  int   // size that was set last; 0: never
	}{
		{[]int{0, 1000, 2000}, 0},
		{[]int{3000, 1000}, 1000},
		{[]int{3000, NoWindowYet}, MostWindow},
		{[]int{3000, 0}, MostWindow},
		{[]int{NoWindowYet, NoWindowYet}, 0},
		{[]int{NoWindowYet, 0}, 0},
		{[]int{NoWindowYet, 3000}, 3000},
	} {
		now := c.wants[0]
		w := newWindow(func() int { return now })
		w.conn = &sizedConn{TCPConn: conn.(*net.TCPConn)}
		for _, now = range c.wants {
			w.adjust()
		}
		if w.conn.size != c.want {
			t.Errorf("%v: %d was set; want %d", c.wants, w.conn.size, c.want)
		}
	}
	if newWindow(nil).bounded {
		t.Error("a bound that nobody wanted")
	}
}

// counted counts what a server has handed to its system.
type counted struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// settled waits until a count does not change any more.
func settled(n *atomic.Int64) int64 {
	for last := int64(-1); ; time.Sleep(200 * time.Millisecond) {
		now := n.Load()
		if now == last {
			return now
		}
		last = now
	}
}
