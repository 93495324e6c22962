package swarm

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tributary-dl/tributary/engine/internal/budget"
)

// With sharing off not one payload byte leaves, and the download goes on.
func TestSharingOffSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(4<<20, 256<<10)
		half := func(even int) func(int) bool { return func(i int) bool { return i%2 == even } }
		selfish := newClient(t, "selfish", o.with(t, half(0)))
		selfish.SetUpload(func(PeerID) bool { return false })
		other := newClient(t, "other", o.with(t, half(1)))
		end, _ := connect(t, selfish, other)
		wait(t, selfish.mem)
		time.Sleep(time.Minute)
		if n := other.mem.count(); n != o.Pieces/2 {
			t.Errorf("the other has %d pieces", n)
		}
		if n := selfish.Totals().Sent + other.Totals().Received; n != 0 {
			t.Errorf("%d bytes are counted", n)
		}
		if n := end.written(); n > 8<<10 {
			t.Errorf("%d bytes left, payload must be among them", n)
		}
	})
}

// Sharing can be switched for some peers and at any time; both directions take effect at once.
func TestSharingIsSwitchedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(4<<20, 256<<10)
		seeder := newClient(t, "seeder", o.full(t), limitUpload(1<<20))
		leecher := newClient(t, "leecher", o.empty(t))
		seeder.SetUpload(func(p PeerID) bool { return p != leecher.name })
		connect(t, seeder, leecher)
		time.Sleep(time.Minute)
		if n := leecher.Totals().Received; n != 0 || !stats(leecher, seeder.name).Choking {
			t.Fatalf("received %d bytes", n)
		}
		seeder.SetUpload(everybody)
		time.Sleep(time.Second + 5*time.Millisecond) // between two blocks of the limiter: one under way would cut the link off
		if n := leecher.Totals().Received; n < 800<<10 || n > 1200<<10 {
			t.Errorf("received %d bytes in a second of 1 MiB/s", n)
		}
		seeder.SetUpload(func(PeerID) bool { return false })
		synctest.Wait()
		if got := len(seeder.Peers()); got != 1 {
			t.Fatalf("%d peers are left; want 1, as no block was under way", got)
		}
		before := leecher.Totals().Received
		time.Sleep(time.Minute)
		if n := leecher.Totals().Received - before; n != 0 {
			t.Errorf("received %d bytes after sharing was switched off", n)
		}
		for i := range o.Pieces {
			if n := leecher.Outstanding(i); n != 0 {
				t.Errorf("piece %d: %d requests are outstanding to a peer that does not share", i, n)
			}
		}
		seeder.SetUpload(everybody)
		wait(t, leecher.mem)
		if w := leecher.Totals().Wasted; w != 0 {
			t.Errorf("wasted %d bytes", w)
		}
	})
}

// A block that a slow line is still taking when sharing is switched off does not go on.
func TestABlockUnderWayIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(4<<20, 256<<10)
		seeder, leecher := newClient(t, "seeder", o.full(t), limitUpload(1<<20)), newClient(t, "leecher", o.empty(t))
		end, far := connect(t, seeder, leecher)
		time.Sleep(time.Second)
		far.freeze(true)
		time.Sleep(time.Second)
		if got := len(seeder.Peers()); got != 1 {
			t.Fatalf("%d peers; want 1, whose line is full", got)
		}
		seeder.SetUpload(func(PeerID) bool { return false })
		synctest.Wait()
		before := end.written()
		far.freeze(false)
		time.Sleep(time.Minute)
		if n := end.written() - before; n != 0 {
			t.Errorf("%d bytes left after sharing was switched off", n)
		}
	})
}

