package serve

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// bodyTimeout is how long the body of a request may take. Whoever sends none would otherwise hold its
	// connection, and with it a descriptor of ours, for as long as it likes.
	bodyTimeout = 10 * time.Second

	// maxBody is the largest body, in bytes. The only one that anything here has a use for is a grant
	// request of at most 4 KiB; nothing is uploaded.
	maxBody = 16 << 10
)

// bounded takes in the body of each request before the handler sees it, within bodyTimeout. A deadline for
// whole requests (http.Server.ReadTimeout) would not do: when it passes, net/http takes a client that is
// still being answered for one that is gone. This one ends with the body, so answers and sessions may take
// as long as they do.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // a writer that has none is not a network connection
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			// The deadline stays: net/http wants to read the rest of a body even after a refusal.
			status, text := http.StatusRequestTimeout, "the body of the request did not come in time"
			if _, large := errors.AsType[*http.MaxBytesError](err); large {
				status, text = http.StatusRequestEntityTooLarge, "no request here has a body as large as this"
			}
			w.Header().Set("Connection", "close")
			http.Error(w, text, status)
			return
		}
		_ = control.SetReadDeadline(time.Time{})
		taken := *r // net/http has use for the body that it made
		taken.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, &taken)
	})
}
