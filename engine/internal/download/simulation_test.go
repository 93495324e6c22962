package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/edge"
)

const (
	mib = 1 << 20

	edgeURL = "http://edge.example/object.bin"
)

// world is a simulated Internet with one user in it: real actor, disk, state database, HTTP and piece engine; only the
// lines between hosts are made up, and time.
type world struct {
	*bench
	object *published
	user   *host
	edge   *host
	crowd  *crowd
	sent   atomic.Int64 // by the edge, of the object
	spoils atomic.Bool  // the edge serves wrong bytes

	plain     atomic.Bool // the edge names no manifest
	wholeOnly atomic.Bool // the edge knows no ranges
	portal    atomic.Bool // the edge answers everything with a page of its own
	replaced  atomic.Pointer[published]
}

// simulate runs a story in a world. The user's line carries down bytes a second, the edge gives rate.
func simulate(t *testing.T, size int, down, rate float64, mode protocol.Mode, story func(t *testing.T, w *world)) {
	object := publish(t, size, 9, mode)
	synctest.Test(t, func(t *testing.T) {
		w := &world{bench: newBench(t), object: object, user: newHost(4*mib, down), edge: newHost(rate, 100*mib)}
		w.patience = 10 * time.Minute
		t.Cleanup(w.user.flows.Wait)
		door := newDoor(w.edge)
		server := &http.Server{Handler: http.HandlerFunc(w.serve)}
		go server.Serve(door)
		client := edge.NewClient(edge.Config{Log: w.config.Log,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return door.dial(ctx, w.user) }})
		t.Cleanup(func() {
			client.Close()
			server.Close()
		})
		w.crowd = newCrowd(t, w.user)
		w.config.Edge, w.config.Peering = client, w.crowd
		story(t, w)
	})
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	if w.portal.Load() {
		fmt.Fprint(rw, "Welcome to the hotel.")
		return
	}
	object := w.object
	if next := w.replaced.Load(); next != nil {
		object = next
	}
	rw.Header().Set("ETag", `"`+object.m.ID.String()+`"`)
	if r.URL.Path == "/nothing" {
		http.NotFound(rw, r)
		return
	}
	if r.URL.Path == "/manifest" {
		http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(object.raw))
		return
	}
	if !w.plain.Load() {
		rw.Header().Set("Link", `</manifest>; rel=describedby; type="`+protocol.ManifestType+`"`)
	}
	data := object.data
	if w.spoils.Load() {
		data = bytes.Repeat([]byte{1}, len(data))
	}
	if w.wholeOnly.Load() {
		rw.Header().Set("Content-Length", strconv.Itoa(len(data)))
		(&counting{rw, &w.sent}).Write(data)
		return
	}
	http.ServeContent(&counting{rw, &w.sent}, r, "", time.Time{}, bytes.NewReader(data))
}

// complete waits for the file and checks all that must be true of every hybrid download.
func (w *world) complete(t *testing.T) api.Download {
	t.Helper()
	s := w.wait("completion", in(api.StateComplete, api.StateFailed))
	if s.State != api.StateComplete {
		t.Fatalf("%s: %+v", s.State, s.Problem)
	}
	checkFile(t, s.Path, w.object.data)
	if sum := sha256.Sum256(w.object.data); s.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("SHA-256 is said to be %s", s.SHA256)
	}
	total := int64(len(w.object.data))
	if s.BytesFromEdge+s.BytesFromPeers != total || s.VerifiedBytes != total {
		t.Errorf("%d bytes from the edge and %d from peers, %d verified; the file has %d", s.BytesFromEdge, s.BytesFromPeers, s.VerifiedBytes, total)
	}
	// Every byte that came is in one of the three counts. What the edge has sent is not always received: a request that
	// is broken off leaves something on its way.
	totals, _ := w.crowd.totals()
	unread := w.sent.Load() + totals.Received - total - s.BytesWasted
	if s.BytesWasted < 0 || unread < 0 || unread > 24*pipeRoom {
		t.Errorf("%d bytes wasted; the edge sent %d, peers gave %d: %d are nowhere", s.BytesWasted, w.sent.Load(), totals.Received, unread)
	}
	t.Logf("%.1f s, offload %.0f%%, wasted %d KiB, unread %d KiB", s.Active, 100*offload(s), s.BytesWasted>>10, unread>>10)
	return s
}

