package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// bodyOf returns what follows the head, as far as it belongs to the answer (RFC 9112, section 6.3).
func bodyOf(in *bufio.Reader, code int, fields map[string]string) (io.Reader, error) {
	length, sized := fields["content-length"]
	coding, coded := fields["transfer-encoding"]
	switch {
	case code == 204 || code == 304:
		return strings.NewReader(""), nil
	case sized && coded:
		return nil, fmt.Errorf("%w: it can be read in two ways, by its length and in chunks", ErrMalformed)
	case coded:
		if !strings.EqualFold(coding, "chunked") {
			return nil, fmt.Errorf("%w: the transfer coding %.40q is unknown", ErrMalformed, coding)
		}
		return &chunked{in: in}, nil
	case sized:
		n, err := strconv.ParseUint(length, 10, 63)
		if err != nil {
			return nil, fmt.Errorf("%w: the length %.40q is none", ErrMalformed, length)
		}
		return &measured{in: in, left: int64(n)}, nil
	}
	return in, nil // it ends with the connection
}

// measured is a body of a length that was told.
type measured struct {
	in   *bufio.Reader
	left int64
}

func (m *measured) Read(p []byte) (int, error) {
	if m.left == 0 {
		return 0, io.EOF
	}
	n, err := m.in.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	return n, tooSoon(err)
}

// chunked is a body in pieces, each behind its length in hexadecimal (RFC 9112, section 7.1).
type chunked struct {
	in   *bufio.Reader
	left int64 // of the piece that is being read
	err  error // how it ended
	some bool  // a piece has been read, whose line end comes next
}

func (c *chunked) Read(p []byte) (int, error) {
	if c.left == 0 && c.err == nil {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.err = tooSoon(err)
	return n, c.err
}

// next reads up to the next piece. io.EOF: there is none.
func (c *chunked) next() error {
	if c.some {
		if line, err := readLine(c.in); err != nil || line != "" {
			return errors.Join(fmt.Errorf("%w: a chunk is longer than it says", ErrMalformed), err)
		}
	}
	c.some = true
	line, err := readLine(c.in)
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(line, ";") // extensions mean nothing to us
	n, err := strconv.ParseUint(strings.TrimRight(size, " \t"), 16, 63)
	if err != nil {
		return fmt.Errorf("%w: a chunk of the length %.40q", ErrMalformed, size)
	}
	if c.left = int64(n); c.left > 0 {
		return nil
	}
	if _, err := readFields(c.in); err != nil {
		return err
	}
	return io.EOF
}

// tooSoon turns an end inside a body into what it is: a broken connection.
func tooSoon(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
