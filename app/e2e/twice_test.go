package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// completed returns how many downloads have reported to the control plane that they are complete.
func (w *world) completed() int {
	w.t.Helper()
	out, err := w.control.Report(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	var report struct{ All struct{ Completed int } }
	if err := json.Unmarshal(out, &report); err != nil {
		w.t.Fatalf("the report is %q: %v", out, err)
	}
	return report.All.Completed
}

// reported waits until so many downloads have reported that they are complete.
func (w *world) reported(want int) {
	w.t.Helper()
	got := 0
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if got = w.completed(); got == want {
			return
		}
	}
	w.t.Errorf("%d downloads have reported that they are complete; want %d", got, want)
}

// Whoever shares a file and downloads it again takes it from peers like anybody else, and goes on sharing it.
func TestASharedFileIsDownloadedAgain(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(32 * mib)
	w.seeder("anna", url, original, 8*mib)
	carla := w.user("carla")
	carla.share(w.ctx, api.SharingOn)
	first := carla.add(w.ctx, url)
	carla.completes(w.ctx, first, original)
	carla.until(w.ctx, first, func(d api.Download) bool { return d.Shared })
	w.edge.slow(2 * mib)
	second := carla.add(w.ctx, url)
	carla.until(w.ctx, first, func(d api.Download) bool { return !d.Shared }) // it has stepped back
	d := carla.completes(w.ctx, second, original)
	if d.BytesFromPeers < original.size/3 {
		t.Errorf("%d bytes of %d came from peers", d.BytesFromPeers, original.size)
	}
	w.reported(3)
	if err := carla.Remove(w.ctx, second, true); err != nil {
		t.Fatal(err)
	}
	carla.until(w.ctx, first, func(d api.Download) bool { return d.Shared })
	dora := w.user("dora")
	if d := dora.completes(w.ctx, dora.add(w.ctx, url), original); d.BytesFromPeers == 0 {
		t.Error("nobody gave a byte to a newcomer")
	}
	if given, _ := carla.given(w.ctx); given == 0 {
		t.Error("the first copy is not given any more")
	}
}

// Of two downloads of one file at once one takes from peers, the other says that it has to wait for them. Both report.
func TestOneFileTwiceAtOnce(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(32 * mib)
	w.seeder("anna", url, original, 4*mib)
	w.edge.slow(3 * mib)
	carla := w.user("carla")
	ids := []string{carla.add(w.ctx, url), carla.add(w.ctx, url)}
	behind := 0
	for _, id := range ids {
		carla.until(w.ctx, id, verified(0.2))
		d, err := carla.Download(w.ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if d.WhySay.Code == api.SayWhyBehind {
			behind++
		}
	}
	if behind != 1 {
		t.Errorf("%d of 2 downloads say that the other one has the peers", behind)
	}
	for _, id := range ids {
		if d := carla.completes(w.ctx, id, original); d.BytesFromPeers == 0 {
			t.Errorf("%s had nothing from peers", id)
		}
	}
	w.reported(3)
}
