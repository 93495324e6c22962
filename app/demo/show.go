package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/engine/api"
)

type options struct {
	file     string
	programs string
	cache    string
	loopback bool
	window   string // program that shows the client's downloads meanwhile; "" is none
	pictures string // folder for pictures of it where there is no display
}

// performance is one run of the demo: what the acts hand to each other.
type performance struct {
	*screen
	*stage
	programs fleet.Programs
	rates    rates

	window  *window // nil: none
	file    string
	size    int64
	sha256  string
	control *fleet.Control
	url     string // of the published file
}

// show runs the acts of the demo one after another and cleans up whatever happens.
func show(ctx context.Context, o options, scr *screen) (err error) {
	p := &performance{screen: scr, file: o.file}
	scr.title("Tributary: one download from an edge server and from peers at the same time")
	if p.programs, err = fleet.FindPrograms(o.programs); err != nil {
		return err
	}
	if p.file == "" {
		if p.file, err = goArchive(ctx, o.cache); err != nil {
			return err
		}
	}
	if p.size, p.sha256, err = hashFile(p.file); err != nil {
		return err
	}
	p.rates = ratesFor(p.size)
	if p.stage, err = newStage(o, p.rates); err != nil {
		return fmt.Errorf("build the stage: %w", err)
	}
	defer func() {
		if p.window != nil {
			p.window.close()
		}
		if p.control != nil {
			p.control.Kill()
		}
		err = errors.Join(err, p.stage.close())
	}()
	p.say("  file     %s, %s", filepath.Base(p.file), megabytes(p.size))
	p.say("  stage    %s", p.stage.words)
	p.say("  edge     %s for all", megabits(p.rates.edge))
	p.say("  peers    %d, each sends at most %s", len(p.peers), megabits(p.rates.peerUp))
	if !p.loopback {
		p.say("  client   %s down, %s", megabits(p.rates.down), p.client.stands)
	}
	if err := p.prepare(ctx); err != nil {
		return err
	}
	alone, err := p.edgeAlone(ctx)
	if err != nil {
		return fmt.Errorf("download from the edge alone: %w", err)
	}
	p.window = p.openWindow(ctx, o.window, o.pictures)
	together, err := p.together(ctx)
	if err != nil {
		return fmt.Errorf("download from edge and peers: %w", err)
	}
	if err := p.summary(alone, together); err != nil {
		return err
	}
	switch {
	case p.window == nil:
	case p.window.hidden != nil:
		p.window.show(p)
	default:
		p.say("\nThe window shows the client. Close it to end the demo (or wait %v).", lookingTime)
		select {
		case <-p.window.ended:
		case <-time.After(lookingTime):
		case <-ctx.Done():
		}
	}
	return nil
}

// lookingTime is how long the window stays open after the download.
const lookingTime = time.Minute

// prepare publishes the file, lets the peers fetch it while the edge is fast, and then starts
// the control plane again with a slow edge. The peers find their way back by themselves: the control
// plane remembers nobody.
func (p *performance) prepare(ctx context.Context) (err error) {
	p.title("1. A publisher offers the file, three peers get it and agree to share it")
	data := filepath.Join(p.folder, "control")
	o := fleet.ControlOptions{Data: data, Listen: p.address + ":0", Advertise: p.address}
	if p.control, err = p.programs.Control(p.server, o); err != nil {
		return err
	}
	urls, err := p.control.Publish(ctx, "", p.file)
	if err != nil {
		return fmt.Errorf("publish the file: %w", err)
	}
	p.url = urls[0]
	p.say("  published as %s", p.url)

	began := time.Now()
	if err := inParallel(p.peers, func(peer *player) error { return p.seed(ctx, peer) }); err != nil {
		return err
	}
	p.say("  three peers have it after %.1f s and share it", time.Since(began).Seconds())

	if err := p.control.Stop(); err != nil {
		return err
	}
	where, err := url.Parse(p.control.URL)
	if err != nil {
		return err
	}
	o.Listen, o.EdgeRate = where.Host, p.rates.edge
	if p.control, err = p.programs.Control(p.server, o); err != nil {
		return fmt.Errorf("start the control plane again: %w", err)
	}
	if err := inParallel(p.peers, func(peer *player) error { return reconnected(ctx, peer) }); err != nil {
		return err
	}
	p.say("  the edge now sends %s and no more; the peers have reported back", megabits(p.rates.edge))
	return p.start(p.client)
}

// start runs a player's service.
func (p *performance) start(who *player) (err error) {
	o := fleet.DaemonOptions{Data: filepath.Join(who.folder, "service"), CA: p.control.CA(), Loopback: p.loopback}
	who.daemon, err = p.programs.Daemon(who.place, o)
	if err != nil {
		return fmt.Errorf("start the service of the %s: %w", who.name, err)
	}
	return nil
}

