// Package bencode reads and writes bencoding (BEP 3) in its one canonical form: sorted unique keys,
// no leading zeros, nothing behind the value. What Decode accepts, Encode reproduces to the byte, so
// that hashes and signatures over a decoded value hold. It must never accept a second spelling of a
// value, nor use memory out of proportion to its input: both of its inputs come from strangers.
package bencode

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Dict is a decoded dictionary. Values are int64, []byte, []any and Dict.
type Dict map[string]any

const (
	maxDepth = 64      // BEP 52 nests one dictionary per path component
	maxNodes = 200_000 // 20,000 files cost about six each
)

// Decode reads exactly one value. Byte strings alias data, which the caller must not change.
func Decode(data []byte) (any, error) {
	d := decoder{data: data}
	v, err := d.value(0)
	if err != nil {
		return nil, fmt.Errorf("bencode at byte %d: %w", d.pos, err)
	}
	if d.pos != len(data) {
		return nil, fmt.Errorf("bencode: %d bytes behind the value", len(data)-d.pos)
	}
	return v, nil
}

// DecodeDict is Decode for a value that must be a dictionary.
func DecodeDict(data []byte) (Dict, error) {
	v, err := Decode(data)
	if err != nil {
		return nil, err
	}
	d, ok := v.(Dict)
	if !ok {
		return nil, errors.New("bencode: not a dictionary")
	}
	return d, nil
}

type decoder struct {
	data  []byte
	pos   int
	nodes int
}

var errShort = errors.New("unexpected end")

func (d *decoder) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	if d.nodes++; d.nodes > maxNodes {
		return nil, errors.New("too many values")
	}
	if d.pos >= len(d.data) {
		return nil, errShort
	}
	switch c := d.data[d.pos]; {
	case c == 'i':
		d.pos++
		return d.number('e')
	case c >= '0' && c <= '9':
		return d.bytes()
	case c == 'l':
		return d.list(depth)
	case c == 'd':
		return d.dict(depth)
	default:
		return nil, fmt.Errorf("unexpected byte %q", c)
	}
}

// number reads a canonical decimal up to the terminator end.
func (d *decoder) number(end byte) (int64, error) {
	const maxDigits = 19 // of an int64; as many fit a uint64
	digits := d.data[d.pos:]
	negative := len(digits) > 0 && digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	var v uint64
	n := 0
	for n < len(digits) && n <= maxDigits && digits[n] >= '0' && digits[n] <= '9' {
		v = v*10 + uint64(digits[n]-'0')
		n++
	}
	switch {
	case n == len(digits):
		return 0, errors.New("number without end")
	case n == 0 || n > maxDigits || digits[n] != end, digits[0] == '0' && (n > 1 || negative):
		return 0, errors.New("not a canonical number")
	case negative && v <= -math.MinInt64:
		d.pos += 1 + n + 1
		return -int64(v), nil
	case !negative && v <= math.MaxInt64:
		d.pos += n + 1
		return int64(v), nil
	}
	return 0, errors.New("number beyond 64 bits")
}

func (d *decoder) bytes() ([]byte, error) {
	n, err := d.number(':')
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(len(d.data)-d.pos) {
		return nil, errShort
	}
	b := d.data[d.pos : d.pos+int(n) : d.pos+int(n)]
	d.pos += int(n)
	return b, nil
}

func (d *decoder) list(depth int) (any, error) {
	d.pos++
	list := []any{}
	for {
		if d.pos >= len(d.data) {
			return nil, errShort
		}
		if d.data[d.pos] == 'e' {
			d.pos++
			return list, nil
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

func (d *decoder) dict(depth int) (any, error) {
	d.pos++
	dict := Dict{}
	last := ""
	for {
		if d.pos >= len(d.data) {
			return nil, errShort
		}
		if d.data[d.pos] == 'e' {
			d.pos++
			return dict, nil
		}
		raw, err := d.bytes()
		if err != nil {
			return nil, err
		}
		key := string(raw)
		if len(dict) > 0 && key <= last {
			return nil, fmt.Errorf("key %q is repeated or out of order", key)
		}
		last = key
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		dict[key] = v
	}
}

// Encode writes v: a Dict, []any, []byte, string, int64 or int. It panics on any other type, which
// is the caller's mistake and not a property of the data.
func Encode(v any) []byte { return appendValue(nil, v) }

func appendValue(out []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return fmt.Appendf(out, "i%de", v)
	case int:
		return fmt.Appendf(out, "i%de", v)
	case string:
		return append(appendLen(out, len(v)), v...)
	case []byte:
		return append(appendLen(out, len(v)), v...)
	case []any:
		out = append(out, 'l')
		for _, x := range v {
			out = appendValue(out, x)
		}
		return append(out, 'e')
	case Dict:
		out = append(out, 'd')
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			out = append(appendLen(out, len(k)), k...)
			out = appendValue(out, v[k])
		}
		return append(out, 'e')
	default:
		panic(fmt.Sprintf("bencode: cannot encode %T", v))
	}
}

func appendLen(out []byte, n int) []byte {
	return append(strconv.AppendInt(out, int64(n), 10), ':')
}

// Bytes returns the byte string under key, or nil if there is none.
func (d Dict) Bytes(key string) []byte { b, _ := d[key].([]byte); return b }

// String returns the byte string under key as a string.
func (d Dict) String(key string) string { return string(d.Bytes(key)) }

// Int returns the number under key; ok tells whether there is one.
func (d Dict) Int(key string) (n int64, ok bool) { n, ok = d[key].(int64); return }

// Dict returns the dictionary under key, or nil.
func (d Dict) Dict(key string) Dict { v, _ := d[key].(Dict); return v }

// List returns the list under key, or nil.
func (d Dict) List(key string) []any { v, _ := d[key].([]any); return v }

// Strings returns the list of byte strings under key; ok is false if an element is anything else.
func (d Dict) Strings(key string) (list []string, ok bool) {
	for _, v := range d.List(key) {
		b, isBytes := v.([]byte)
		if !isBytes {
			return nil, false
		}
		list = append(list, string(b))
	}
	return list, true
}

// MaxInt is the largest number that Decode accepts.
const MaxInt = math.MaxInt64
