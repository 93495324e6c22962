package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/app/desktop/panel"
	"github.com/tributary-dl/tributary/engine/api"
)

const trayProgram = "tributary-tray"

// size looks at the tray's program as it is shipped.
func (b *bench) size(context.Context) error {
	info, err := os.Stat(filepath.Join(b.bin, trayProgram))
	if err != nil {
		return err
	}
	b.atMost("tray: program", "MB", 6, float64(info.Size())/1e6, "stripped")
	return nil
}

// tray lets the tray sit in a panel that reads its menu after each change, while 20 downloads creep.
func (b *bench) tray(ctx context.Context) (err error) {
	const files, eachRate, span = 20, 100_000, time.Minute
	w, err := b.newWorld(ctx, "tray", files, files*eachRate)
	if err != nil {
		return err
	}
	defer w.stop()
	if err := w.download(ctx); err != nil {
		return err
	}
	p, err := panel.Open()
	if err != nil {
		return err
	}
	defer p.Close()
	c := exec.CommandContext(ctx, filepath.Join(b.bin, trayProgram), "--socket", w.daemon.Socket, "--data", w.data)
	c.Env = append(os.Environ(), "DBUS_SESSION_BUS_ADDRESS="+p.Address, "LC_ALL=C")
	var complaint strings.Builder
	c.Stderr = &complaint
	if err := c.Start(); err != nil {
		return err
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	select {
	case item := <-p.Items:
		if err := p.Follow(item); err != nil {
			return err
		}
	case <-time.After(20 * time.Second):
		return errors.New("the tray has not registered with the panel: " + complaint.String())
	}
	if err := wait(ctx, 10*time.Second); err != nil { // what a start costs is over
		return err
	}
	before, err := usageOf(c.Process.Pid)
	if err != nil {
		return err
	}
	if err := wait(ctx, span); err != nil {
		return err
	}
	after, err := usageOf(c.Process.Pid)
	if err != nil {
		return err
	}
	resident, err := residentOf(c.Process.Pid)
	if err != nil {
		return err
	}
	all, err := w.daemon.Downloads(ctx)
	if err != nil {
		return err
	}
	active := 0
	for _, d := range all {
		if d.State == api.StateDownloading {
			active++
		}
	}
	if active != files {
		return fmt.Errorf("%d of %d downloads are still active, so this says nothing", active, files)
	}
	note := fmt.Sprintf("%d active downloads, a panel that reads the menu after each change, %v", active, span)
	b.atMost("tray: memory", "MB", 12, resident, note)
	b.atMost("tray: processor", "% of a core", 0.1, 100*after.minus(before).all.Seconds()/span.Seconds(), note)
	return nil
}
