package arena

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/app/scenario"
	"github.com/tributary-dl/tributary/engine/api"
)

// contestant is a way to get a file: our programs, or another one.
type contestant struct {
	name string
	// peers says that it takes bytes from other members too. A rival that does gets open doors: no NAT stands
	// before it, as if every user had set up his router, because what is compared is the use of sources.
	peers bool
	alone bool   // only the first who downloads takes part
	needs string // the program without which it cannot run; "" for ours
	join  func(ctx context.Context, st *stage, m scenario.Member, at fleet.Place) (player, error)
}

// player is the contestant's program on the computer of one member. A member that holds the object has it, and offers it if
// it shares, when join returns.
type player interface {
	// fetch gets the object and returns its path. The player goes on to share it, if its member shares.
	fetch(ctx context.Context) (fetched, error)
	held() string // path of the object of a member that holds it
	pid() int     // of its process; 0: none
	kill()        // without warning, if it runs
	// cpu is the processor time that its program has taken, until now or until its end.
	cpu() (time.Duration, error)
}

// fetched is a finished download, in the client's own words.
type fetched struct {
	path   string
	claims *Claims // nil: the program says nothing
}

// Claims are what a client says of its own bytes.
type Claims struct {
	Edge   int64 `json:"edge"`
	Peers  int64 `json:"peers"`
	Wasted int64 `json:"wasted"`
}

// Ours is the name of our own programs among the contestants.
const Ours = "tributary"

var ours = contestant{name: Ours, peers: true, join: joinOurs}

// ourPlayer is a service of ours.
type ourPlayer struct {
	*fleet.Daemon
	url  string
	path string
}

func joinOurs(ctx context.Context, st *stage, m scenario.Member, at fleet.Place) (_ player, err error) {
	// A Unix socket's path has at most 108 bytes, so the folder's name is short.
	dir := filepath.Join(st.folder, m.Name)
	files := filepath.Join(dir, "files")
	if err := os.MkdirAll(files, 0o700); err != nil {
		return nil, err
	}
	d, err := st.programs.Daemon(at, fleet.DaemonOptions{Data: dir, CA: st.control.CA(), Control: st.node, LogLevel: st.logLevel})
	if err != nil {
		return nil, err
	}
	p := &ourPlayer{Daemon: d, url: st.object.url}
	defer func() {
		if err != nil {
			d.Kill()
		}
	}()
	sharing := api.SharingOff
	if m.Shares {
		sharing = api.SharingOn
	}
	if _, err := d.SetSettings(ctx, api.SettingsPatch{Dir: &files, Sharing: &sharing}); err != nil {
		return nil, err
	}
	if m.Holds {
		got, err := p.fetch(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s cannot get what it should hold: %w", m.Name, err)
		}
		p.path = got.path
	}
	return p, nil
}

func (p *ourPlayer) fetch(ctx context.Context) (fetched, error) {
	added, err := p.Add(ctx, api.AddRequest{URL: p.url})
	if err != nil {
		return fetched{}, err
	}
	d, err := p.Until(ctx, added.ID, fleet.Ended)
	if err != nil {
		return fetched{}, err
	}
	if d.State != api.StateComplete {
		if d.Problem != nil {
			return fetched{}, errors.New("the download failed: " + d.Problem.Text)
		}
		return fetched{}, errors.New("the download failed")
	}
	return fetched{path: d.Path, claims: &Claims{Edge: d.BytesFromEdge, Peers: d.BytesFromPeers, Wasted: d.BytesWasted}}, nil
}

func (p *ourPlayer) held() string                { return p.path }
func (p *ourPlayer) pid() int                    { return p.PID() }
func (p *ourPlayer) kill()                       { p.Kill() }
func (p *ourPlayer) cpu() (time.Duration, error) { return p.CPU() }