// Each connection is asked too, and what time alone decides takes effect without a Kick. Whoever keeps the
// accounts is told of every payload byte.
func TestConnectionsHaveASay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(4<<20, 256<<10)
		seeder, leecher := newClient(t, "seeder", o.full(t)), newClient(t, "leecher", o.empty(t))
		var allowed atomic.Bool
		var sent atomic.Int64
		x, y := newPipe()
		for _, err := range []error{
			seeder.Offer(leecher.name, x, true, OfferOptions{MayServe: true, Allow: allowed.Load, Sent: func(n int) { sent.Add(int64(n)) }}),
			leecher.Offer(seeder.name, y, false, OfferOptions{MayServe: true}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Minute)
		if n := sent.Load() + leecher.Totals().Received; n != 0 {
			t.Fatalf("%d bytes left by a connection that objects", n)
		}
		allowed.Store(true)
		time.Sleep(keepAlive)
		wait(t, leecher.mem)
		synctest.Wait()
		if got, want := sent.Load(), seeder.Totals().Sent; got != want || got < o.Length {
			t.Errorf("told of %d bytes; %d were sent, of an object of %d", got, want, o.Length)
		}
	})
}

// One limit holds for all peers together, and a change of it reaches those who wait.
func TestLimitHoldsForAllPeersTogether(t *testing.T) {
	for _, side := range []string{"upload", "download", "download of one object"} {
		t.Run(side, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := makeObject(16<<20, 256<<10)
				limit := budget.NewLimiter(1 << 20)
				var total func() int64
				if side == "upload" {
					seeder := newClient(t, "seeder", o.full(t), func(c *Config) { c.UploadLimiter = limit })
					for _, name := range []string{"one", "two", "three"} {
						connect(t, seeder, newClient(t, name, o.empty(t)))
					}
					total = func() int64 { return seeder.Totals().Sent }
				} else {
					set := func(c *Config) { c.DownloadLimiter = limit }
					if side != "download" {
						o.Content.Limiter, set = limit, func(*Config) {}
					}
					leecher := newClient(t, "leecher", o.empty(t), set)
					o.Content.Limiter = nil // the seeders send as they like
					for _, name := range []string{"one", "two", "three"} {
						connect(t, newClient(t, name, o.full(t)), leecher)
					}
					total = func() int64 { return leecher.Totals().Received }
				}
				within := func(step string, seconds, rate int64) {
					t.Helper()
					before := total()
					time.Sleep(time.Duration(seconds) * time.Second)
					if got, want := total()-before, seconds*rate; got < want*8/10 || got > want*12/10 {
						t.Errorf("%s: %d bytes in %d s; want about %d", step, got, seconds, want)
					}
				}
				within("at 1 MiB/s", 4, 1<<20)
				limit.SetRate(4 << 20)
				within("at 4 MiB/s", 2, 4<<20)
				limit.SetRate(0)
				time.Sleep(time.Second / 2)
				within("stopped", 10, 0)
			})
		})
	}
}

func TestPeerWithoutGrantIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(1<<20, 256<<10)
		seeder, leecher := newClient(t, "seeder", o.full(t)), newClient(t, "leecher", o.empty(t))
		x, y := newPipe()
		seeder.Offer(leecher.name, x, false, OfferOptions{})
		leecher.Offer(seeder.name, y, true, OfferOptions{MayServe: true})
		time.Sleep(time.Minute)
		if got := seeder.Totals(); got != (Totals{}) {
			t.Errorf("totals: %+v", got)
		}
	})
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(seeder, leecher *Config)
	}{
		{"upload", func(s, _ *Config) { s.UploadLimiter = &pacer{rate: 1 << 20} }},
		{"download", func(_, l *Config) { l.DownloadLimiter = &pacer{rate: 1 << 20} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := makeObject(8<<20, 256<<10)
				var mine, theirs Config
				c.change(&theirs, &mine)
				set := func(from *Config) func(*Config) {
					return func(to *Config) { to.UploadLimiter, to.DownloadLimiter = from.UploadLimiter, from.DownloadLimiter }
				}
				seeder := newClient(t, "seeder", o.full(t), set(&theirs))
				leecher := newClient(t, "leecher", o.empty(t), set(&mine))
				began := time.Now()
				connect(t, seeder, leecher)
				time.Sleep(5 * time.Second)
				if r := stats(leecher, seeder.name).Rate; r < 0.8*(1<<20) || r > 1.2*(1<<20) {
					t.Errorf("rate is said to be %.0f", r)
				}
				if stats(leecher, seeder.name).Stalled {
					t.Error("a limit of ours is taken for a stall")
				}
				wait(t, leecher.mem)
				if took := time.Since(began); took < 7*time.Second || took > 9*time.Second {
					t.Errorf("took %v; 8 MiB at 1 MiB/s are worth 8 s", took)
				}
			})
		})
	}
}

