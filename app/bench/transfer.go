package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/app/lab"
	"github.com/tributary-dl/tributary/engine/api"
)

// writeNoise makes a file that nothing can compress or guess.
func writeNoise(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := io.CopyN(w, rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16)}), size); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// publisher starts a control plane on a place and publishes a file of noise.
func (b *bench) publisher(ctx context.Context, place fleet.Place, listen string, size int64, policy string) (*fleet.Control, string, error) {
	dir, err := os.MkdirTemp(b.scratch, "control-")
	if err != nil {
		return nil, "", err
	}
	control, err := b.programs.Control(place, fleet.ControlOptions{Data: filepath.Join(dir, "data"), Listen: listen})
	if err != nil {
		return nil, "", err
	}
	file := filepath.Join(dir, "object.bin")
	if err := writeNoise(file, size); err != nil {
		control.Stop()
		return nil, "", err
	}
	policyFile := ""
	if policy != "" {
		policyFile = filepath.Join(dir, "policy.json")
		if err := os.WriteFile(policyFile, []byte(fmt.Sprintf(`{"mode":%q,"peers":true}`, policy)), 0o600); err != nil {
			control.Stop()
			return nil, "", err
		}
	}
	urls, err := control.Publish(ctx, policyFile, file)
	os.Remove(file)
	if err != nil {
		control.Stop()
		return nil, "", err
	}
	return control, urls[0], nil
}

// service starts a tributaryd that saves to a folder of its own.
func (b *bench) service(ctx context.Context, place fleet.Place, c *fleet.Control, sharing api.Sharing) (*fleet.Daemon, error) {
	dir, err := os.MkdirTemp(b.scratch, "service-")
	if err != nil {
		return nil, err
	}
	_, loopback := place.(fleet.ThisMachine)
	d, err := b.programs.Daemon(place, fleet.DaemonOptions{Data: dir, CA: c.CA(), Loopback: loopback, LogLevel: b.logLevel})
	if err != nil {
		return nil, err
	}
	files := filepath.Join(dir, "files")
	if err = os.Mkdir(files, 0o700); err == nil {
		_, err = d.SetSettings(ctx, api.SettingsPatch{Dir: &files, Sharing: &sharing})
	}
	if err != nil {
		d.Stop()
		return nil, err
	}
	return d, nil
}

// download adds a URL and waits until it has ended well.
func download(ctx context.Context, d *fleet.Daemon, url string) (api.Download, time.Duration, error) {
	began := time.Now()
	added, err := d.Add(ctx, api.AddRequest{URL: url})
	if err != nil {
		return added, 0, err
	}
	return finish(ctx, d, added.ID, began)
}

func finish(ctx context.Context, d *fleet.Daemon, id string, began time.Time) (api.Download, time.Duration, error) {
	s, err := d.Until(ctx, id, fleet.Ended)
	took := time.Since(began)
	if err == nil && s.State == api.StateFailed {
		err = fmt.Errorf("the download failed: %s", s.Problem.Text)
	}
	return s, took, err
}

// rival runs another program's download and returns how long it took.
func rival(ctx context.Context, place fleet.Place, name string, args ...string) (time.Duration, error) {
	r, err := measured(place.Command(ctx, name, args...))
	return r.took, err
}

// race is what one download took.
type race struct {
	took time.Duration
	cpu  float64 // seconds of processor time
	peak int64   // bytes: the most that was resident; ours only
}

func measured(cmd *exec.Cmd) (race, error) {
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return race{}, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, out)
	}
	state := cmd.ProcessState
	return race{took: time.Since(began), cpu: (state.UserTime() + state.SystemTime()).Seconds()}, nil
}

// rivalFile is what another program downloads to, in the scratch folder.
const rivalFile = "rival.bin"

