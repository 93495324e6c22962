package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// What a user has downloaded through the service of the machine is given to peers, also after a restart of the machine:
// then the service has lost the file, and shares it again as soon as a program of the user's has handed it over. After a
// crash it needs nobody, and what the user has changed since is never given to anybody.
func TestFinishedFileIsSharedAgainAfterReboot(t *testing.T) {
	w := newWorld(t)
	m := newMachine(t, "--ca", openToAll(t, w.control.CA()), "--control", "https://"+w.node.addr, "--allow-loopback-peers")
	original, url := w.publish(16 * mib)
	m.url = url
	sharing := api.SharingOn
	if _, err := m.root.SetSettings(m.ctx, api.SettingsPatch{Sharing: &sharing}); err != nil {
		t.Fatal(err)
	}
	shared := func(d api.Download) bool { return d.Shared }
	asks := func(d api.Download) bool { return d.Errand != nil && d.Errand.Kind == api.ErrandShare }
	list := func(uid uint32) {
		t.Helper()
		if out, err := m.ctl(uid, "list"); err != nil {
			t.Errorf("list: %s, %v", out, err)
		}
	}
	id := m.addForAnn("--wait")
	path := m.until(id, shared).Path
	if sumOf(t, path) != original.sha256 {
		t.Fatalf("%s is not what was published", path)
	}

	m.kill()
	m.store.forget()
	m.start()
	m.until(id, func(d api.Download) bool { return asks(d) && !d.Shared && d.State == api.StateComplete })
	list(0) // it is not an administrator's errand, or another user's
	list(bobUID)
	if d := m.until(id, asks); d.Shared {
		t.Errorf("somebody else has handed over ann's file: %+v", d)
	}
	list(annUID)
	if d := m.until(id, shared); d.Errand != nil {
		t.Errorf("the file is shared, and asked for: %+v", d.Errand)
	}
	w.edge.slow(mib)
	carla := w.user("carla")
	if d := carla.completes(w.ctx, carla.add(w.ctx, url), original); d.BytesFromPeers < original.size/2 {
		t.Errorf("carla has %d of %d bytes from ann's computer", d.BytesFromPeers, original.size)
	}
	carla.Kill()

	m.kill()
	m.start()
	m.until(id, shared)

	m.kill()
	m.store.forget()
	m.must(errors.Join(os.WriteFile(path, []byte("ann's own words"), 0o600), os.Chown(path, annUID, annUID)))
	m.start()
	m.until(id, asks)
	list(annUID)
	m.until(id, func(d api.Download) bool { return !d.Shared && d.Errand == nil })
	names := m.store.names()
	for end := time.Now().Add(10 * time.Second); len(names) != 0 && time.Now().Before(end); names = m.store.names() {
		time.Sleep(50 * time.Millisecond) // the file is looked at, and then given back
	}
	if len(names) != 0 {
		t.Errorf("the service manager keeps %q, which is not shared any more", names)
	}
}

// openToAll copies a file to where every user can read it.
func openToAll(t *testing.T, file string) string {
	t.Helper()
	dir := tempFolder(t)
	text, err := os.ReadFile(file)
	to := filepath.Join(dir, filepath.Base(file))
	if err := errors.Join(err, os.WriteFile(to, text, 0o644), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return to
}
