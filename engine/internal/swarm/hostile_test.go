package swarm

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// What a peer may not say ends its connection, and only that: afterwards the swarm still works, and can
// be left.
func TestHostileMessageEndsItsConnectionOnly(t *testing.T) {
	o := makeObject(40*64<<10, 64<<10) // 40 pieces: a bitfield of exactly 5 bytes
	odd := makeObject(4*64<<10, 64<<10)
	for _, c := range []struct {
		name   string
		object *object
		say    []byte
	}{
		{"have all, have none, have: crashes the library", o, append(append(message1(0x0e), message1(0x0f)...), message1(msgHave, words(0)...)...)},
		{"have none", o, message1(0x0f)},
		{"suggest", o, message1(0x0d, words(0)...)},
		{"reject", o, message1(0x10, words(0, 0, 16<<10)...)},
		{"allowed fast", o, message1(0x11, words(0)...)},
		{"DHT port", o, message1(9, 1, 2)},
		{"extended handshake", o, message1(20, append([]byte{0}, "d1:md6:ut_pexi1eee"...)...)},
		{"hash request", o, message1(21, make([]byte, 48)...)},
		{"hashes", o, message1(22, make([]byte, 48+64)...)},
		{"hash reject", o, message1(23, make([]byte, 48)...)},
		{"unknown message", o, message1(99)},
		{"frame of 4 GiB", o, words(1<<32 - 1)},
		{"negative frame length", o, words(1 << 31)},
		{"frame a byte too long", o, words(pieceHeader + mostChunk + 1)},
		{"choke with a body", o, message1(msgChoke, 0)},
		{"have too short", o, message1(msgHave, 0, 0, 0)},
		{"have out of range", o, message1(msgHave, words(40)...)},
		{"negative have", o, message1(msgHave, words(1<<32-1)...)},
		{"bitfield too short", o, message1(msgBitfield, 0, 0, 0, 0)},
		{"bitfield too long", o, message1(msgBitfield, 0, 0, 0, 0, 0, 0)},
		{"bitfield with spare bits", odd, message1(msgBitfield, 0xf8)},
		{"second bitfield", o, append(o.hasAll(), o.hasAll()...)},
		{"bitfield after have", o, append(message1(msgHave, words(1)...), o.hasAll()...)},
		{"request beyond the piece", o, message1(msgRequest, words(0, 32<<10, 32<<10+1)...)},
		{"request of nothing", o, message1(msgRequest, words(0, 0, 0)...)},
		{"request of 4 GiB", o, message1(msgRequest, words(0, 0, 1<<32-1)...)},
		{"request whose end overflows", o, message1(msgRequest, words(0, 1<<32-1, 1)...)},
		{"request of a piece out of range", o, message1(msgRequest, words(40, 0, 1)...)},
		{"request of a piece we do not have", o, message1(msgRequest, words(1, 0, 1)...)},
		{"cancel out of range", o, message1(msgCancel, words(40, 0, 1)...)},
		{"piece without payload", o, message1(msgPiece, words(0, 0)...)},
		{"piece too short", o, message1(msgPiece, words(0)...)},
		{"piece beyond its end", o, message1(msgPiece, append(words(0, 64<<10-1), 1, 2)...)},
		{"piece out of range", o, message1(msgPiece, append(words(40, 0), 1)...)},
		{"piece that nobody asked for", o, message1(msgPiece, append(words(1, 0), make([]byte, mostChunk)...)...)},
		{"too many requests", o, manyRequests()},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				victim := newClient(t, "victim", c.object.with(t, func(i int) bool { return i == 0 }), func(cfg *Config) { cfg.UploadLimiter = &pacer{} })
				r := dialRaw(t, victim, "hostile")
				go r.write(c.say)
				r.ended()
				seeder := newClient(t, "seeder", c.object.full(t))
				connect(t, seeder, victim)
				wait(t, victim.mem)
			})
		})
	}
}

func manyRequests() (all []byte) {
	for k := range maxRequests + 2 {
		all = append(all, message1(msgRequest, words(0, uint32(k), 1)...)...)
	}
	return all
}

func TestHandshakeIsChecked(t *testing.T) {
	o := makeObject(256<<10, 64<<10)
	hash := infoHash(o.ID)
	good := newHandshake(hash, [20]byte{1})
	for _, c := range []struct {
		name string
		say  func(self [20]byte) []byte
	}{
		{"another object", func([20]byte) []byte { h := newHandshake([20]byte{9}, [20]byte{1}); return h[:] }},
		{"another protocol", func([20]byte) []byte { h := good; h[3] ^= 1; return h[:] }},
		{"encrypted", func([20]byte) []byte { return make([]byte, 96) }},
		{"ourselves", func(self [20]byte) []byte { h := newHandshake(hash, self); return h[:] }},
		{"cut short", func([20]byte) []byte { return good[:67] }},
		{"nothing at all", func([20]byte) []byte { return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				victim := newClient(t, "victim", o.empty(t))
				near, far := newPipe()
				if err := victim.Offer(PeerID{1}, far, true, OfferOptions{}); err != nil {
					t.Fatal(err)
				}
				near.Write(c.say(victim.self))
				began := time.Now()
				got, _ := io.ReadAll(near)
				if len(got) > len(good) {
					t.Errorf("the handshake was answered with %d bytes", len(got))
				}
				if took := time.Since(began); took > handshakeTimeout {
					t.Errorf("took %v", took)
				}
				synctest.Wait()
				if n := len(victim.Peers()); n != 0 {
					t.Errorf("%d peers are connected", n)
				}
			})
		})
	}
}

