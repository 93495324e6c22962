package e2e

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/app/lab"
	"github.com/tributary-dl/tributary/engine/api"
)

// Two homes behind ordinary routers, and an edge between them: first the one who has the file shares
// nothing, then it does.
func TestPeersBehindRouters(t *testing.T) {
	if err := lab.Supported(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := lab.New("e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	folder := tempFolder(t)
	host := func(name string, nat lab.NAT, line lab.Line) *lab.Host {
		h, err := l.Host(name, lab.HostOptions{NAT: nat, Line: line})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	server := host("server", lab.NATNone, lab.Line{Up: 60 * lab.Mbit})
	control := startControl(t, server, fleet.ControlOptions{
		Data: filepath.Join(folder, "control"), Listen: server.Addr() + ":8443", Advertise: server.Addr() + ":8443",
	})
	original := newFile(t, folder, "file.bin", 16*mib, 1)
	urls, err := control.Publish(ctx, "", original.path)
	if err != nil {
		t.Fatal(err)
	}
	user := func(name string, nat lab.NAT) (*user, *lab.Host) {
		h := host(name, nat, lab.Line{Up: 40 * lab.Mbit, Down: 120 * lab.Mbit})
		return newUser(t, name, filepath.Join(folder, name), h, fleet.DaemonOptions{CA: control.CA()}), h
	}
	anna, annasComputer := user("anna", lab.PortCone)
	anna.share(ctx, api.SharingOff)
	anna.completes(ctx, anna.add(ctx, urls[0]), original)

	before, err := annasComputer.Counters()
	if err != nil {
		t.Fatal(err)
	}
	bert, _ := user("bert", lab.PortCone)
	d := bert.completes(ctx, bert.add(ctx, urls[0]), original)
	after, err := annasComputer.Counters()
	if err != nil {
		t.Fatal(err)
	}
	// What a session costs: kept alive, asked for news. A single piece is sixteen times as much.
	const talk = 64 << 10
	if sent := after.Out - before.Out; sent > talk || d.BytesFromPeers != 0 {
		t.Errorf("with sharing off, %d bytes left the computer and %d came to the other; want no payload", sent, d.BytesFromPeers)
	}

	anna.share(ctx, api.SharingOn)
	carla, _ := user("carla", lab.AddrCone)
	d = carla.completes(ctx, carla.add(ctx, urls[0]), original)
	if d.BytesFromPeers == 0 {
		t.Errorf("with sharing on, no byte came from the peer: %d from the edge", d.BytesFromEdge)
	}
}