// seed lets a peer have the file and share it.
func (p *performance) seed(ctx context.Context, peer *player) error {
	if err := p.start(peer); err != nil {
		return err
	}
	// Nothing is ever sent unless the user has said so.
	if _, err := peer.daemon.Ctl(ctx, "sharing", "on"); err != nil {
		return err
	}
	if p.loopback { // no line to hold it back
		if _, err := peer.daemon.SetSettings(ctx, api.SettingsPatch{UploadLimit: &p.rates.peerUp}); err != nil {
			return err
		}
	}
	added, err := peer.daemon.Add(ctx, api.AddRequest{URL: p.url, Dir: peer.folder})
	if err != nil {
		return fmt.Errorf("%s: %w", peer.name, err)
	}
	d, err := peer.daemon.Until(ctx, added.ID, fleet.Ended)
	if err != nil {
		return withLog(peer, err)
	}
	if d.State != api.StateComplete {
		return withLog(peer, fmt.Errorf("%s could not get the file: %s", peer.name, problem(d)))
	}
	return nil
}

// reconnected waits until a peer has its session with the control plane again.
func reconnected(ctx context.Context, peer *player) error {
	const patience = 60 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		status, err := peer.daemon.Status(ctx)
		if err == nil && len(status.Control) > 0 && status.Control[0].Connected {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return withLog(peer, fmt.Errorf("%s has not come back to the control plane: %w", peer.name, ctx.Err()))
		}
	}
}

// edgeAlone downloads the file as a browser would, on the client's line.
func (p *performance) edgeAlone(ctx context.Context) (took time.Duration, err error) {
	p.title("2. For comparison: the client downloads it from the edge alone")
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	get := p.client.place.Command(ctx, self, "-get", p.url, "-ca", p.control.CA())
	var complaint bytes.Buffer
	get.Stderr = &complaint
	out, err := get.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := get.Start(); err != nil {
		return 0, err
	}
	var got reference
	for lines := json.NewDecoder(out); lines.Decode(&got) == nil; {
		p.progress(got.Bytes, 0, p.size, "edge "+megabits(int64(float64(got.Bytes)/got.Seconds)))
	}
	p.endProgress()
	if err := get.Wait(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, strings.TrimSpace(complaint.String()))
	}
	if got.SHA256 != p.sha256 {
		return 0, errors.New("the bytes are not those of the original")
	}
	p.say("  %.1f s", got.Seconds)
	return time.Duration(got.Seconds * float64(time.Second)), nil
}

// result is what the download from all sources came to.
type result struct {
	api.Download
	took    time.Duration
	sources map[string]api.Source // of peers, by name, as last seen
	given   []int64               // payload bytes that each peer sent
}

// together downloads the file with the client's service.
func (p *performance) together(ctx context.Context) (result, error) {
	p.title("3. The same client downloads it from the edge and from peers")
	p.say("  %s edge   %s peers", p.colour(blue, edgeMark), p.colour(green, peerMark))
	r := result{sources: make(map[string]api.Source)}
	before, err := p.sentByPeers(ctx)
	if err != nil {
		return r, err
	}
	began := time.Now()
	added, err := p.client.daemon.Add(ctx, api.AddRequest{URL: p.url, Dir: p.client.folder})
	if err != nil {
		return r, err
	}
	r.Download, err = p.client.daemon.Until(ctx, added.ID, func(d api.Download) bool {
		note := d.Note // of what comes before and after the bytes
		if d.State == api.StateDownloading {
			note = fmt.Sprintf("edge %s, %d peers %s", megabits(d.EdgeRate), d.Peers, megabits(d.PeerRate))
		}
		p.progress(d.BytesFromEdge, d.BytesFromPeers, p.size, note)
		p.noteSources(ctx, r.sources, d.ID)
		return fleet.Ended(d)
	})
	r.took = time.Since(began)
	p.endProgress()
	if err != nil {
		return r, withLog(p.client, err)
	}
	if r.State != api.StateComplete {
		return r, withLog(p.client, errors.New(problem(r.Download)))
	}
	p.say("  %.1f s", r.took.Seconds())
	r.given, err = p.sentByPeers(ctx)
	for i := range r.given {
		r.given[i] -= before[i]
	}
	return r, err
}

// sentByPeers reads what each peer's service has sent so far, by its own ledger.
func (p *performance) sentByPeers(ctx context.Context) ([]int64, error) {
	sent := make([]int64, len(p.peers))
	for i, peer := range p.peers {
		sharing, err := peer.daemon.Sharing(ctx)
		if err != nil {
			return nil, withLog(peer, err)
		}
		sent[i] = sharing.Today
	}
	return sent, nil
}

// noteSources keeps what is known of each peer: a finished download has no peers any more. Missing one
// look is no harm.
func (p *performance) noteSources(ctx context.Context, sources map[string]api.Source, id string) {
	detail, err := p.client.daemon.Download(ctx, id)
	if err != nil {
		return
	}
	for _, s := range detail.Sources {
		if s.Kind == "peer" {
			sources[s.Name] = s
		}
	}
}

// inParallel does the same for all players and returns every error.
func inParallel(players []*player, do func(*player) error) error {
	errs := make([]error, len(players))
	var all sync.WaitGroup
	for i, who := range players {
		all.Go(func() { errs[i] = do(who) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// problem says in words why a download has not ended well.
func problem(d api.Download) string {
	if d.Problem == nil {
		return d.Note
	}
	return d.Problem.Title + ": " + d.Problem.Text
}

// withLog adds what a player's service has written last.
func withLog(who *player, err error) error {
	lines := who.daemon.Log()
	lines = lines[max(0, len(lines)-12):]
	return fmt.Errorf("%w\nthe last lines of the %s's service:\n  %s", err, who.name, strings.Join(lines, "\n  "))
}
