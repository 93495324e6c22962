package edge

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkFetch reads 256 MiB over TLS on loopback, as a download does: ranges of 4 MiB into piece
// buffers over several connections. The server shares the processor.
func BenchmarkFetch(b *testing.B) {
	data := content(256 << 20)
	server := serveTLS(b, file(data, `"v1"`))
	for _, connections := range []int{1, 4, 8} {
		b.Run(fmt.Sprintf("http1/connections=%d", connections), func(b *testing.B) {
			benchmarkFetch(b, newClient(b, Config{}, server), server.URL, data, connections)
		})
	}
	h2 := httptest.NewUnstartedServer(file(data, `"v1"`))
	h2.EnableHTTP2 = true
	h2.StartTLS()
	b.Cleanup(h2.Close)
	b.Run("http2/streams=8", func(b *testing.B) {
		c := newClient(b, Config{}, h2)
		t := c.transport(route{local: true}, nil)
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP2(true)
		benchmarkFetch(b, c, h2.URL, data, 8)
	})
}

func benchmarkFetch(b *testing.B, c *Client, url string, data []byte, workers int) {
	s := sourceOf(b, c, Request{URL: url + "/f"}, SourceOptions{Connections: workers})
	const piece, pieces = 1 << 20, 4
	b.SetBytes(int64(len(data)))
	b.ResetTimer()
	for range b.N {
		var next atomic.Int64
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				buf := make([]byte, piece)
				bufs := [][]byte{buf, buf, buf, buf}
				for {
					off := next.Add(piece*pieces) - piece*pieces
					if off >= int64(len(data)) {
						return
					}
					_, err := s.FetchInto(b.Context(), off, bufs, func(i int, _ []string) error {
						if at := off + int64(i)*piece; !bytes.Equal(buf[:64], data[at:at+64]) {
							b.Error("wrong bytes")
						}
						return nil
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}
