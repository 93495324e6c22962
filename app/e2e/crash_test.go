package e2e

import (
	"math/rand/v2"
	"testing"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/engine/api"
)

func TestKilledServiceResumes(t *testing.T) {
	const (
		size  = 160 * mib
		kills = 4
		// A kill may lose what was in flight and not yet durable: 64 pieces of 1 MiB.
		lostPerKill = 64 * mib
	)
	w := newWorld(t)
	original, url := w.publish(size)
	w.edge.slow(32 * mib)
	u := w.user("carla")
	id := u.add(w.ctx, url)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	reached := 0.0
	for range kills {
		reached += (0.95 - reached) * random.Float64() / 2
		d := u.until(w.ctx, id, verified(reached))
		if fleet.Ended(d) {
			break
		}
		u.Kill()
		u.start()
	}
	u.completes(w.ctx, id, original)
	if passed := w.edge.passed.Load(); passed > size*102/100+kills*lostPerKill {
		t.Errorf("the edge sent %d MiB for %d MiB and %d kills (seed %d); want at most 64 MiB more for each kill",
			passed/mib, size/mib, kills, seed)
	}
	if names := filesIn(t, u.folder); len(names) != 1 {
		t.Errorf("the folder holds %q; want the file alone", names)
	}
}

func TestPausedDownloadStaysPausedAfterRestart(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(16 * mib)
	w.edge.slow(4 * mib)
	u := w.user("carla")
	id := u.add(w.ctx, url)
	u.until(w.ctx, id, verified(0.3))
	if err := u.Pause(w.ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := u.Stop(); err != nil {
		t.Fatal(err)
	}
	u.start()
	if d := u.until(w.ctx, id, func(api.Download) bool { return true }); d.State != api.StatePaused || d.VerifiedBytes == 0 {
		t.Fatalf("after a restart the download is %s with %d bytes; want paused with what it had", d.State, d.VerifiedBytes)
	}
	if err := u.Resume(w.ctx, id); err != nil {
		t.Fatal(err)
	}
	u.completes(w.ctx, id, original)
	if passed := w.edge.passed.Load(); passed > original.size*12/10 {
		t.Errorf("the edge sent %d bytes for %d; a clean stop must lose little", passed, original.size)
	}
}
