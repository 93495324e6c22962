package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/app/lab"
)

// rates of the lines, in bytes a second.
type rates struct {
	edge   int64 // the edge's capacity
	down   int64 // the client's line
	peerUp int64 // the line of each peer
}

// ratesFor chooses rates at which the edge alone needs about half a minute, whatever the file's size:
// long enough to see, short enough to wait. The client's line takes three times as much, and the
// peers can just about fill it.
func ratesFor(size int64) rates {
	const (
		edgeSeconds = 36
		mbit        = 1_000_000 / 8
	)
	edge := min(max(size/edgeSeconds/mbit, 8), 160) * mbit
	return rates{edge: edge, down: 3 * edge, peerUp: edge * 11 / 10}
}

// player is a computer of the demo with its service.
type player struct {
	name   string
	stands string // where, in plain words
	place  fleet.Place
	folder string // of its downloads
	daemon *fleet.Daemon
}

// stage is where the demo takes place: who stands where, and how they are told apart from the rest of
// the machine.
type stage struct {
	words    string // what it is, for people
	lab      *lab.Lab
	folder   string // of everything that is written
	server   fleet.Place
	address  string // of the server
	loopback bool
	peers    []*player
	client   *player
}

var homes = []struct {
	nat   lab.NAT
	words string
}{
	{lab.FullCone, "behind an easy router (full cone NAT)"},
	{lab.PortCone, "behind an ordinary home router (port-restricted NAT)"},
	{lab.CGNAT, "behind a carrier's NAT and a home router"},
}

// newStage builds a laboratory, or a stage on the loopback interface if that cannot be.
func newStage(o options, r rates) (s *stage, err error) {
	folder, err := os.MkdirTemp("", "tributary-demo-")
	if err != nil {
		return nil, err
	}
	s = &stage{folder: folder}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for i, home := range homes {
		s.peers = append(s.peers, &player{name: fmt.Sprintf("peer %d", i+1), stands: home.words})
	}
	s.client = &player{name: "client", stands: "behind an ordinary home router (port-restricted NAT)"}
	why := lab.Supported()
	if o.loopback {
		why = errors.New("-loopback was given")
	}
	if why == nil {
		err = s.buildLab(r)
	} else {
		s.useLoopback(why)
	}
	for _, p := range append(s.peers, s.client) {
		p.folder = filepath.Join(folder, p.name)
		err = errors.Join(err, os.Mkdir(p.folder, 0o700))
	}
	return s, err
}

func (s *stage) buildLab(r rates) error {
	// What a demo that was killed has left behind.
	if err := lab.Sweep(); err != nil {
		return err
	}
	var err error
	if s.lab, err = lab.New("demo"); err != nil {
		return err
	}
	s.words = "a laboratory of network namespaces: every computer has its own network, router and line"
	server, err := s.lab.Host("edge", lab.HostOptions{})
	if err != nil {
		return err
	}
	s.server, s.address = server, server.Addr()
	for i, p := range s.peers {
		line := lab.Line{Up: lab.Rate(8 * r.peerUp)}
		if p.place, err = s.lab.Host(fmt.Sprintf("peer%d", i+1), lab.HostOptions{NAT: homes[i].nat, Line: line}); err != nil {
			return err
		}
	}
	line := lab.Line{Down: lab.Rate(8 * r.down)}
	s.client.place, err = s.lab.Host("client", lab.HostOptions{NAT: lab.PortCone, Line: line})
	return err
}

func (s *stage) useLoopback(why error) {
	s.words = "this machine's loopback interface, without routers: " + why.Error()
	s.loopback = true
	s.server, s.address = fleet.ThisMachine{}, "127.0.0.1"
	for _, p := range append(s.peers, s.client) {
		p.place, p.stands = fleet.ThisMachine{}, "on this machine"
	}
}

// close ends everything that runs on the stage and removes what it wrote.
func (s *stage) close() error {
	var errs []error
	for _, p := range append(s.peers, s.client) {
		if p.daemon != nil {
			p.daemon.Kill()
		}
	}
	if s.lab != nil {
		errs = append(errs, s.lab.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.folder))...)
}
