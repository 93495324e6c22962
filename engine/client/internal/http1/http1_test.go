package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

// conversation answers whatever is sent with a text that is fixed.
type conversation struct {
	io.Reader
	sent bytes.Buffer
}

func (c *conversation) Write(p []byte) (int, error) { return c.sent.Write(p) }

// whole reads an answer as far as it goes.
func whole(conn io.ReadWriter) string {
	r, err := Exchange(conn, Request{Method: "GET", Target: "/v1/status", Host: "local"})
	if err != nil {
		return "error: " + err.Error()
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Sprintf("%d %q, then %v", r.Code, body, err)
	}
	return fmt.Sprintf("%d %q", r.Code, body)
}

func TestAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	const twoWays = malformed + ": it can be read in two ways, by its length and in chunks"
	for _, tt := range []struct{ name, answer, want string }{
		{"a length", ok + "Content-Length: 5\r\n\r\nhelloMORE", `200 "hello"`},
		{"no bytes", ok + "Content-Length: 0\r\n\r\n", `200 ""`},
		{"until the end", ok + "\r\nhello", `200 "hello"`},
		{"names in any case", ok + "cONTENT-lENGTH:\t2 \r\n\r\nhello", `200 "he"`},
		{"lines that end with LF alone", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhello", `200 "he"`},
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhello", `200 "he"`},
		{"chunks", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n00A;x=\"y\"\r\nlo, world!\r\n0\r\nT: v\r\n\r\nMORE", `200 "hello, world!"`},
		{"after a hint", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + ok + "Content-Length: 1\r\n\r\nx", `200 "x"`},
		{"no content", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", `204 ""`},
		{"a body cut short", ok + "Content-Length: 9\r\n\r\nhello", `200 "hello", then unexpected EOF`},
		{"a chunk cut short", ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nhello", `200 "hello", then unexpected EOF`},
		{"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", `200 "hello", then ` + malformed + ": unexpected EOF"},
		{"a chunk without a length", ok + "Transfer-Encoding: chunked\r\n\r\n\r\nhello", `200 "", then ` + malformed + `: a chunk of the length ""`},
		{"a chunk of any length", ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello", `200 "", then ` + malformed + `: a chunk of the length "ffffffffffffffff"`},
		{"nothing", "", "error: " + malformed + ": unexpected EOF"},
		{"half a head", ok + "Content-Len", "error: " + malformed + ": unexpected EOF"},
		{"another protocol", "SSH-2.0-OpenSSH_9\r\n", "error: " + malformed + `: it begins "SSH-2.0-OpenSSH_9"`},
		{"another version", "HTTP/2 200 OK\r\n\r\n", "error: " + malformed + `: it begins "HTTP/2 200 OK"`},
		{"no such code", "HTTP/1.1 99 Low\r\n\r\n", "error: " + malformed + `: it begins "HTTP/1.1 99 Low"`},
		{"a negative length", ok + "Content-Length: -1\r\n\r\n", "error: " + malformed + `: the length "-1" is none`},
		{"two lengths", ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "error: " + malformed + ": it has two fields content-length"},
		{"a length and chunks", ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nab", "error: " + twoWays},
		{"another coding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\nab", "error: " + malformed + `: the transfer coding "gzip, chunked" is unknown`},
		{"a folded field", ok + "A: b\r\n c: d\r\n\r\n", "error: " + malformed + `: a field reads " c: d"`},
		{"a zero byte", ok + "A: \x00\r\n\r\n", "error: " + malformed + `: a control character in "A: \x00"`},
		{"an endless line", ok + "A: " + strings.Repeat("b", 1<<20), "error: " + malformed + ": a line of more than 8192 bytes"},
		{"endless fields", ok + strings.Repeat("A: b\r\n", 1000), "error: " + malformed + ": more than 64 fields"},
		{"endless hints", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000), "error: " + malformed + ": nothing but interim answers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := whole(&conversation{Reader: strings.NewReader(tt.answer)}); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
			// How the bytes are cut on their way means nothing.
			if got := whole(&conversation{Reader: iotest.OneByteReader(strings.NewReader(tt.answer))}); got != tt.want {
				t.Errorf("byte by byte: %s\nwant %s", got, tt.want)
			}
		})
	}
}

// malformed is how those errors begin.
const malformed = "not an answer of HTTP/1.1"

// What is sent is what net/http's server reads.
func TestRequests(t *testing.T) {
	for _, want := range []Request{
		{Method: "GET", Target: "/v1/downloads/a%2Fb", Host: "local"},
		{Method: "DELETE", Target: "/v1/downloads/x?file=1", Host: "local"},
		{Method: "POST", Target: "/v1/downloads/x/pause", Host: "local", JSON: true},
		{Method: "POST", Target: "/v1/downloads", Host: "local", JSON: true, Body: []byte(`{"url":"https://example.com/"}`)},
	} {
		c := &conversation{Reader: strings.NewReader("HTTP/1.1 204 No Content\r\n\r\n")}
		if _, err := Exchange(c, want); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadRequest(bufio.NewReader(&c.sent))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		isJSON := r.Header.Get("Content-Type") == "application/json"
		if r.Method != want.Method || r.RequestURI != want.Target || r.Host != want.Host || isJSON != want.JSON || string(body) != string(want.Body) || !r.Close {
			t.Errorf("%+v arrives as %+v with %q", want, r, body)
		}
	}
}

// Nothing that is put into a request can end it early and begin another.
func TestNothingIsSmuggled(t *testing.T) {
	for _, target := range []string{"", "/a b", "/a\r\nX: y", "/\x00", "/ü"} {
		c := &conversation{Reader: strings.NewReader("HTTP/1.1 204 No Content\r\n\r\n")}
		if _, err := Exchange(c, Request{Method: "GET", Target: target, Host: "local"}); err == nil || c.sent.Len() > 0 {
			t.Errorf("%q is sent as %q, %v", target, c.sent.String(), err)
		}
	}
}

// A service that refuses and hangs up before it has read everything is heard all the same.
func TestRefusedWhileSending(t *testing.T) {
	c := struct {
		io.Reader
		io.Writer
	}{strings.NewReader("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"), failing{}}
	if got := whole(c); got != `413 ""` {
		t.Errorf("got %s", got)
	}
	silent := struct {
		io.Reader
		io.Writer
	}{strings.NewReader(""), failing{}}
	if got, want := whole(silent), "error: send the request: broken pipe"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// FuzzExchange reads any bytes as an answer, beside net/http: where both understand them, they understand the same.
func FuzzExchange(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n{}",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\nA: b\n c\n\n",
	} {
		f.Add([]byte(seed))
	}
	request := httptest.NewRequest(http.MethodGet, "/v1/status", nil)
	f.Fuzz(func(t *testing.T, answer []byte) {
		ours, err := Exchange(&conversation{Reader: bytes.NewReader(answer)}, Request{Method: "GET", Target: "/v1/status", Host: "local"})
		if err != nil {
			return
		}
		body, err := io.ReadAll(ours.Body)
		if err != nil || bytes.HasPrefix(answer, []byte("HTTP/1.1 1")) { // net/http leaves interim answers to its caller
			return
		}
		theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), request)
		if err != nil {
			return
		}
		theirBody, err := io.ReadAll(theirs.Body)
		if err == nil && (ours.Code != theirs.StatusCode || !bytes.Equal(body, theirBody)) {
			t.Errorf("%q is %d %q; net/http reads %d %q", answer, ours.Code, body, theirs.StatusCode, theirBody)
		}
	})
}