// Nothing is asked for unless wanted, and nothing new once it is not wanted any more.
func TestWantAndUnwant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(2<<20, 256<<10) // 8 pieces
		seeder, leecher := newClient(t, "seeder", o.full(t)), newClient(t, "leecher", o.empty(t))
		leecher.Unwant(0, 1, 2, 3, 4, 5, 6, 7)
		connect(t, seeder, leecher)
		synctest.Wait()
		if n := leecher.mem.count(); n != 0 {
			t.Fatalf("%d pieces came unasked", n)
		}
		leecher.Want(3, 5)
		synctest.Wait()
		if !leecher.mem.Verified(3) || !leecher.mem.Verified(5) || leecher.mem.count() != 2 {
			t.Errorf("pieces: %v", leecher.mem.verified)
		}
		leecher.Unwant(3) // verified: nothing to take back
		leecher.Want(0, 1, 2, 3, 4, 5, 6, 7)
		wait(t, leecher.mem)
		if got := leecher.Totals(); got.Received != o.Length || got.Wasted != 0 {
			t.Errorf("totals: %+v", got)
		}
	})
}

// An edge claims a piece that peers have begun with, delivers it, and what peers send late changes
// nothing.
func TestDoneCancelsAndLateBlocksAreHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(1<<20, 512<<10) // 2 pieces of 8 chunks
		leecher := newClient(t, "leecher", o.empty(t))
		leecher.Unwant(1)
		watcher := dialRaw(t, leecher, "watcher")
		r := dialRaw(t, leecher, "slow")
		r.announce(o)
		first := r.request()
		r.sendBlock(o, first, false)
		synctest.Wait()
		if got := leecher.Received(0); got != mostChunk {
			t.Errorf("Received(0) = %d", got)
		}
		if n := leecher.Outstanding(0); n == 0 {
			t.Error("nothing is outstanding")
		}
		second := r.request()

		leecher.mem.commit(0)
		leecher.Done(0, 0)
		if n, got := leecher.Outstanding(0), leecher.Received(0); n != 0 || got != 0 {
			t.Errorf("after Done, %d requests are outstanding and %d bytes received", n, got)
		}
		for cancelled := false; !cancelled; {
			id, body, ok := r.next()
			if !ok {
				t.Fatal("the connection ended")
			}
			cancelled = id == msgCancel && asBlock(body) == second
		}
		for have := false; !have; {
			id, _, ok := watcher.next()
			if !ok {
				t.Fatal("the watcher's connection ended")
			}
			have = id == msgHave
		}

		r.sendBlock(o, second, true) // late, and wrong
		synctest.Wait()
		if string(leecher.mem.data[:512<<10]) != string(o.piece(0)) {
			t.Error("a late block has changed a committed piece")
		}
		leecher.Want(1)
		go r.answer(o, func(block) bool { return false })
		wait(t, leecher.mem)
		if got, want := leecher.Totals(), (Totals{Received: 512<<10 + 2*mostChunk, Wasted: 2 * mostChunk}); got != want {
			t.Errorf("totals: %+v, want %+v", got, want)
		}
	})
}

// What the caller keeps of peers' bytes, when the edge brought the rest, is not wasted.
func TestDoneKeepsABeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(512<<10, 512<<10)
		leecher := newClient(t, "leecher", o.empty(t))
		r := dialRaw(t, leecher, "slow")
		r.announce(o)
		first := r.request()
		r.sendBlock(o, first, false)
		r.request()
		synctest.Wait()
		progress := leecher.Progress(nil)
		want := int64(0)
		if first.begin == 0 {
			want = mostChunk
		}
		if progress[0].Prefix != want || progress[0].Received != mostChunk {
			t.Errorf("%+v after the chunk at %d", progress[0], first.begin)
		}
		leecher.mem.commit(0)
		leecher.Done(0, mostChunk)
		if got, want := leecher.Totals(), (Totals{Received: mostChunk, Wasted: mostChunk - want}); got != want {
			t.Errorf("totals: %+v, want %+v", got, want)
		}
	})
}

