package edge

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// part answers a range request with given header values and the right bytes.
func part(data []byte, contentRange string, body int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", contentRange)
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(data[:body])
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// reset sends some of a part, then cuts the connection with a TCP reset.
func reset(data []byte, contentRange string, after int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", contentRange)
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(data[:after])
		_ = http.NewResponseController(w).Flush()
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}
}

// raw answers with bytes that need not be HTTP.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	}
}

// TestAnswersThatAreWrong resolves an honest file of 10,000 bytes, asks it for 1,000 at 0 and gets each of
// these answers instead.
func TestAnswersThatAreWrong(t *testing.T) {
	data := content(10_000)
	tests := []struct {
		name   string
		answer http.HandlerFunc
		kind   Kind
		says   string
	}{
		{"the file changed: other ETag, server ignores If-Range", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-Range")
			file(data, `"v2"`)(w, r)
		}, Changed, "version"},
		{"the file changed: 200 because of If-Range", file(data, `"v2"`), Changed, "version"},
		{"the file grew", file(content(20_000), `"v1"`), Changed, "20000 bytes"},
		{"the file shrank below the range", status(416, "Content-Range", "bytes */0"), Changed, "0 bytes"},
		{"416 without a reason", status(416), Protocol, "no bytes at 0"},
		{"200 to a range request", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			file(data, `"v1"`)(w, r)
		}, NoRanges, "only the whole file"},
		{"200 without a version, where one was", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }, Changed, "did not confirm"},
		{"wrong start", part(data, "bytes 1-1000/10000", 1000), Protocol, "sent 1 to 1000"},
		{"wrong end", part(data, "bytes 0-998/10000", 999), Protocol, "sent 0 to 998"},
		{"wrong total", part(data, "bytes 0-999/9999", 1000), Changed, "9999 bytes"},
		{"wrong Content-Length", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "500")
			part(data, "bytes 0-999/10000", 500)(w, r)
		}, Protocol, "announces"},
		{"no Content-Range", status(206), Protocol, "which part"},
		{"nonsense Content-Range", part(data, "bytes 9-0/1", 1000), Protocol, "which part"},
		{"compressed part", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			part(data, "bytes 0-999/10000", 1000)(w, r)
		}, NoRanges, "compresses"},
		{"truncated with Content-Length", raw("HTTP/1.1 206 OK\r\nContent-Range: bytes 0-999/10000\r\nContent-Length: 1000\r\n\r\nfew"), Temporary, "broke"},
		{"truncated without", raw("HTTP/1.1 206 OK\r\nContent-Range: bytes 0-999/10000\r\n\r\nfew"), Temporary, "less than it announced"},
		{"reset", reset(data, "bytes 0-999/10000", 10), Temporary, "broke"},
		{"closed before the header", raw(""), Temporary, "broke"},
		{"not HTTP", raw("220 ftp.example.com FTP server ready\r\n"), Protocol, "rules of HTTP"},
		{"header without end", raw("HTTP/1.1 206 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 1000)), Protocol, "rules of HTTP"},
		{"401", status(401), Refused, "needs a name and a password"},
		{"403", status(403), Refused, "does not allow"},
		{"404", status(404), Refused, "no such file"},
		{"410", status(410), Refused, "for good"},
		{"451", status(451), Refused, "legal"},
		{"418", status(418), Refused, "status 418"},
		{"500", status(500), Temporary, "status 500"},
		{"503", status(503, "Retry-After", "33"), Temporary, "busy"},
		{"429", status(429, "Retry-After", "33"), Temporary, "busy"},
		{"204", status(204), Protocol, "not a file"},
		{"redirect without a target", status(302), Protocol, "not a file"},
		{"redirect in a circle", status(302, "Location", "/"), Protocol, "without end"},
		{"redirect to a file", status(302, "Location", "file:///etc/passwd"), Protocol, "cannot be used"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var nasty atomic.Bool
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if nasty.Load() {
					tt.answer(w, r)
				} else {
					file(data, `"v1"`)(w, r)
				}
			})
			s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL + "/f"}, SourceOptions{})
			nasty.Store(true)
			n, err := fetchedLoosely(t, s, 0, 1000)
			wantKind(t, err, tt.kind)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the error is %v; want it to say %q", err, tt.says)
			}
			if tt.kind != Temporary && n != 0 {
				t.Errorf("%d bytes of a wrong answer were taken", n)
			}
			if e, ok := errors.AsType[*Error](err); ok && (tt.name == "503" || tt.name == "429") && e.RetryAfter.Round(time.Second) != 33*time.Second {
				t.Errorf("RetryAfter = %v; want 33s", e.RetryAfter)
			}
		})
	}
}

// fetchedLoosely is Fetch for servers whose bytes do not matter.
func fetchedLoosely(t *testing.T, s *Source, off, length int64) (int64, error) {
	t.Helper()
	return s.Fetch(t.Context(), off, length, func([]byte) error { return nil })
}

