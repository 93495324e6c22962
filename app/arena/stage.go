package arena

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/app/lab"
	"github.com/tributary-dl/tributary/app/scenario"
)

// stage is the network of one run with everybody in place.
type stage struct {
	scenario scenario.Scenario
	programs fleet.Programs
	logLevel string // of our services; "" is the default
	folder   string // of everything that is written
	lab      *lab.Lab
	edge     *lab.Host
	sites    map[string]*lab.Site
	control  *fleet.Control
	node     string // the control plane that services are told to use; "": the manifest's
	object   *object
	torrent  string // path of the object's torrent that names our tracker
	tracker  *tracker
	front    *front // nil unless the scenario breaks the edge
	members  []*member

	mu      sync.Mutex
	players []player // everybody who joined, to be ended
}

// member is one computer with its program.
type member struct {
	scenario.Member
	host   *lab.Host
	player player
}

const (
	edgePort   = 443  // where the edge is reached; with it a URL needs no port
	hiddenPort = 8443 // where the edge listens that has a front
)

// joinsAtOnce is how many members start at a time: two processors can start no more without a queue.
const joinsAtOnce = 3

// joinTime is how long all members may take to start, and holders to get what they hold while the lines are free.
const joinTime = 3 * time.Minute

var errNotReady = fmt.Errorf("the members were not ready within %s: is the disk full, or the machine busy?", joinTime)

// build makes the network, lets everybody join while the lines are still free, and then gives the lines their rates.
func (st *stage) build(ctx context.Context, c contestant, members []scenario.Member) (err error) {
	if st.lab, err = lab.New("arena"); err != nil {
		return err
	}
	if st.edge, err = st.lab.Host("edge", lab.HostOptions{}); err != nil {
		return err
	}
	if err := st.serve(); err != nil {
		return err
	}
	if st.object, err = newObject(ctx, st.folder, st.control, st.scenario.Size(), st.scenario.Policy, st.scenario.Seed); err != nil {
		return err
	}
	if c.peers && c.name != Ours {
		if err := st.openTracker(); err != nil {
			return err
		}
	}
	if err := st.settle(c, members); err != nil {
		return err
	}
	if err := st.join(ctx, c); err != nil {
		return err
	}
	return st.shape()
}

// serve starts the control plane with its edge, behind a front if the scenario breaks the edge.
func (st *stage) serve() (err error) {
	at := func(port int) string { return fmt.Sprintf("%s:%d", st.edge.Addr(), port) }
	options := fleet.ControlOptions{Data: filepath.Join(st.folder, "control"), Listen: at(edgePort)}
	if st.scenario.BreaksEdge() {
		options.Listen, options.Advertise = at(hiddenPort), at(edgePort)
		st.node = "https://" + options.Listen // sessions need the client's certificate, which a proxy does not hand on
	}
	if st.control, err = st.programs.Control(st.edge, options); err != nil {
		return err
	}
	if st.scenario.BreaksEdge() {
		st.front, err = openFront(st.edge, filepath.Join(options.Data, "server.pem"), options.Listen)
	}
	return err
}

// settle gives every member a computer. Lines are free.
func (st *stage) settle(c contestant, members []scenario.Member) error {
	st.sites = map[string]*lab.Site{}
	for _, s := range st.scenario.Sites {
		site, err := st.lab.Site(s.Name, lab.NAT(s.NAT), lab.Line{})
		if err != nil {
			return err
		}
		st.sites[s.Name] = site
	}
	for _, m := range members {
		options := lab.HostOptions{NAT: lab.NAT(m.NAT), Site: st.sites[m.Site]}
		if c.peers && c.name != Ours {
			options.NAT = lab.NATNone
		}
		host, err := st.lab.Host(m.Name, options)
		if err != nil {
			return err
		}
		st.members = append(st.members, &member{Member: m, host: host})
	}
	return nil
}

func (st *stage) join(ctx context.Context, c contestant) error {
	ctx, cancel := context.WithTimeoutCause(ctx, joinTime, errNotReady)
	defer cancel()
	joining, ctx := errgroup.WithContext(ctx)
	joining.SetLimit(joinsAtOnce)
	for _, m := range st.members {
		joining.Go(func() error {
			var at fleet.Place = m.host
			if len(st.members) > Crowd {
				at = modest{at}
			}
			p, err := c.join(ctx, st, m.Member, at)
			if err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
			m.player = p
			st.mu.Lock()
			st.players = append(st.players, p)
			st.mu.Unlock()
			if m.Fault == scenario.FaultLying && p.held() != "" {
				return alter(p.held())
			}
			return nil
		})
	}
	return joining.Wait()
}

// shape gives every line its rate.
func (st *stage) shape() error {
	line := func(l scenario.Line) lab.Line {
		rate := func(mbit float64) lab.Rate { return lab.Rate(mbit * float64(lab.Mbit)) }
		return lab.Line{Down: rate(l.Down), Up: rate(l.Up)}
	}
	errs := []error{st.edge.SetLine(line(st.scenario.Edge))}
	for _, s := range st.scenario.Sites {
		errs = append(errs, st.sites[s.Name].SetLine(line(s.Line)))
	}
	for _, m := range st.members {
		errs = append(errs, m.host.SetLine(line(m.Line)))
	}
	return errors.Join(errs...)
}

// close ends everybody and removes the network.
func (st *stage) close() error {
	st.mu.Lock()
	for _, p := range st.players {
		p.kill()
	}
	st.mu.Unlock()
	if st.front != nil {
		st.front.close()
	}
	if st.tracker != nil {
		st.tracker.close()
	}
	if st.control != nil {
		st.control.Kill()
	}
	if st.lab == nil {
		return nil
	}
	return st.lab.Close()
}