func offload(s api.Download) float64 {
	return float64(s.BytesFromPeers) / float64(s.BytesFromEdge+s.BytesFromPeers)
}

func half(s api.Download) bool { return s.VerifiedBytes >= s.TotalBytes/2 && s.TotalBytes > 0 }

func TestOnePeerAndTheEdge(t *testing.T) {
	simulate(t, 24*mib+12345, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.crowd.add(t, w.object, 2*mib, everything)
		w.start(record(edgeURL))
		s := w.complete(t)
		if s.BytesFromPeers < 4*mib || s.BytesFromEdge < 4*mib {
			t.Errorf("%d bytes from the edge and %d from the peer; want some of both", s.BytesFromEdge, s.BytesFromPeers)
		}
		if s.Active > 1.25*24/6 {
			t.Errorf("took %.1f s; edge and peer together need 4", s.Active)
		}
	})
}

func TestFourStrongPeersCarryMostOfIt(t *testing.T) {
	simulate(t, 64*mib, 10*mib, 5*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		for range 4 {
			w.crowd.add(t, w.object, 2.5*mib, everything)
		}
		w.start(record(edgeURL))
		s := w.complete(t)
		if offload(s) < 0.6 {
			t.Errorf("offload is %.2f; want at least 0.6", offload(s))
		}
		if s.Active > 1.15*6.4 {
			t.Errorf("took %.1f s; the line needs 6.4", s.Active)
		}
		if s.BytesWasted > 64*mib/50 {
			t.Errorf("%d bytes wasted", s.BytesWasted)
		}
	})
}

// A connection carries so much and no more, so a plain download needs all of them, to its end.
func TestPlainDownloadKeepsAllConnectionsBusy(t *testing.T) {
	simulate(t, 24*mib, 80*mib, 100*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.plain.Store(true)
		w.start(record(edgeURL))
		s := w.complete(t)
		const connections, each = 8, pipeRoom / (2 * 10e-3) // bytes a second: a window in each round trip
		if least := float64(24*mib) / (connections * each); s.Active > 2*least {
			t.Errorf("took %.2f s; %d connections need %.2f", s.Active, connections, least)
		}
	})
}

func TestAllPeersFreezeAtHalf(t *testing.T) {
	simulate(t, 32*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		peers := []*peer{w.crowd.add(t, w.object, 5*mib, everything), w.crowd.add(t, w.object, 5*mib, everything)}
		w.start(record(edgeURL))
		before := w.wait("half", half)
		for _, p := range peers {
			p.freeze()
		}
		frozen := time.Now()
		s := w.complete(t)
		rest := time.Duration(float64(s.TotalBytes-before.VerifiedBytes) / (4 * mib) * float64(time.Second))
		if took := time.Since(frozen); took > rest+2*time.Second {
			t.Errorf("took %v after the peers froze; the edge needs %v for the rest", took, rest)
		}
	})
}

// What peers have delivered of a piece stays when the edge is asked for the rest of it. If it is wrong, the edge sends the
// whole piece and is not blamed.
func TestBeginningsOfPiecesAreKept(t *testing.T) {
	for name, spoils := range map[string]func(int) bool{"right": nil, "wrong": everything} {
		t.Run(name, func(t *testing.T) {
			kept := false
			for try := 0; !kept && try < 4; try++ { // what is kept may come to whole pieces by chance, one time in eight
				simulate(t, 8*mib, 10*mib, 2*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
					kept = keepsBeginnings(t, w, spoils)
				})
			}
			if kept != (spoils == nil) {
				t.Errorf("kept beginnings: %v", kept)
			}
		})
	}
}

// keepsBeginnings plays a download whose peers stop in the middle of pieces, and tells whether what they gave is no number of whole ones.
func keepsBeginnings(t *testing.T, w *world, spoils func(int) bool) bool {
	var peers []*peer
	for k := range 6 {
		p := w.crowd.add(t, w.object, float64(mib/16+k*mib/64), everything) // a piece in two seconds, or in less
		p.mem.spoils = spoils
		peers = append(peers, p)
	}
	w.start(record(edgeURL))
	w.wait("something", func(s api.Download) bool { return s.VerifiedBytes > 0 })
	time.Sleep(1200 * time.Millisecond)
	for _, p := range peers {
		p.freeze()
	}
	s := w.complete(t)
	detail, err := w.download.Detail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range detail.Timeline {
		if e.Say.Code == api.SayEdgeWrongBytes || e.Say.Code == api.SayServerFailed {
			t.Errorf("the edge is blamed: %+v", e)
		}
	}
	return s.BytesFromPeers%(128<<10) != 0
}

