package bencode

import (
	"bytes"
	"strings"
	"testing"
)

func TestReaderReadsPartByPart(t *testing.T) {
	r := NewReader([]byte("d1:ai7e1:b3:xyz1:cd1:kli1e0:deeee"))
	var n int64
	var b, raw []byte
	err := r.Dict(func(key []byte) (err error) {
		switch string(key) {
		case "a":
			n, err = r.Int()
		case "b":
			b, err = r.Bytes()
		default:
			raw, err = r.Raw()
		}
		return err
	})
	if err != nil || r.End() != nil || n != 7 || string(b) != "xyz" || string(raw) != "d1:kli1e0:deee" {
		t.Errorf("read %d, %q, %q, %v, end %v", n, b, raw, err, r.End())
	}
}

// Reader and Decode must never differ: what one hashes the other may have verified.
func FuzzReaderAgreesWithDecode(f *testing.F) {
	for _, s := range []string{
		"i0e", "d1:ai1ee", "li1el2:abee", "d4:infod6:lengthi5eee", "d1:bi1e1:ai2ee", "i01e", "di1ei2ee", "l", "x", "1:",
		strings.Repeat("l", 64) + strings.Repeat("e", 64), strings.Repeat("l", 65) + strings.Repeat("e", 65), "d0:i1e0:i2ee",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, want := Decode(data)
		r := NewReader(data)
		raw, err := r.Raw()
		if err == nil {
			err = r.End()
		}
		if (err == nil) != (want == nil) {
			t.Fatalf("Reader: %v, Decode: %v", err, want)
		}
		if err == nil && !bytes.Equal(raw, data) {
			t.Errorf("Raw = %q; want %q", raw, data)
		}
	})
}
