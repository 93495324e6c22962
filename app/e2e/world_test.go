package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/engine/api"
)

const (
	mib = 1 << 20
	// patience bounds every wait of a test; nothing here takes a tenth of it on an idle machine.
	patience = 90 * time.Second
)

// world is a publisher with control plane and edge on the loopback interface, each behind a gate of
// its own, so that a test can take away one and leave the other.
type world struct {
	t       *testing.T
	ctx     context.Context
	folder  string
	control *fleet.Control
	edge    *gate // in the manifests: bytes, grants
	node    *gate // given to services by --control: sessions
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	w := &world{t: t, folder: tempFolder(t)}
	var cancel context.CancelFunc
	w.ctx, cancel = context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	listen := freeAddr(t)
	w.edge, w.node = newGate(t, listen), newGate(t, listen)
	w.control = startControl(t, fleet.ThisMachine{}, fleet.ControlOptions{
		Data: filepath.Join(w.folder, "control"), Listen: listen, Advertise: w.edge.addr,
	})
	return w
}

// tempFolder is t.TempDir with a short name: a Unix socket's path has at most 108 bytes.
func tempFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tributary-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func startControl(t *testing.T, place fleet.Place, o fleet.ControlOptions) *fleet.Control {
	t.Helper()
	c, err := programs.Control(place, o)
	if err != nil {
		t.Fatal(err)
	}
	watchOver(t, "control plane", c)
	return c
}

// watchOver ends a program with the test, and shows its log if the test has failed.
func watchOver(t *testing.T, name string, p interface {
	Kill()
	Log() []string
}) {
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			for _, line := range p.Log() {
				t.Logf("%s: %s", name, line)
			}
		}
	})
}

// file is content whose SHA-256 is known.
type file struct {
	path   string
	size   int64
	sha256 string
}

// newFile writes a file of noise; the seed makes it what it is.
func newFile(t *testing.T, folder, name string, size int64, seed byte) file {
	t.Helper()
	f := file{path: filepath.Join(folder, name), size: size}
	out, err := os.Create(f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(out, h), rand.NewChaCha8([32]byte{seed}), size); err != nil {
		t.Fatal(err)
	}
	f.sha256 = hex.EncodeToString(h.Sum(nil))
	return f
}

// publish makes a file and publishes it.
func (w *world) publish(size int64) (f file, url string) {
	w.t.Helper()
	f = newFile(w.t, w.folder, "file.bin", size, 1)
	urls, err := w.control.Publish(w.ctx, "", f.path)
	if err != nil {
		w.t.Fatal(err)
	}
	return f, urls[0]
}

// user is a person's computer: a service and a folder of downloads.
type user struct {
	*fleet.Daemon
	t       *testing.T
	name    string
	folder  string
	place   fleet.Place
	options fleet.DaemonOptions
}

// user starts a service on the loopback interface.
func (w *world) user(name string) *user {
	w.t.Helper()
	return newUser(w.t, name, filepath.Join(w.folder, name), fleet.ThisMachine{}, fleet.DaemonOptions{
		CA: w.control.CA(), Control: "https://" + w.node.addr, Loopback: true,
	})
}

func newUser(t *testing.T, name, folder string, place fleet.Place, o fleet.DaemonOptions) *user {
	t.Helper()
	u := &user{t: t, name: name, folder: filepath.Join(folder, "downloads"), place: place, options: o}
	u.options.Data, u.options.LogLevel = filepath.Join(folder, "service"), "debug"
	if err := os.MkdirAll(u.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	u.start()
	return u
}

// start runs the user's service, again after Stop or Kill.
func (u *user) start() {
	u.t.Helper()
	d, err := programs.Daemon(u.place, u.options)
	if err != nil {
		u.t.Fatal(err)
	}
	u.Daemon = d
	watchOver(u.t, u.name, d)
}

// add asks for a download into the user's folder.
func (u *user) add(ctx context.Context, url string) string {
	u.t.Helper()
	d, err := u.Add(ctx, api.AddRequest{URL: url, Dir: u.folder})
	if err != nil {
		u.t.Fatalf("%s: add %s: %v", u.name, url, err)
	}
	return d.ID
}

// until waits for a snapshot of a download.
func (u *user) until(ctx context.Context, id string, want func(api.Download) bool) api.Download {
	u.t.Helper()
	d, err := u.Until(ctx, id, want)
	if err != nil {
		u.t.Fatalf("%s: %v", u.name, err)
	}
	return d
}

// verified accepts a download of which a share is verified, or that has ended.
func verified(share float64) func(api.Download) bool {
	return func(d api.Download) bool {
		return d.TotalBytes > 0 && float64(d.VerifiedBytes) >= share*float64(d.TotalBytes) || fleet.Ended(d)
	}
}

// completes waits for the end of a download and compares the file with the original.
func (u *user) completes(ctx context.Context, id string, want file) api.Download {
	u.t.Helper()
	d := u.until(ctx, id, fleet.Ended)
	if d.State != api.StateComplete {
		u.t.Fatalf("%s: the download is %s: %+v; want complete", u.name, d.State, d.Problem)
	}
	if got := sumOf(u.t, d.Path); got != want.sha256 {
		u.t.Fatalf("%s: SHA-256 of %s is %s; want %s", u.name, d.Path, got, want.sha256)
	}
	return d
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// share sets the user's choice about uploads, as the user does.
func (u *user) share(ctx context.Context, sharing api.Sharing) {
	u.t.Helper()
	if _, err := u.Ctl(ctx, "sharing", string(sharing)); err != nil {
		u.t.Fatal(err)
	}
}

// limitUploads sets the bytes a second that the user gives to all peers together.
func (u *user) limitUploads(ctx context.Context, bytesPerSecond int64) {
	u.t.Helper()
	if _, err := u.SetSettings(ctx, api.SettingsPatch{UploadLimit: &bytesPerSecond}); err != nil {
		u.t.Fatal(err)
	}
}

// seeder starts a user who has the file and shares it at a limited rate.
func (w *world) seeder(name, url string, want file, bytesPerSecond int64) *user {
	w.t.Helper()
	u := w.user(name)
	u.share(w.ctx, api.SharingOn)
	u.limitUploads(w.ctx, bytesPerSecond)
	u.completes(w.ctx, u.add(w.ctx, url), want)
	return u
}

// filesIn lists the names in a folder.
func filesIn(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