func TestEdgeDiesAtHalf(t *testing.T) {
	simulate(t, 32*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.crowd.add(t, w.object, 4*mib, everything)
		w.start(record(edgeURL))
		before := w.wait("half", half)
		w.edge.kill()
		died := time.Now()
		s := w.complete(t)
		rest := time.Duration(float64(s.TotalBytes-before.VerifiedBytes) / (4 * mib) * float64(time.Second))
		if took := time.Since(died); took > rest+2*time.Second {
			t.Errorf("took %v after the edge died; the peer needs %v for the rest", took, rest)
		}
	})
}

// The manifest is known from an earlier run; then an edge that does not answer holds up nothing.
func TestEdgeIsGoneBeforeTheStart(t *testing.T) {
	for name, goes := range map[string]func(*host){"refuses": (*host).kill, "is mute": (*host).freeze} {
		t.Run(name, func(t *testing.T) {
			simulate(t, 16*mib, 10*mib, 2*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
				d := w.start(record(edgeURL))
				w.wait("some pieces", func(s api.Download) bool { return s.VerifiedBytes >= 2*mib })
				if err := d.Pause(t.Context()); err != nil {
					t.Fatal(err)
				}
				goes(w.edge)
				w.crowd.add(t, w.object, 4*mib, everything)
				w.stop()
				w.start(w.recorded("d1"))
				began := time.Now()
				w.resume(w.download)
				w.complete(t)
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("took %v; the peer needs 4 s", took)
				}
			})
		})
	}
}

func TestPoisonedPeerHarmsNothing(t *testing.T) {
	simulate(t, 32*mib, 10*mib, 2*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		bad := w.crowd.add(t, w.object, 4*mib, everything)
		bad.mem.spoils = func(i int) bool { return i%2 == 0 }
		w.crowd.add(t, w.object, 4*mib, everything)
		w.start(record(edgeURL))
		if s := w.complete(t); s.BytesWasted == 0 {
			t.Error("nothing is said to be wasted")
		}
	})
}

func TestEdgeWithWrongBytesHarmsNothing(t *testing.T) {
	simulate(t, 16*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.spoils.Store(true)
		w.crowd.add(t, w.object, 1*mib, everything)
		w.start(record(edgeURL))
		if s := w.complete(t); s.BytesFromEdge != 0 || s.BytesWasted == 0 {
			t.Errorf("%d bytes count as the edge's, %d as wasted", s.BytesFromEdge, s.BytesWasted)
		}
	})
}

// A server that sends only the whole file is believed as little as any other.
func TestEdgeWithoutRanges(t *testing.T) {
	simulate(t, 8*mib+1, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.wholeOnly.Store(true)
		w.spoils.Store(true)
		d := w.start(record(edgeURL))
		s := w.wait("distrust", in(api.StateFailed, api.StateComplete))
		if s.State != api.StateFailed || s.Problem.Code != api.CodeChanged || s.VerifiedBytes != 0 {
			t.Fatalf("%s with %d bytes: %+v", s.State, s.VerifiedBytes, s.Problem)
		}
		w.spoils.Store(false)
		w.resume(d)
		w.complete(t)
	})
}

// goroutines counts those of the bubble, and shows all.
func goroutines() (n int, stacks []byte) {
	stacks = make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return bytes.Count(stacks, []byte("synctest bubble")), stacks
}

