package peerlink

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/control/protocol"
)

func encoded(t testing.TB, h helloMessage) []byte {
	t.Helper()
	b, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHello(t *testing.T) {
	for _, h := range []helloMessage{
		{introduction: [16]byte{1}, content: protocol.ContentID{2}, grant: []byte{}},
		{introduction: [16]byte{3}, content: protocol.ContentID{4}, grant: []byte("a grant")},
		{grant: make([]byte, maxHello-helloFixed)},
	} {
		rest := "what follows is not touched"
		r := io.MultiReader(bytes.NewReader(encoded(t, h)), bytes.NewReader([]byte(rest)))
		got, err := readHello(iotest.OneByteReader(r))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, got, cmp.AllowUnexported(helloMessage{})); diff != "" {
			t.Errorf("other hello (-want +got):\n%s", diff)
		}
		if left, _ := io.ReadAll(r); string(left) != rest {
			t.Errorf("behind the hello is left %q", left)
		}
	}
	if _, err := (helloMessage{grant: make([]byte, maxHello)}).encode(); err == nil {
		t.Error("a grant of 2 KiB was encoded")
	}
}

func TestHostileHello(t *testing.T) {
	good := encoded(t, helloMessage{grant: []byte("grant")})
	for name, tc := range map[string]struct {
		bytes []byte
		want  error
	}{
		"nothing":        {nil, io.EOF},
		"half a length":  {good[:1], io.ErrUnexpectedEOF},
		"cut":            {good[:len(good)-1], io.ErrUnexpectedEOF},
		"too short":      {[]byte{0, helloFixed - 1}, errHello},
		"too long":       {[]byte{0xff, 0xff}, errHello},
		"other protocol": {[]byte("GET / HTTP/1.1\r\n"), errHello},
		"later version":  {append([]byte{good[0], good[1], 2}, good[3:]...), errHello},
	} {
		if _, err := readHello(bytes.NewReader(tc.bytes)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v; want %v", name, err, tc.want)
		}
	}
}

func FuzzReadHello(f *testing.F) {
	f.Add(encoded(f, helloMessage{}))
	f.Add(encoded(f, helloMessage{grant: []byte("grant")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHello(bytes.NewReader(b))
		if err != nil {
			return
		}
		if again := encoded(t, h); !bytes.HasPrefix(b, again) {
			t.Fatalf("read %x, wrote %x", b, again)
		}
	})
}
