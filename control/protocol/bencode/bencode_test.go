package bencode

import (
	"bytes"
	"testing"
)

func TestDecodeRefusesEverySecondSpelling(t *testing.T) {
	for _, in := range []string{
		"", "i", "i1", "i01e", "i-0e", "i+1e", "ie", "i1 e", "01:a", "1:", "-1:a", "99999999999999999999:a",
		"l", "le ", "d", "d1:a", "d1:ai1e1:ai2ee", "d1:bi1e1:ai2ee", "di1ei2ee", "x", "i9223372036854775808e",
	} {
		if v, err := Decode([]byte(in)); err == nil {
			t.Errorf("Decode(%q) = %v; want an error", in, v)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, in := range []string{"i0e", "i-7e", "0:", "3:abc", "le", "li1e1:ae", "de", "d0:i1e1:ad1:xleee"} {
		v, err := Decode([]byte(in))
		if err != nil {
			t.Errorf("Decode(%q): %v", in, err)
			continue
		}
		if got := Encode(v); string(got) != in {
			t.Errorf("Encode(Decode(%q)) = %q", in, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"i0e", "d1:ai1ee", "li1el2:abee", "d4:infod6:lengthi5eee"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Decode(data)
		if err != nil {
			return
		}
		if got := Encode(v); !bytes.Equal(got, data) {
			t.Errorf("%q decodes, but encodes as %q", data, got)
		}
	})
}