func TestPauseLeavesNothingRunning(t *testing.T) {
	simulate(t, 32*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.crowd.shares = true
		w.crowd.add(t, w.object, 2*mib, everything)
		w.crowd.add(t, w.object, 2*mib, func(i int) bool { return i%2 == 0 })
		synctest.Wait()
		before, _ := goroutines()
		d := w.start(record(edgeURL))
		w.wait("half", half)
		if err := d.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := d.Snapshot()
		totals, reports := w.crowd.totals()
		time.Sleep(10 * time.Minute) // idle connections to the edge go, and deadlines of what was broken off
		synctest.Wait()
		if now, _ := w.crowd.totals(); now != totals || d.Snapshot().VerifiedBytes != s.VerifiedBytes {
			t.Errorf("after the pause: %+v, then %+v", totals, now)
		}
		const stay = 2 // the download's own, and the one that serves the volume
		if after, stacks := goroutines(); after > before+stay {
			t.Errorf("%d goroutines before the start and %d in the pause:\n%s", before, after, stacks)
		}
		if last := reports[len(reports)-1]; last.Outcome != "paused" || last.Edge+last.Peers != s.BytesFromEdge+s.BytesFromPeers {
			t.Errorf("the last report is %+v", last)
		}
		if s.VerifiedBytes != s.BytesFromEdge+s.BytesFromPeers {
			t.Errorf("%d bytes are verified, %d and %d are counted", s.VerifiedBytes, s.BytesFromEdge, s.BytesFromPeers)
		}
		w.resume(d)
		w.complete(t)
	})
}

func TestSharingIsTheUsersChoice(t *testing.T) {
	for _, shares := range []bool{false, true} {
		simulate(t, 16*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
			w.crowd.shares = shares
			w.crowd.add(t, w.object, 1*mib, func(i int) bool { return i%2 == 0 })
			w.start(record(edgeURL))
			s := w.complete(t)
			totals, _ := w.crowd.totals()
			if given := totals.Sent > 0; given != shares {
				t.Errorf("sharing %v: %d bytes were sent", shares, totals.Sent)
			}
			if s.BytesUploaded > totals.Sent {
				t.Errorf("%d bytes uploaded by the snapshot, %d by the swarm", s.BytesUploaded, totals.Sent)
			}
		})
	}
}

// Whom the peers have no place for completes all the same, from the edge. Which of two comes first is open.
func TestTwoDownloadsOfOneObject(t *testing.T) {
	simulate(t, 16*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.crowd.add(t, w.object, 4*mib, everything)
		w.start(record(edgeURL))
		other := newBench(t)
		other.patience = w.patience
		other.config.Edge, other.config.Peering = w.config.Edge, w.config.Peering
		other.start(record(edgeURL))
		first := w.wait("the first", in(api.StateComplete, api.StateFailed))
		second := other.wait("the second", in(api.StateComplete, api.StateFailed))
		checkFile(t, first.Path, w.object.data)
		checkFile(t, second.Path, w.object.data)
		if (first.BytesFromPeers > 0) == (second.BytesFromPeers > 0) {
			t.Errorf("%d and %d bytes from peers", first.BytesFromPeers, second.BytesFromPeers)
		}
	})
}

// A record that is older than the file, as after a crash, must not make the sums wrong.
func TestCountsAgreeAfterACrash(t *testing.T) {
	for _, change := range []int64{-2 * mib, 3 * mib} {
		simulate(t, 16*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
			w.start(record(edgeURL))
			w.wait("half", half)
			w.stop()
			r := w.recorded("d1")
			r.FromEdge += change
			w.sent.Add(max(0, change)) // they came, and were lost in the crash
			w.start(r)
			w.wait("completion", in(api.StateComplete))
			s := w.wait("completion", in(api.StateComplete, api.StateFailed))
			if s.BytesFromEdge+s.BytesFromPeers != s.TotalBytes {
				t.Errorf("%d and %d bytes of %d", s.BytesFromEdge, s.BytesFromPeers, s.TotalBytes)
			}
		})
	}
}

// Who has met nobody for a while asks the edge for all there is. What peers that come then can give is theirs all the same.
func TestPeersComeLate(t *testing.T) {
	simulate(t, 64*mib, 10*mib, 2*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.start(record(edgeURL))
		w.wait("an eighth", func(s api.Download) bool { return s.VerifiedBytes >= s.TotalBytes/8 })
		for range 2 {
			w.crowd.add(t, w.object, 4*mib, everything)
		}
		began := time.Now()
		s := w.complete(t)
		if took := time.Since(began); took > lookAgain+8*time.Second {
			t.Errorf("took %v; peers are met within %v, and 46 MiB at 10 MiB/s are worth 5 s", took, lookAgain)
		}
		if s.BytesWasted > 64*mib/50 {
			t.Errorf("%d bytes wasted", s.BytesWasted)
		}
	})
}