func TestHashedSourceIgnoresValidatorsButNotSizes(t *testing.T) {
	data := content(10_000)
	var asked atomic.Int64
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-Range") != "" {
			t.Error("If-Range was sent")
		}
		n := asked.Add(1)
		served := data
		if n > 2 {
			served = data[:5000]
		}
		file(served, fmt.Sprintf(`"%d"`, n))(w, r) // as from a cluster whose machines disagree
	})
	s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL}, SourceOptions{Hashed: true})
	if _, err := fetched(t, s, data, 0, 1000); err != nil {
		t.Error(err)
	}
	_, err := fetchedLoosely(t, s, 0, 1000)
	wantKind(t, err, Changed)
}

func TestResumeAtTheRightVersionOnly(t *testing.T) {
	data := content(10_000)
	tests := []struct {
		name   string
		stored Validator
		serve  http.HandlerFunc
		kind   Kind
	}{
		{"same ETag", Validator{ETag: `"v1"`}, file(data, `"v1"`), 0},
		{"other ETag", Validator{ETag: `"v0"`}, file(data, `"v1"`), Changed},
		{"strong became weak", Validator{ETag: `W/"v1"`}, file(data, `"v1"`), 0},
		{"other weak ETag", Validator{ETag: `W/"v0"`}, file(data, `W/"v1"`), Changed},
		{"same date", Validator{LastModified: modified.Format(http.TimeFormat)}, file(data, ""), 0},
		{"other date", Validator{LastModified: modified.Add(time.Hour).Format(http.TimeFormat)}, file(data, ""), Changed},
		{"no validator", Validator{}, file(data, `"v1"`), 0},
		{"another host, other ETag, same date", Validator{Host: "old.example", ETag: `"x"`, LastModified: modified.Format(http.TimeFormat)}, file(data, `"v1"`), 0},
		{"another host, no date", Validator{Host: "old.example", ETag: `"v1"`}, file(data, `"v1"`), Changed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := serve(t, tt.serve)
			if tt.stored.Host == "" {
				tt.stored.Host = server.Listener.Addr().String()
			}
			req := Request{URL: server.URL + "/f"}
			s, err := newClient(t, Config{}).Source(&Resource{Request: req, Size: 10_000}, nil, SourceOptions{Validators: map[string]Validator{req.URL: tt.stored}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = fetched(t, s, data, 5000, 1000); KindOf(err) != tt.kind {
				t.Errorf("Fetch: %v; want kind %q", err, kindName(tt.kind))
			}
		})
	}
}

func TestStream(t *testing.T) {
	data := content(600_000)
	unranged := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) } // chunked, of unknown length
	zipped := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(data)
		z.Close()
	}
	tests := []struct {
		name  string
		path  string
		serve http.HandlerFunc
		from  int64
		size  int64
		want  int64 // bytes
		kind  Kind
	}{
		{"unknown size", "/f", unranged, 0, -1, 600_000, 0},
		{"unknown size, further on", "/f", unranged, 1000, -1, 0, NoRanges},
		{"known size", "/f", file(data, `"v1"`), 0, 600_000, 600_000, 0},
		{"known size, further on", "/f", file(data, `"v1"`), 1000, 600_000, 599_000, 0},
		{"at the end", "/f", file(data, `"v1"`), 600_000, 600_000, 0, 0},
		{"empty file", "/f", file(nil, `"v1"`), 0, 0, 0, 0},
		{"gzip that was not asked for", "/f", zipped, 0, -1, 600_000, 0},
		{"broken gzip", "/f", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(data)
		}, 0, -1, 0, Protocol},
		{"unknown coding", "/f", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = w.Write(data)
		}, 0, -1, 0, Refused},
		{"truncated", "/f", raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfew"), 0, -1, 3, Temporary},
		{"truncated chunks", "/f", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfew\r\n"), 0, -1, 3, Temporary},
		{"longer than it was", "/f", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfives\r\n0\r\n\r\n"), 0, 3, 3, Protocol},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := serve(t, tt.serve)
			s, err := newClient(t, Config{}).Source(&Resource{Request: Request{URL: server.URL + tt.path}, Size: tt.size}, nil, SourceOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var got int64
			n, err := s.Stream(t.Context(), tt.from, func(p []byte) error { got += int64(len(p)); return nil })
			if n != tt.want || got != n || KindOf(err) != tt.kind || tt.kind == 0 && err != nil {
				t.Errorf("Stream = %d, %v (sink got %d); want %d, kind %q", n, err, got, tt.want, kindName(tt.kind))
			}
		})
	}
}

func TestStreamKeepsFilesThatAreCompressedByThemselves(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, "inside")
		z.Close()
	})
	s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL + "/archive.tar.gz"}, SourceOptions{})
	var got []byte
	if _, err := s.Stream(t.Context(), 0, func(p []byte) error { got = append(got, p...); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) < 2 || got[0] != 0x1f || got[1] != 0x8b {
		t.Errorf("the archive was unpacked: %q", got)
	}
}