// The caller commits a piece while peers' wrong version of it is in the library's hands.
func TestCommitWinsOverRejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(32<<10, 16<<10) // pieces of one chunk
		m := &slowHash{memory: o.empty(t), reached: make(chan struct{}), proceed: make(chan struct{})}
		e, _ := New(Config{Log: slog.New(slog.DiscardHandler)})
		defer e.Close()
		d := newDiary()
		s, err := e.Join(o.Content, m, d)
		if err != nil {
			t.Fatal(err)
		}
		leecher := &client{Swarm: s, engine: e, mem: m.memory, diary: d}
		r := dialRaw(t, leecher, "wrong")
		r.announce(o)
		s.Want(0)
		r.sendBlock(o, r.request(), true)
		<-m.reached
		m.commit(0)
		s.Done(0, 0)
		close(m.proceed)
		synctest.Wait()
		time.Sleep(time.Second) // the state is put right after the library is through with it
		if st := s.torrent.PieceState(0); !st.Complete {
			t.Error("the library believes that the piece is missing")
		}
		if n := s.Outstanding(0); n != 0 {
			t.Errorf("%d requests for a committed piece", n)
		}
	})
}

// slowHash stops the first read, with the bytes of that time.
type slowHash struct {
	*memory
	reached, proceed chan struct{}
	stopped          bool
}

func (m *slowHash) ReadAt(b []byte, i int, off int64) (int, error) {
	n, err := m.memory.ReadAt(b, i, off)
	if !m.stopped {
		m.stopped = true
		close(m.reached)
		<-m.proceed
	}
	return n, err
}

func TestOfferOfConnectedPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(1<<20, 256<<10)
		a, b := newClient(t, "a", o.full(t)), newClient(t, "b", o.empty(t))
		b.Unwant(0, 1, 2, 3) // complete on both sides, they would part
		connect(t, a, b)
		synctest.Wait()
		near, far := newPipe()
		if err := a.Offer(b.name, far, true, OfferOptions{}); !errors.Is(err, ErrConnected) {
			t.Errorf("Offer() = %v", err)
		}
		if _, err := near.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the refused connection is open: %v", err)
		}
	})
}

// Two peers that dial each other at the same time end with one connection, not with none.
func TestPeersThatDialEachOtherKeepOneConnection(t *testing.T) {
	for range 4 { // random IDs decide which
		synctest.Test(t, func(t *testing.T) {
			o := makeObject(1<<20, 256<<10)
			a := newClient(t, "a", o.full(t))
			b := newClient(t, "b", o.empty(t))
			b.Unwant(0, 1, 2, 3)
			connect(t, a, b)
			connect(t, b, a)
			synctest.Wait()
			if x, y := len(a.Peers()), len(b.Peers()); x != 1 || y != 1 {
				t.Fatalf("%d and %d connections", x, y)
			}
			b.Want(0, 1, 2, 3)
			wait(t, b.mem)
		})
	}
}

func TestPeersAndAvailability(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(1<<20, 256<<10)
		c := newClient(t, "c", o.empty(t))
		c.Unwant(0, 1, 2, 3)
		full := newClient(t, "full", o.full(t))
		some := newClient(t, "some", o.with(t, func(i int) bool { return i == 2 }))
		some.Unwant(0, 1, 3)
		end, _ := connect(t, full, c)
		connect(t, some, c)
		synctest.Wait()
		if got := c.Availability(nil); got[0] != 1 || got[2] != 2 || len(got) != 4 {
			t.Errorf("Availability() = %v", got)
		}
		if x, y := stats(c, full.name).Has, stats(c, some.name).Has; x != 4 || y != 1 {
			t.Errorf("peers have %d and %d pieces", x, y)
		}
		end.Close()
		synctest.Wait()
		if got := c.Availability(nil); got[0] != 0 || got[2] != 1 {
			t.Errorf("after one is gone, Availability() = %v", got)
		}
		c.Disconnect(some.name)
		synctest.Wait()
		if n := len(c.Peers()); n != 0 {
			t.Errorf("%d peers", n)
		}
		connect(t, some, c) // may come again
		synctest.Wait()
		if n := len(c.Peers()); n != 1 {
			t.Errorf("%d peers", n)
		}
	})
}

