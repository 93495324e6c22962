package edge

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// step is how much is sent between two looks at the clock; large, so that the kernel can send files by
// itself.
const step = 1 << 20

// response counts what is sent, shapes it if there is a limit, and cuts off clients that take nothing.
type response struct {
	http.ResponseWriter
	ctx      context.Context
	head     bool
	tls      bool
	patience time.Duration
	turn     *turn // nil: no limit

	status int   // 0 until known
	sent   int64 // bytes of the body given to the connection
}

func newResponse(w http.ResponseWriter, r *http.Request, patience time.Duration) *response {
	return &response{ResponseWriter: w, ctx: r.Context(), head: r.Method == http.MethodHead, tls: r.TLS != nil, patience: patience}
}

// Unwrap lets an http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	if status >= 400 { // these describe the object, not the sentence that is sent instead
		for _, name := range []string{"Digest", "Repr-Digest", "Content-Disposition"} {
			w.Header().Del(name)
		}
	}
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends p in steps.
func (w *response) Write(p []byte) (n int, err error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.head {
		return len(p), nil
	}
	for n < len(p) && err == nil {
		var size, k int
		if size, err = w.next(len(p) - n); err == nil {
			k, err = w.ResponseWriter.Write(p[n : n+size])
			n += k
			w.sent += int64(k)
		}
	}
	return n, err
}

// ReadFrom sends what r holds. Without TLS and without a limit a file goes from the disk to the
// connection without passing through the process (sendfile).
func (w *response) ReadFrom(r io.Reader) (n int64, err error) {
	limited, isLimited := r.(*io.LimitedReader) // what http.ServeContent gives us
	to, direct := w.ResponseWriter.(io.ReaderFrom)
	if !isLimited || !direct || w.tls || w.turn != nil || w.head {
		buffer := buffers.Get().(*[]byte)
		defer buffers.Put(buffer)
		return io.CopyBuffer(onlyWriter{w}, onlyReader{r}, *buffer)
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	for limited.N > 0 && err == nil {
		var size int
		if size, err = w.next(int(min(limited.N, step))); err != nil {
			break
		}
		var k int64
		k, err = to.ReadFrom(&io.LimitedReader{R: limited.R, N: int64(size)})
		limited.N -= k
		n += k
		w.sent += k
		if k < int64(size) {
			break // the file has ended
		}
	}
	return n, err
}

// next waits until some of want bytes may be sent, returns how many, and gives the client its time to
// take them.
func (w *response) next(want int) (int, error) {
	size := min(want, step)
	if w.turn != nil {
		var err error
		if size, err = w.turn.wait(w.ctx, size); err != nil {
			return 0, err
		}
	}
	w.allow(time.Now().Add(w.patience))
	return size, nil
}

// settle sends what net/http holds back while the client's time still runs. What is left, such as a short answer that
// fits its buffers, gets as long again: a client that asks on and on and reads nothing would otherwise hold its
// connection for ever. The next request begins with the server's own WriteTimeout.
func (w *response) settle() {
	if w.sent > 0 && w.Header().Get("Content-Length") != "" {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // on an error the connection is closed anyway
	}
	w.allow(time.Now().Add(w.patience))
}

// allow sets a deadline. A writer that has none is not a network connection.
func (w *response) allow(until time.Time) {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(until)
}

// buffers are larger than those of io.Copy: fewer calls for each mebibyte over TLS.
var buffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

// onlyWriter and onlyReader hide the methods with which io.CopyBuffer would pass over the buffer.
type onlyWriter struct{ io.Writer }

type onlyReader struct{ io.Reader }
