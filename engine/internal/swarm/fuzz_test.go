package swarm

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

// seeds are frames of every kind, good and bad.
func seeds(o *object) [][]byte {
	return [][]byte{
		frameKeepAlive, frameChoke, frameUnchoke, o.hasAll(),
		message1(msgInterested), message1(msgNotInterested), message1(msgHave, words(0)...),
		message1(msgRequest, words(0, 0, 1<<10)...), message1(msgCancel, words(0, 0, 1<<10)...),
		message1(msgPiece, append(words(0, 0), o.piece(0)...)...),
		message1(msgClaims), message1(msgClaims, words(0, 2)...), message1(msgClaims, words(2, 0)...), message1(msgClaims, 0, 0),
		message1(0x0e), message1(0x0f), message1(20, 0, 'd', 'e'), message1(21, make([]byte, 48)...),
		words(1<<32 - 1), words(1 << 31), {0, 0},
	}
}

func FuzzDecode(f *testing.F) {
	o := makeObject(10*16<<10+100, 16<<10)
	l, err := layOut(o.Content)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range seeds(o) {
		f.Add(s[min(prefix, len(s)):])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := l.decode(body)
		if err != nil || m.keepAlive {
			return
		}
		switch m.id {
		case msgRequest, msgCancel, msgPiece:
			b := m.block
			if b.piece < 0 || b.piece >= o.Pieces || b.begin < 0 || b.length <= 0 || b.length > mostChunk ||
				b.begin+b.length > len(o.piece(b.piece)) {
				t.Errorf("accepted %+v", b)
			}
			if m.id == msgPiece && len(m.payload) != b.length {
				t.Errorf("%d bytes for %+v", len(m.payload), b)
			}
		case msgClaims:
			for k, i := range m.claims {
				if i < 0 || i >= o.Pieces || k > 0 && m.claims[k-1] >= i || k >= mostClaims {
					t.Errorf("accepted claims %v", m.claims)
				}
			}
		case msgHave:
			if m.block.piece < 0 || m.block.piece >= o.Pieces {
				t.Errorf("accepted have %d", m.block.piece)
			}
		}
	})
}

// What the library says passes whole or not at all, and never includes what links alone may say.
func FuzzOutgoing(f *testing.F) {
	o := makeObject(10*16<<10+100, 16<<10)
	l, err := layOut(o.Content)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range seeds(o) {
		f.Add(s)
		f.Add(append(message1(msgInterested), s...))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if l.checkOutgoing(p) != nil {
			return
		}
		for len(p) > 0 {
			n := prefix + int(p[3]) + int(p[2])<<8 + int(p[1])<<16 + int(p[0])<<24
			if n > len(p) {
				t.Fatal("accepted part of a frame")
			}
			if n > prefix && (p[prefix] == msgPiece || p[prefix] > msgCancel || p[prefix] == msgUnchoke) {
				t.Fatalf("accepted message %d", p[prefix])
			}
			p = p[n:]
		}
	})
}

// Whatever a peer says after its handshake, however it is cut, the real library survives it, and being
// left afterwards; and no wrong byte is kept (memory checks that).
func FuzzPeer(f *testing.F) {
	o := makeObject(4*16<<10, 16<<10)
	var all []byte
	for _, s := range seeds(o)[:10] {
		all = append(all, s...)
	}
	f.Add(all, uint16(7))
	for _, s := range seeds(o) {
		f.Add(append(append(append([]byte(nil), frameUnchoke...), o.hasAll()...), s...), uint16(1000))
	}
	f.Fuzz(func(t *testing.T, say []byte, cut uint16) {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, "victim", o.with(t, func(i int) bool { return i == 0 }))
			r := dialRaw(t, c, "fuzz")
			go func() {
				for {
					if _, _, ok := r.next(); !ok {
						return
					}
				}
			}()
			for len(say) > 0 {
				n := min(int(cut)+1, len(say))
				r.write(say[:n])
				synctest.Wait()
				say = say[n:]
			}
			time.Sleep(time.Second)
			r.conn.Close()
			synctest.Wait()
			c.Leave()
			if !bytes.Equal(c.mem.data[:16<<10], o.piece(0)) {
				t.Error("a verified piece has changed")
			}
		})
	})
}