// The reserved bits of a peer, which offer extensions, never reach the library.
func TestOffersOfExtensionsAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(1<<20, 64<<10)
		leecher := newClient(t, "leecher", o.empty(t))
		near, far := newPipe()
		leecher.Offer(PeerID{1}, far, false, OfferOptions{})
		hello := newHandshake(infoHash(o.ID), [20]byte{1})
		binary.BigEndian.PutUint64(hello[20:], 1<<64-1)
		near.Write(hello[:])
		var theirs handshake
		io.ReadFull(near, theirs[:])
		theirs[reservedByte] &^= knowsClaims
		if bits := binary.BigEndian.Uint64(theirs[20:]); bits != 0 {
			t.Errorf("reserved bits are %x", bits)
		}
		r := &raw{t, near}
		go r.serve(o, func(block) bool { return false })
		wait(t, leecher.mem)
	})
}

func TestPeerThatSpoilsEverythingIsBanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(4<<20, 256<<10)
		leecher := newClient(t, "leecher", o.empty(t))
		r := dialRaw(t, leecher, "polluter")
		r.serve(o, func(block) bool { return true })
		var polluter PeerID
		copy(polluter[:], "polluter")
		leecher.diary.until(t, "rejected", func() bool { return leecher.diary.blamed[polluter] > 0 })
		if n := leecher.diary.blamed[polluter]; n > 2 {
			t.Errorf("banned after %d bad pieces", n)
		}
		near, far := newPipe()
		if err := leecher.Offer(polluter, far, false, OfferOptions{}); !errors.Is(err, ErrBanned) {
			t.Errorf("Offer() = %v", err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the refused connection is not closed: %v", err)
		}
		seeder := newClient(t, "seeder", o.full(t))
		connect(t, seeder, leecher)
		wait(t, leecher.mem)
		if got := leecher.Totals(); got.Received-got.Wasted != o.Length {
			t.Errorf("totals: %+v", got)
		}
	})
}

// Among several peers, the one that spoils blocks is found out and banned; the others stay.
func TestPolluterAmongSeedersIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(8<<20, 512<<10)
		leecher := newClient(t, "leecher", o.empty(t))
		var honest []*client
		for _, name := range []string{"a", "b"} {
			c := newClient(t, name, o.full(t), limitUpload(1<<20))
			connect(t, c, leecher)
			honest = append(honest, c)
		}
		r := dialRaw(t, leecher, "polluter")
		pace := &pacer{rate: 1 << 20}
		sent := 0
		go r.serve(o, func(b block) bool {
			pace.WaitN(t.Context(), b.length)
			sent++
			return sent%3 == 0
		})
		wait(t, leecher.mem)
		synctest.Wait()
		var polluter PeerID
		copy(polluter[:], "polluter")
		if !leecher.engine.isBanned(polluter) {
			t.Error("the polluter is not banned")
		}
		for _, c := range honest {
			if leecher.engine.isBanned(c.name) {
				t.Errorf("%s is banned", c.name)
			}
		}
	})
}

// A bad block is also traced when an edge, not peers, delivers the right piece.
func TestPolluterIsFoundByTheEdgesPiece(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(32<<10, 32<<10) // one piece of two chunks, one of each peer
		leecher := newClient(t, "leecher", o.empty(t))
		leecher.Unwant(0)
		good, bad := dialRaw(t, leecher, "good"), dialRaw(t, leecher, "bad")
		for _, r := range []*raw{good, bad} {
			r.announce(o)
		}
		synctest.Wait()
		leecher.Want(0)
		first, second := good.request(), bad.request()
		if first == second {
			t.Fatalf("both are asked for %v", first)
		}
		good.sendBlock(o, first, false)
		bad.sendBlock(o, second, true)
		leecher.diary.until(t, "rejected", func() bool { return len(leecher.diary.rejected) == 1 })
		leecher.mem.commit(0)
		leecher.Done(0, 0)
		synctest.Wait()
		var goodID, badID PeerID
		copy(goodID[:], "good")
		copy(badID[:], "bad")
		if !leecher.engine.isBanned(badID) || leecher.engine.isBanned(goodID) {
			t.Errorf("banned: bad %v, good %v", leecher.engine.isBanned(badID), leecher.engine.isBanned(goodID))
		}
	})
}

// request waits for the next request.
func (r *raw) request() block {
	for {
		id, body, ok := r.next()
		if !ok {
			r.t.Fatal("the connection ended before a request")
		}
		if id == msgRequest {
			return asBlock(body)
		}
	}
}
