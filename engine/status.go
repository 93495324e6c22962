package engine

import (
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/download"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// apiVersion is the version of the vocabulary in package api.
const apiVersion = 1

func (e *Engine) guid() protocol.GUID {
	key, err := protocol.KeyFrom(e.ident.Key.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err) // identity makes no other keys
	}
	return key.GUID()
}

func (e *Engine) all() []*download.Download {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Values(e.downloads))
}

// Status says what the service is and how it is connected.
func (e *Engine) Status() api.Status {
	s := api.Status{Version: e.cfg.Version, API: apiVersion, Started: e.started, PID: os.Getpid(), DataDir: e.cfg.DataDir,
		GUID: e.guid().String(), Settings: e.Settings(), Sharing: e.Sharing(), Problems: []api.Problem{}}
	s.Sharing.Ledger = nil
	e.mu.Lock()
	if e.policyProblem != nil {
		s.Problems = append(s.Problems, *e.policyProblem)
	}
	e.mu.Unlock()
	if e.peers != nil {
		s.Control, s.Peers = e.peers.Status()
	} else {
		s.Peers.NAT = "no peers"
	}
	if s.Control == nil {
		s.Control = []api.ControlStatus{}
	}
	return s
}

// Sharing says what left this computer, what is offered, and why sharing rests.
func (e *Engine) Sharing() api.SharingStatus {
	settings := e.Settings()
	s := e.ledger.status()
	s.Sharing = settings.Sharing
	if rest := e.ledger.paused(settings); rest != nil {
		s.PausedWhy, s.Paused = rest.English(), rest
	}
	for _, d := range e.List() {
		if d.Shared {
			s.HeldObjects++
			s.HeldBytes += d.TotalBytes
		}
		s.Rate += d.UploadRate
	}
	return s
}

// StopSharing ends the offer of one object to peers; the user's file stays.
func (e *Engine) StopSharing(ctx context.Context, contentID string) error {
	if _, err := protocol.ParseContentID(contentID); err != nil {
		return &api.Error{Code: api.ErrInvalid, Message: err.Error()}
	}
	found := false
	for _, d := range e.all() {
		if d.Snapshot().ContentID == contentID {
			found = true
			if err := d.StopSharing(ctx); err != nil && !errors.Is(err, download.ErrClosed) {
				return err
			}
		}
	}
	if !found {
		return &api.Error{Code: api.ErrNotFound, Message: "no object " + contentID + " is held"}
	}
	if e.peers != nil {
		e.peers.SettingsChanged() // a block of it may be under way
	}
	return nil
}

// Diagnostics returns the newest lines of the log.
func (e *Engine) Diagnostics() []string {
	if e.cfg.Diagnostics == nil {
		return nil
	}
	return e.cfg.Diagnostics()
}

// Doctor looks for what commonly goes wrong and says what to do about it.
func (e *Engine) Doctor(ctx context.Context) []api.Check {
	dir := e.Settings().Dir
	checks := []api.Check{e.folderCheck(ctx, "download folder", dir), e.folderCheck(ctx, "data folder", e.cfg.DataDir)}
	if e.cfg.Machine { // it has no right to anybody's folder, and needs none
		dir = e.cfg.DataDir
		checks = checks[1:]
	}
	space := api.Check{Name: "free space", OK: true, Detail: "enough"}
	if err := e.disk.Ask(ctx, dir, func() error { return storage.CheckSpace(existing(dir), 0) }); err != nil {
		space = api.Check{Name: "free space", Detail: err.Error(), Remedy: "Free some space on the disk of " + dir + "."}
	}
	checks = append(checks, space)
	if moved := e.store.Recovered(); moved != "" {
		checks = append(checks, api.Check{Name: "state database", Detail: "it was broken and has been moved to " + moved,
			Remedy: "Downloads that are missing from the list can be added again; their files are untouched."})
	} else {
		checks = append(checks, api.Check{Name: "state database", OK: true, Detail: "in order"})
	}
	if e.peers == nil {
		return append(checks, api.Check{Name: "peers", Detail: "the socket for peers is not open", Remedy: "Check --listen-peers; see the log."})
	}
	control, network := e.peers.Status()
	checks = append(checks, api.Check{Name: "peers", OK: network.NAT != "udp blocked", Detail: "listening on " + network.Listen + ", NAT: " + network.NAT,
		Remedy: remedy(network.NAT != "udp blocked", "This network blocks UDP; downloads come from edges alone.")})
	checks = append(checks, e.peers.BufferCheck())
	for _, c := range control {
		checks = append(checks, api.Check{Name: "control plane " + c.URL, OK: c.Connected, Detail: c.Detail,
			Remedy: remedy(c.Connected, "Downloads go on from edges; it is tried again by itself.")})
	}
	return checks
}

func remedy(ok bool, text string) string {
	if ok {
		return ""
	}
	return text
}

// existing returns the nearest folder above dir that is there.
func existing(dir string) string {
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

func (e *Engine) folderCheck(ctx context.Context, name, dir string) api.Check {
	err := e.disk.Ask(ctx, dir, func() error { return tryFolder(dir) })
	switch {
	case errors.Is(err, storage.ErrVolumeLost):
		return api.Check{Name: name, Detail: err.Error(), Remedy: "Connect the disk or network drive of " + dir + " again, or choose another folder."}
	case err != nil:
		return api.Check{Name: name, Detail: err.Error(), Remedy: "Choose another folder, or give yourself the right to write to this one."}
	}
	return api.Check{Name: name, OK: true, Detail: dir}
}

// tryFolder makes a file in a folder, or where it would be made, and deletes it.
func tryFolder(dir string) error {
	probe, err := os.CreateTemp(existing(dir), ".tributary-check-*")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
