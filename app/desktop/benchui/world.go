package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/engine/api"
)

// world is an edge that sends slowly, and a service.
type world struct {
	control *fleet.Control
	daemon  *fleet.Daemon
	data    string // of the service
	links   []string
}

// newWorld offers so many files of 60 MB from an edge that sends all of them together at a rate, in bytes a second.
// The files are holes save for their first bytes: nobody will wait for the rest.
func (b *bench) newWorld(ctx context.Context, name string, files int, rate int64) (w *world, err error) {
	dir := filepath.Join(b.scratch, name)
	w = &world{data: filepath.Join(dir, "service")}
	defer func() {
		if err != nil {
			w.stop()
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	w.control, err = b.programs.Control(fleet.ThisMachine{}, fleet.ControlOptions{Data: filepath.Join(dir, "control"), Listen: "127.0.0.1:0", EdgeRate: rate})
	if err != nil {
		return w, err
	}
	for i := range files {
		file := filepath.Join(dir, fmt.Sprintf("file-%02d.iso", i))
		if err := hollow(file, 60_000_000); err != nil {
			return w, err
		}
		links, err := w.control.Publish(ctx, "", file)
		if err != nil {
			return w, err
		}
		w.links = append(w.links, links...)
	}
	w.daemon, err = b.programs.Daemon(fleet.ThisMachine{}, fleet.DaemonOptions{Data: w.data, CA: w.control.CA(), Loopback: true})
	if err != nil {
		return w, err
	}
	downloads := filepath.Join(dir, "downloads")
	if _, err := w.daemon.SetSettings(ctx, api.SettingsPatch{Dir: &downloads, MaxActive: new(20)}); err != nil {
		return w, err
	}
	return w, os.WriteFile(filepath.Join(w.data, "desktop.json"), []byte(`{"welcomed":true}`), 0o600)
}

func hollow(file string, size int64) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%016x", rand.Uint64())
	return errors.Join(err, f.Truncate(size), f.Close())
}

// download adds every link and waits until bytes of each arrive.
func (w *world) download(ctx context.Context) error {
	for _, link := range w.links {
		d, err := w.daemon.Add(ctx, api.AddRequest{URL: link})
		if err != nil {
			return err
		}
		if _, err := w.daemon.Until(ctx, d.ID, func(d api.Download) bool { return d.State == api.StateDownloading }); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) stop() {
	if w.daemon != nil {
		_ = w.daemon.Stop() // what it measured is written down
	}
	if w.control != nil {
		_ = w.control.Stop()
	}
}

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
