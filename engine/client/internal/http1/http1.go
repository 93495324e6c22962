// Package http1 is as much of HTTP/1.1 (RFC 9112) as a program needs to call another on the same machine: one request and
// its answer on a connection that serves for nothing else. The tray runs all day and speaks nothing but this; net/http
// would bring it TLS, HTTP/2 and proxies, which is 3 MB of program. It must never follow a redirect, retry, keep a
// connection for later or speak to anything but a local socket.
package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits on what is read of the head of an answer, generous for a service of ours.
const (
	maxLine   = 8 << 10 // bytes of a line
	maxFields = 64      // header fields of an answer, or trailer fields behind its body
	maxHints  = 4       // interim (1xx) answers before the real one
)

// ErrMalformed is what errors.Is finds when an answer is not one of HTTP/1.1, or ends too soon in its head.
var ErrMalformed = errors.New("not an answer of HTTP/1.1")

// Request is what is asked.
type Request struct {
	Method string
	Target string // path and query, escaped
	Host   string
	JSON   bool // the content type is application/json, also of no body
	Body   []byte
}

// Response is an answer. Body ends where the answer does, and is part of the connection: it cannot be read once that is
// closed. A body that is cut short ends with io.ErrUnexpectedEOF.
type Response struct {
	Code   int    // 200
	Status string // "200 OK"
	Body   io.Reader
}

// Exchange sends a request and reads the head of its answer. It closes nothing: the caller ends the connection when it has
// read what it wants of the body, or to break off.
func Exchange(conn io.ReadWriter, r Request) (*Response, error) {
	head, err := r.head()
	if err != nil {
		return nil, err
	}
	_, sent := conn.Write(append(head, r.Body...))
	answer, err := readResponse(bufio.NewReader(conn))
	if err != nil && sent != nil {
		return nil, fmt.Errorf("send the request: %w", sent)
	}
	return answer, err // of a request that was not read whole too: it says why
}

// head writes the request's line and fields (RFC 9112, section 3). What could end them early is refused.
func (r Request) head() ([]byte, error) {
	for _, word := range []string{r.Method, r.Target, r.Host} {
		if word == "" || strings.ContainsFunc(word, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			return nil, fmt.Errorf("%q cannot stand in a request", word)
		}
	}
	head := []byte(r.Method + " " + r.Target + " HTTP/1.1\r\nHost: " + r.Host + "\r\nConnection: close\r\n")
	if r.JSON {
		head = append(head, "Content-Type: application/json\r\n"...)
	}
	if r.JSON || len(r.Body) > 0 {
		head = append(head, "Content-Length: "+strconv.Itoa(len(r.Body))+"\r\n"...)
	}
	return append(head, "\r\n"...), nil
}

// readResponse reads the head of the answer.
func readResponse(in *bufio.Reader) (*Response, error) {
	for range maxHints {
		r, fields, err := readHead(in)
		if err != nil {
			return nil, err
		}
		if r.Code >= 200 {
			r.Body, err = bodyOf(in, r.Code, fields)
			return r, err
		}
	}
	return nil, fmt.Errorf("%w: nothing but interim answers", ErrMalformed)
}

// readHead reads one status line and the fields after it, by their names in lower case.
func readHead(in *bufio.Reader) (*Response, map[string]string, error) {
	line, err := readLine(in)
	if err != nil {
		return nil, nil, err
	}
	version, status, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(status, " ")
	number, err := strconv.ParseUint(code, 10, 16)
	if version != "HTTP/1.1" || err != nil || len(code) != 3 || number < 100 {
		return nil, nil, fmt.Errorf("%w: it begins %.40q", ErrMalformed, line)
	}
	fields, err := readFields(in)
	return &Response{Code: int(number), Status: status}, fields, err
}

// readFields reads fields until the empty line that ends them. Of what decides where a body ends, there must be only one.
func readFields(in *bufio.Reader) (map[string]string, error) {
	fields := map[string]string{}
	for range maxFields {
		line, err := readLine(in)
		if err != nil || line == "" {
			return fields, err
		}
		name, value, found := strings.Cut(line, ":")
		if !found || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("%w: a field reads %.40q", ErrMalformed, line)
		}
		name = strings.ToLower(name)
		if _, twice := fields[name]; twice && (name == "content-length" || name == "transfer-encoding") {
			return nil, fmt.Errorf("%w: it has two fields %s", ErrMalformed, name)
		}
		fields[name] = strings.Trim(value, " \t")
	}
	return nil, fmt.Errorf("%w: more than %d fields", ErrMalformed, maxFields)
}

// readLine returns a line without its end.
func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return "", fmt.Errorf("%w: a line of more than %d bytes", ErrMalformed, maxLine)
		}
		if err == nil {
			break
		}
		if errors.Is(err, io.EOF) {
			return "", fmt.Errorf("%w: %w", ErrMalformed, io.ErrUnexpectedEOF)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
	if strings.ContainsAny(text, "\r\x00") {
		return "", fmt.Errorf("%w: a control character in %.40q", ErrMalformed, text)
	}
	return text, nil
}