// compared downloads with a fresh service of ours, then with curl and with aria2c.
func (b *bench) compared(ctx context.Context, place fleet.Place, c *fleet.Control, url string) (ours, curl, aria race, err error) {
	d, err := b.service(ctx, place, c, api.SharingOff)
	if err != nil {
		return ours, curl, aria, err
	}
	ours, err = ourRace(ctx, d, url)
	d.Stop()
	if err != nil {
		return ours, curl, aria, err
	}
	to := filepath.Join(b.scratch, rivalFile)
	defer os.Remove(to)
	curl, err = measured(place.Command(ctx, "curl", "-s", "--cacert", c.CA(), "-o", to, url))
	if err != nil {
		return ours, curl, aria, err
	}
	os.Remove(to)
	aria, err = measured(place.Command(ctx, "aria2c", "-q", "-x16", "-s16", "--file-allocation=none", "--ca-certificate="+c.CA(),
		"-d", b.scratch, "-o", rivalFile, url))
	return ours, curl, aria, err
}

// ourRace downloads with a service that has just started. Its memory is that of its whole life.
func ourRace(ctx context.Context, d *fleet.Daemon, url string) (race, error) {
	before, err := usageOf(d.PID())
	if err != nil {
		return race{}, err
	}
	s, took, err := download(ctx, d, url)
	if err != nil {
		return race{}, err
	}
	os.Remove(s.Path)
	after, err := usageOf(d.PID())
	return race{took: took, cpu: after.cpu - before.cpu, peak: after.peak}, err
}

// edgeOnly compares single downloads from the edge alone with the faster rival, and returns what they took us and aria2c.
func (b *bench) edgeOnly(ctx context.Context, where string, place fleet.Place, c *fleet.Control, url string, bound float64) (all, arias []race, err error) {
	var ratios []float64
	note := ""
	for i := range b.runs + 1 {
		ours, curl, aria, err := b.compared(ctx, place, c, url)
		if err != nil {
			return nil, nil, err
		}
		if i == 0 {
			continue // the first run warms up
		}
		all, arias = append(all, ours), append(arias, aria)
		ratios = append(ratios, min(curl.took, aria.took).Seconds()/ours.took.Seconds())
		note = fmt.Sprintf("last run: ours, verified, %.2f s, CPU %.2f s; curl %.2f s, CPU %.2f s; aria2c -x16 %.2f s, CPU %.2f s",
			ours.took.Seconds(), ours.cpu, curl.took.Seconds(), curl.cpu, aria.took.Seconds(), aria.cpu)
	}
	b.atLeast("edge only, "+where+": speed ÷ faster rival", "×", bound, ratios, note)
	return all, arias, nil
}

func (b *bench) loopback(ctx context.Context) error {
	here := fleet.ThisMachine{}
	c, url, err := b.publisher(ctx, here, "127.0.0.1:0", b.size, "")
	if err != nil {
		return err
	}
	defer c.Stop()
	ours, arias, err := b.edgeOnly(ctx, "loopback", here, c, url, 0.95)
	if err != nil {
		return err
	}
	var cpu, peaks []float64
	for i := range ours {
		cpu = append(cpu, ours[i].cpu/arias[i].cpu)
		peaks = append(peaks, float64(ours[i].peak)/1e6)
	}
	b.atMost("edge only, loopback: processor time ÷ aria2c's", "×", 1.5, cpu, "ours verifies every byte")
	b.atMost("edge only, loopback: memory", "MB", 60, peaks, "resident, at its peak")
	return nil
}

func (b *bench) shaped(ctx context.Context) error {
	l, err := lab.New("bench")
	if err != nil {
		return err
	}
	defer l.Close()
	edgeHost, err := l.Host("edge", lab.HostOptions{})
	if err != nil {
		return err
	}
	user, err := l.Host("user", lab.HostOptions{NAT: lab.PortCone})
	if err != nil {
		return err
	}
	for i, rate := range []lab.Rate{50 * lab.Mbit, 200 * lab.Mbit, 1000 * lab.Mbit} {
		if err := edgeHost.SetLine(lab.Line{Up: rate}); err != nil {
			return err
		}
		const seconds = 5 // at full rate, so that neither the beginning of a download nor the rest of it hides the other
		c, url, err := b.publisher(ctx, edgeHost, fmt.Sprintf("%s:%d", edgeHost.Addr(), 8443+i), int64(rate)/8*seconds, "")
		if err != nil {
			return err
		}
		_, _, err = b.edgeOnly(ctx, fmt.Sprintf("%d Mbit/s", rate/lab.Mbit), user, c, url, 0.98)
		c.Stop()
		if err != nil {
			return err
		}
	}
	return nil
}
