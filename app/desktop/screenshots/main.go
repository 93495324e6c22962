// Command screenshots makes the pictures of the README: the real window, with the real service, a real edge and real peers,
// in both themes, on a screen that nobody sees. It must never touch the user's own service or files.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/tributary-dl/tributary/app/desktop/screen"
	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/engine/api"
)

// Rates in bytes a second: the edge fills the peers within seconds, the shown downloads take long enough to be seen.
const (
	edgeRate = 24_000_000
	shown    = 3_000_000
)

// files are what the pictures show being downloaded, by size in bytes. Their content is noise.
var files = []struct {
	name string
	size int64
}{
	{"blender-4.2.3-linux-x64.tar.xz", 20_000_000},
	{"debian-12.11.0-amd64-netinst.iso", 90_000_000},
	{"big-buck-bunny-4k.mkv", 60_000_000},
}

func main() {
	bin := flag.String("bin", "bin", "the `FOLDER` with the built programs")
	out := flag.String("out", "build/screenshots", "the `FOLDER` for the pictures")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	err := run(ctx, *bin, *out)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, out string) (err error) {
	programs, err := fleet.FindPrograms(bin)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tributary-screenshots")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := screen.Open(filepath.Join(dir, "screen"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	w, err := newWorld(ctx, programs, dir)
	if err != nil {
		return err
	}
	defer w.stop()
	for _, theme := range []string{"dark", "light"} {
		if err := w.shoot(ctx, s, filepath.Join(bin, "tributary"), theme, out); err != nil {
			return err
		}
	}
	return nil
}

// world is an edge, two peers that have the files, and links to them.
type world struct {
	programs fleet.Programs
	dir      string
	control  *fleet.Control
	peers    []*fleet.Daemon
	links    []string
}

func newWorld(ctx context.Context, programs fleet.Programs, dir string) (*world, error) {
	w := &world{programs: programs, dir: dir}
	var paths []string
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := noise(path, f.size); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	policy := filepath.Join(dir, "policy.json")
	if err := os.WriteFile(policy, []byte(`{"mode":"speed","peers":true}`), 0o600); err != nil {
		return nil, err
	}
	var err error
	w.control, err = programs.Control(fleet.ThisMachine{}, fleet.ControlOptions{Data: filepath.Join(dir, "control"), Listen: "127.0.0.1:0", EdgeRate: edgeRate})
	if err != nil {
		return nil, err
	}
	if w.links, err = w.control.Publish(ctx, policy, paths...); err != nil {
		w.stop()
		return nil, err
	}
	for i := range 2 {
		d, err := w.daemon(ctx, fmt.Sprint("peer", i), 0)
		if err != nil {
			w.stop()
			return nil, err
		}
		w.peers = append(w.peers, d)
	}
	for _, d := range w.peers {
		for _, link := range w.links {
			added, err := d.Add(ctx, api.AddRequest{URL: link})
			if err == nil {
				_, err = d.Until(ctx, added.ID, fleet.Ended)
			}
			if err != nil {
				w.stop()
				return nil, err
			}
		}
	}
	return w, nil
}

func noise(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.Reader, size)
	return errors.Join(err, f.Close())
}

// daemon starts a service that shares and downloads at most at a rate; 0 is any.
func (w *world) daemon(ctx context.Context, name string, rate int64) (*fleet.Daemon, error) {
	d, err := w.programs.Daemon(fleet.ThisMachine{}, fleet.DaemonOptions{Data: filepath.Join(w.dir, name), CA: w.control.CA(), Loopback: true})
	if err != nil {
		return nil, err
	}
	downloads := filepath.Join(w.dir, name, "downloads")
	_, err = d.SetSettings(ctx, api.SettingsPatch{Dir: &downloads, Sharing: new(api.SharingOn), DownloadLimit: &rate})
	return d, err
}

func (w *world) stop() {
	for _, d := range w.peers {
		_ = d.Stop()
	}
	_ = w.control.Stop()
}

// shoot downloads everything with a fresh service and takes a picture of each page on the way.
func (w *world) shoot(ctx context.Context, s *screen.Screen, program, theme, out string) error {
	d, err := w.daemon(ctx, theme, shown)
	if err != nil {
		return err
	}
	defer func() { _ = d.Stop() }()
	prefs := filepath.Join(w.dir, theme, "desktop.json")
	if err := os.WriteFile(prefs, []byte(`{"welcomed":true,"theme":"`+theme+`"}`), 0o600); err != nil {
		return err
	}
	first, err := d.Add(ctx, api.AddRequest{URL: w.links[0]})
	if err != nil {
		return err
	}
	if _, err := d.Until(ctx, first.ID, func(x api.Download) bool { return x.VerifiedBytes > x.TotalBytes/2 && x.TotalBytes > 0 }); err != nil {
		return err
	}
	for _, link := range w.links[1:] {
		if _, err := d.Add(ctx, api.AddRequest{URL: link}); err != nil {
			return err
		}
	}
	window, err := s.Start(program, "--socket", d.Socket, "--data", filepath.Join(w.dir, theme), "--alone")
	if err != nil {
		return err
	}
	defer func() { _ = window.Process.Kill() }()
	id, err := s.Window(ctx, "Tributary")
	if err != nil {
		return err
	}
	time.Sleep(7 * time.Second) // the graph needs a past to show
	files, err := s.Tour(ctx, id, out, "-"+theme)
	for _, file := range files {
		fmt.Println(file)
	}
	return err
}