// An idle connection lives on keep-alives; a peer that has vanished is noticed.
func TestIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(1<<20, 256<<10)
		a, b := newClient(t, "a", o.full(t)), newClient(t, "b", o.empty(t))
		b.Unwant(0, 1, 2, 3)
		end, _ := connect(t, a, b)
		time.Sleep(time.Hour)
		if n := len(a.Peers()); n != 1 {
			t.Fatalf("%d peers after an idle hour", n)
		}
		end.freeze(true)
		time.Sleep(10 * time.Minute)
		if n := len(a.Peers()); n != 0 {
			t.Errorf("a peer that has been silent for 10 minutes counts as connected")
		}
	})
}

func TestStorageFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(4<<20, 256<<10)
		full := errors.New("disk full")
		m := o.empty(t)
		m.fail = full
		leecher := newClient(t, "leecher", m)
		connect(t, newClient(t, "seeder", o.full(t)), leecher)
		leecher.diary.until(t, "told", func() bool { return errors.Is(leecher.diary.failed, full) })
		synctest.Wait()
		before := leecher.Totals().Received
		time.Sleep(time.Minute)
		if n := leecher.Totals().Received - before; n != 0 {
			t.Errorf("%d more bytes were taken", n)
		}
		if len(leecher.diary.rejected) != 0 {
			t.Error("peers are blamed for the disk")
		}
	})
}

// A disk that has enough to do holds up peers at their connections. They are not to blame, nothing is asked for twice, and
// leaving does not wait for the disk.
func TestDiskWithoutRoomHoldsUpPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(4<<20, 256<<10)
		m := o.empty(t)
		m.room = make(chan struct{})
		leecher := newClient(t, "leecher", m)
		connect(t, newClient(t, "one", o.full(t)), leecher)
		connect(t, newClient(t, "two", o.full(t)), leecher)
		time.Sleep(time.Minute)
		if got, most := leecher.Totals().Received, int64(2*mostChunk); got == 0 || got > most {
			t.Errorf("%d bytes were taken without room; want a chunk of each peer, at most %d", got, most)
		}
		for _, p := range leecher.Peers() {
			if p.Stalled {
				t.Errorf("%s counts as stalled", p.ID)
			}
		}
		close(m.room)
		wait(t, m)
		if got := leecher.Totals().Wasted; got > o.Length/10 {
			t.Errorf("%d bytes came twice", got)
		}

		m = o.empty(t)
		m.room = make(chan struct{})
		leaver := newClient(t, "leaver", m)
		connect(t, newClient(t, "three", o.full(t)), leaver)
		time.Sleep(time.Second)
		start := time.Now()
		leaver.Leave()
		if took := time.Since(start); took > time.Second {
			t.Errorf("Leave took %v", took)
		}
	})
}

func TestJoinChecksTheContent(t *testing.T) {
	good := makeObject(1<<20, 256<<10)
	for _, c := range []struct {
		name   string
		change func(*Content)
	}{
		{"another ID", func(c *Content) { c.ID[0] ^= 1 }},
		{"info of something else", func(c *Content) { c.InfoBytes = makeObject(2<<20, 256<<10).InfoBytes }},
		{"no piece layers", func(c *Content) { c.PieceLayers = nil }},
		{"wrong piece layers", func(c *Content) {
			for root, layer := range c.PieceLayers {
				c.PieceLayers = map[string]string{root: layer[1:] + "x"}
			}
		}},
		{"another piece length", func(c *Content) { c.PieceLength *= 2 }},
		{"another length", func(c *Content) { c.Length++ }},
		{"another number of pieces", func(c *Content) { c.Pieces-- }},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _ := New(Config{Log: slog.New(slog.DiscardHandler)})
			defer e.Close()
			content := good.Content
			c.change(&content)
			if _, err := e.Join(content, good.empty(t), newDiary()); err == nil {
				t.Error("Join() accepted it")
			}
			if _, err := e.Join(good.Content, good.empty(t), newDiary()); err != nil {
				t.Errorf("afterwards, Join() of the right content: %v", err)
			}
			if _, err := e.Join(good.Content, good.empty(t), newDiary()); !errors.Is(err, ErrJoined) {
				t.Errorf("second Join() = %v", err)
			}
		})
	}
}

