package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

func TestBytesComeFromEdgeAndPeersAtOnce(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(96*mib - 12345) // the last piece is shorter
	for _, name := range []string{"anna", "bert"} {
		w.seeder(name, url, original, 8*mib)
	}
	w.edge.slow(4 * mib)
	u := w.user("carla")
	d := u.completes(w.ctx, u.add(w.ctx, url), original)
	if d.BytesFromPeers < original.size/2 || d.BytesFromEdge == 0 {
		t.Errorf("%d bytes from peers and %d from the edge of %d; want most from peers, some from the edge",
			d.BytesFromPeers, d.BytesFromEdge, original.size)
	}
	if got := d.BytesFromEdge + d.BytesFromPeers; got != original.size {
		t.Errorf("%d bytes are accounted for; want %d", got, original.size)
	}
	if allowed := int64(4 * mib); d.BytesWasted < 0 || d.BytesWasted > allowed { // the last pieces are asked for twice
		t.Errorf("%d bytes wasted; want at most %d", d.BytesWasted, allowed)
	}
	if d.SHA256 != original.sha256 {
		t.Errorf("the service says SHA-256 %s; want %s", d.SHA256, original.sha256)
	}
}

func TestAllPeersKilledAtHalf(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(48 * mib)
	seeders := []*user{w.seeder("anna", url, original, 4*mib), w.seeder("bert", url, original, 4*mib)}
	w.edge.slow(8 * mib)
	u := w.user("carla")
	id := u.add(w.ctx, url)
	half := u.until(w.ctx, id, verified(0.5))
	for _, s := range seeders {
		s.Kill()
	}
	d := u.completes(w.ctx, id, original)
	if half.BytesFromPeers == 0 {
		t.Errorf("no byte came from a peer before they were killed")
	}
	// What a killed peer has sent of a piece is lost with it; it is at two pieces at most.
	if allowed := int64(2 * len(seeders) * mib); d.BytesWasted > allowed {
		t.Errorf("%d bytes wasted; want at most %d", d.BytesWasted, allowed)
	}
}

func TestEdgeCutAtHalf(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(32 * mib)
	w.seeder("anna", url, original, 6*mib)
	w.edge.slow(4 * mib)
	u := w.user("carla")
	id := u.add(w.ctx, url)
	u.until(w.ctx, id, func(d api.Download) bool { return d.BytesFromPeers > 0 && verified(0.3)(d) })
	w.edge.cut()
	u.completes(w.ctx, id, original)
}

func TestControlPlaneCutAtHalf(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(32 * mib)
	w.seeder("anna", url, original, 4*mib)
	w.edge.slow(4 * mib)
	u := w.user("carla")
	id := u.add(w.ctx, url)
	before := u.until(w.ctx, id, verified(0.4))
	w.node.cut()
	after := u.completes(w.ctx, id, original)
	if before.BytesFromPeers > 0 && after.BytesFromPeers == before.BytesFromPeers {
		t.Errorf("peers gave %d bytes before the control plane was cut and none after it; transfers that run must go on",
			before.BytesFromPeers)
	}
}

func TestNoControlPlaneAtAll(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(16 * mib)
	w.node.cut()
	u := w.user("carla")
	began := time.Now()
	d := u.completes(w.ctx, u.add(w.ctx, url), original)
	if d.BytesFromEdge != original.size {
		t.Errorf("%d bytes from the edge; want all %d", d.BytesFromEdge, original.size)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the download took %s; it must not wait for the control plane", took)
	}
}

// A file that was altered after it was complete must not reach anybody: a peer checks before it gives,
// and whoever takes checks again.
func TestAlteredFileOfAPeer(t *testing.T) {
	for name, restart := range map[string]bool{"while the service rests": true, "while the service runs": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			original, url := w.publish(24 * mib)
			anna := w.user("anna")
			anna.share(w.ctx, api.SharingOn)
			held := anna.completes(w.ctx, anna.add(w.ctx, url), original)
			if restart {
				if err := anna.Stop(); err != nil {
					t.Fatal(err)
				}
			}
			alter(t, held.Path)
			if restart {
				anna.start()
			}
			w.edge.slow(4 * mib)
			u := w.user("carla")
			d := u.completes(w.ctx, u.add(w.ctx, url), original)
			if d.BytesFromPeers != 0 {
				t.Errorf("%d bytes came from a peer that has no right byte", d.BytesFromPeers)
			}
			if restart && d.BytesWasted != 0 {
				t.Errorf("%d wrong bytes were sent; after a start each piece must be checked before it is given", d.BytesWasted)
			}
		})
	}
}

// alter changes a byte in every 64 KiB, and puts the time of change back as a broken disk would.
func alter(t *testing.T, path string) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at := int64(0); at < before.Size(); at += 64 << 10 {
		var b [1]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 0xff
		if _, err := f.WriteAt(b[:], at); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
}
