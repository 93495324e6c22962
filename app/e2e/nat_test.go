package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/app/lab"
	"github.com/tributary-dl/tributary/engine/api"
)

// country is a publisher in a network laboratory, and the file it offers.
type country struct {
	t        *testing.T
	ctx      context.Context
	lab      *lab.Lab
	folder   string
	server   *lab.Host
	control  *fleet.Control
	original file
	url      string
}

func newCountry(t *testing.T, fileSize int64) *country {
	t.Helper()
	if err := lab.Supported(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	c := &country{t: t, folder: tempFolder(t)}
	var cancel context.CancelFunc
	c.ctx, cancel = context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	var err error
	if c.lab, err = lab.New("e2e"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.lab.Close(); err != nil {
			t.Error(err)
		}
	})
	c.server = c.host("server", lab.NATNone, lab.Line{Up: 60 * lab.Mbit})
	address := c.server.Addr() + ":8443"
	c.control = startControl(t, c.server, fleet.ControlOptions{
		Data: filepath.Join(c.folder, "control"), Listen: address, Advertise: address,
	})
	c.original = newFile(t, c.folder, "file.bin", fileSize, 1)
	urls, err := c.control.Publish(c.ctx, "", c.original.path)
	if err != nil {
		t.Fatal(err)
	}
	c.url = urls[0]
	return c
}

func (c *country) host(name string, nat lab.NAT, line lab.Line) *lab.Host {
	c.t.Helper()
	h, err := c.lab.Host(name, lab.HostOptions{NAT: nat, Line: line})
	if err != nil {
		c.t.Fatal(err)
	}
	return h
}

// user starts a service on a computer of its own.
func (c *country) user(name string, nat lab.NAT) (*user, *lab.Host) {
	c.t.Helper()
	h := c.host(name, nat, lab.Line{Up: 40 * lab.Mbit, Down: 120 * lab.Mbit})
	return newUser(c.t, name, filepath.Join(c.folder, name), h, fleet.DaemonOptions{CA: c.control.CA()}), h
}

// Homes behind ordinary routers, and an edge between them: first the one who has the file shares
// nothing, then it does.
func TestPeersBehindRouters(t *testing.T) {
	c := newCountry(t, 16*mib)
	anna, annasComputer := c.user("anna", lab.PortCone)
	anna.share(c.ctx, api.SharingOff)
	anna.completes(c.ctx, anna.add(c.ctx, c.url), c.original)

	before, err := annasComputer.Counters()
	if err != nil {
		t.Fatal(err)
	}
	bert, _ := c.user("bert", lab.PortCone)
	d := bert.completes(c.ctx, bert.add(c.ctx, c.url), c.original)
	after, err := annasComputer.Counters()
	if err != nil {
		t.Fatal(err)
	}
	// What a session costs: kept alive, asked for news. A single piece is sixteen times as much.
	const talk = 64 << 10
	if sent := after.Out - before.Out; sent > talk || d.BytesFromPeers != 0 {
		t.Errorf("with sharing off, %d bytes left the computer and %d came to the other; want no payload", sent, d.BytesFromPeers)
	}

	anna.share(c.ctx, api.SharingOn)
	carla, _ := c.user("carla", lab.AddrCone)
	d = carla.completes(c.ctx, carla.add(c.ctx, c.url), c.original)
	if d.BytesFromPeers == 0 {
		t.Errorf("with sharing on, no byte came from the peer: %d from the edge", d.BytesFromEdge)
	}
}

// Whoever has just started meets its peers while it still learns about its own network.
func TestNewcomersMeetPeersAtOnce(t *testing.T) {
	c := newCountry(t, 8*mib)
	anna, _ := c.user("anna", lab.CGNAT)
	anna.share(c.ctx, api.SharingOn)
	anna.completes(c.ctx, anna.add(c.ctx, c.url), c.original)
	if err := c.server.SetLine(lab.Line{Up: 4 * lab.Mbit}); err != nil { // nobody is done before it has met anna
		t.Fatal(err)
	}
	const (
		newcomers = 6
		soon      = 4 * time.Second // a meeting that fails takes five
	)
	for i := range newcomers {
		u, _ := c.user(fmt.Sprint("newcomer", i), lab.PortCone)
		id := u.add(c.ctx, c.url)
		ctx, cancel := context.WithTimeout(c.ctx, soon)
		if _, err := u.Until(ctx, id, func(d api.Download) bool { return d.Peers > 0 }); err != nil {
			t.Errorf("%s met nobody within %s: %v", u.name, soon, err)
		}
		cancel()
		u.Kill()
	}
}
