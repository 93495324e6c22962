package bencode

import (
	"errors"
	"fmt"
)

// Reader reads a value part by part. It accepts what Decode accepts, and allocates nothing in
// proportion to its input, so it serves where a stranger chooses how large and how bushy the input is.
// After an error the reader is of no more use.
type Reader struct {
	d     decoder
	depth int
}

// NewReader reads from data, which must not change while its parts are in use.
func NewReader(data []byte) *Reader { return &Reader{d: decoder{data: data}} }

// Dict reads a dictionary. It calls each for every key in turn, and each must read exactly one value;
// an error of each comes back as it is.
func (r *Reader) Dict(each func(key []byte) error) error {
	if err := r.open('d'); err != nil {
		return err
	}
	var last []byte
	for first := true; !r.close(); first = false {
		key, err := r.d.bytes()
		if err != nil {
			return r.at(err)
		}
		if !first && string(key) <= string(last) {
			return r.at(fmt.Errorf("key %.80q is repeated or out of order", key))
		}
		last = key
		if err := each(key); err != nil {
			return err
		}
	}
	return nil
}

// Int reads a number.
func (r *Reader) Int() (int64, error) {
	if err := r.open('i'); err != nil {
		return 0, err
	}
	r.depth--
	n, err := r.d.number('e')
	return n, r.at(err)
}

// Bytes reads a byte string, which aliases the input.
func (r *Reader) Bytes() ([]byte, error) {
	if err := r.count(); err != nil {
		return nil, err
	}
	if c := r.next(); c < '0' || c > '9' {
		return nil, r.at(errors.New("expected a byte string"))
	}
	b, err := r.d.bytes()
	return b, r.at(err)
}

// Raw reads any one value and returns the bytes that spell it, which alias the input.
func (r *Reader) Raw() ([]byte, error) { return r.Spelling(r.skip) }

// Spelling calls read, which must read exactly one value, and returns the bytes that spell it, which
// alias the input. An error of read comes back as it is.
func (r *Reader) Spelling(read func() error) ([]byte, error) {
	start := r.d.pos
	if err := read(); err != nil {
		return nil, err
	}
	return r.d.data[start:r.d.pos:r.d.pos], nil
}

func (r *Reader) skip() (err error) {
	switch r.next() {
	case 'd':
		return r.Dict(func([]byte) error { return r.skip() })
	case 'l':
		err = r.open('l')
		for err == nil && !r.close() {
			err = r.skip()
		}
	case 'i':
		_, err = r.Int()
	default:
		_, err = r.Bytes()
	}
	return err
}

// End returns an error if anything is left.
func (r *Reader) End() error {
	if n := len(r.d.data) - r.d.pos; n != 0 {
		return fmt.Errorf("bencode: %d bytes behind the value", n)
	}
	return nil
}

// next returns the byte that is read next, 0 at the end.
func (r *Reader) next() byte {
	if r.d.pos < len(r.d.data) {
		return r.d.data[r.d.pos]
	}
	return 0
}

// count is called once for each value.
func (r *Reader) count() error {
	if r.d.nodes++; r.d.nodes > maxNodes {
		return r.at(errors.New("too many values"))
	}
	if r.depth > maxDepth {
		return r.at(errors.New("nested too deeply"))
	}
	return nil
}

func (r *Reader) open(kind byte) error {
	if err := r.count(); err != nil {
		return err
	}
	if r.next() != kind {
		return r.at(fmt.Errorf("expected a value that begins with %q", kind))
	}
	r.depth++
	r.d.pos++
	return nil
}

// close consumes the end of a list or dictionary if it is next.
func (r *Reader) close() bool {
	if r.next() != 'e' {
		return false
	}
	r.d.pos++
	r.depth--
	return true
}

func (r *Reader) at(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bencode at byte %d: %w", r.d.pos, err)
}