// After Leave nothing of a swarm is left: a bubble does not end while one of its goroutines lives, and
// an engine without swarms has none to begin with.
func TestLeaveLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(8<<20, 256<<10)
		a, b := newClient(t, "a", o.full(t), limitUpload(1<<20)), newClient(t, "b", o.empty(t))
		x, _ := connect(t, a, b)
		mute, _ := newPipe() // says not even hello
		b.Offer(PeerID{7}, mute, false, OfferOptions{})
		time.Sleep(time.Second)
		began := time.Now()
		b.Leave()
		b.Leave()
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
		verified := b.mem.count()
		b.mem.fail = errors.New("must not be asked")
		if _, err := x.Write([]byte{0}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the connection is open: %v", err)
		}
		near, far := newPipe()
		if err := b.Offer(a.name, far, false, OfferOptions{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Offer() = %v", err)
		}
		if _, err := near.Read(make([]byte, 1)); err == nil {
			t.Error("the refused connection is open")
		}
		if _, err := b.engine.Join(o.Content, b.mem, b.diary); err != nil {
			t.Errorf("Join() after Leave() = %v", err)
		}
		b.engine.Close()
		if _, err := b.engine.Join(o.Content, b.mem, b.diary); !errors.Is(err, ErrClosed) {
			t.Errorf("Join() after Close() = %v", err)
		}
		b.Want(0)
		b.Unwant(1, 2)
		b.Done(3, 0)
		b.SetUpload(everybody)
		b.Disconnect(a.name)
		time.Sleep(time.Hour)
		if n := b.mem.count(); n != verified || b.diary.failed != nil {
			t.Error("storage or observer were used after Leave")
		}
	})
}

// stuckConn hangs in every call until its test ends.
type stuckConn struct {
	pipeEnd
	release chan struct{}
}

func (c *stuckConn) Read([]byte) (int, error)  { <-c.release; return 0, net.ErrClosed }
func (c *stuckConn) Write([]byte) (int, error) { <-c.release; return 0, net.ErrClosed }
func (c *stuckConn) Close() error              { return nil }

func TestLeaveReturnsThoughAConnectionHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(1<<20, 256<<10)
		c := newClient(t, "c", o.empty(t))
		end, _ := newPipe()
		stuck := &stuckConn{*end, make(chan struct{})}
		if err := c.Offer(PeerID{1}, stuck, true, OfferOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		c.Leave()
		if took := time.Since(began); took > leaveTimeout {
			t.Errorf("took %v", took)
		}
		close(stuck.release)
	})
}

// The piece engine must not obey the environment: GOPPROF=http would open a port, a malformed duration
// is a panic.
func TestEnvironmentIsIgnored(t *testing.T) {
	if os.Getenv("SWARM_CHILD") != "" {
		e, _ := New(Config{Log: slog.New(slog.DiscardHandler)})
		o := makeObject(1000, 16<<10)
		if _, err := e.Join(o.Content, o.full(t), newDiary()); err != nil {
			t.Error(err)
		}
		e.Close()
		return
	}
	cmd := exec.CommandContext(context.Background(), os.Args[0], "-test.run=TestEnvironmentIsIgnored")
	cmd.Env = append(os.Environ(), "SWARM_CHILD=1", "GOPPROF=http", "TORRENT_STEAL_REQUEST_GRACE=250")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "pprof") {
		t.Errorf("%v: %s", err, out)
	}
}
