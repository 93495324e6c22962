package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
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
	began := time.Now()
	out, err := place.Command(ctx, name, args...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return time.Since(began), nil
}

// rivalFile is what another program downloads to, in the scratch folder.
const rivalFile = "rival.bin"

// besideCurl downloads with a fresh service of ours, then with curl, and returns how long each took.
func (b *bench) besideCurl(ctx context.Context, place fleet.Place, c *fleet.Control, url string) (ours, curl time.Duration, err error) {
	d, err := b.service(ctx, place, c, api.SharingOff)
	if err != nil {
		return 0, 0, err
	}
	s, ours, err := download(ctx, d, url)
	d.Stop()
	if err != nil {
		return 0, 0, err
	}
	os.Remove(s.Path)
	to := filepath.Join(b.scratch, rivalFile)
	curl, err = rival(ctx, place, "curl", "-s", "--cacert", c.CA(), "-o", to, url)
	os.Remove(to)
	return ours, curl, err
}

func (b *bench) loopback(ctx context.Context) error {
	here := fleet.ThisMachine{}
	c, url, err := b.publisher(ctx, here, "127.0.0.1:0", b.size, "")
	if err != nil {
		return err
	}
	defer c.Stop()
	var ratios []float64
	note := ""
	for range b.runs + 1 {
		ours, curl, err := b.besideCurl(ctx, here, c, url)
		if err != nil {
			return err
		}
		aria, err := rival(ctx, here, "aria2c", "-q", "-x16", "-s16", "--file-allocation=none", "--allow-overwrite=true", "--ca-certificate="+c.CA(),
			"-d", b.scratch, "-o", rivalFile, url)
		if err != nil {
			return err
		}
		os.Remove(filepath.Join(b.scratch, rivalFile))
		ratios = append(ratios, min(curl, aria).Seconds()/ours.Seconds())
		note = fmt.Sprintf("last run: ours %.2f s verified, curl %.2f s, aria2c %.2f s", ours.Seconds(), curl.Seconds(), aria.Seconds())
	}
	b.atLeast("edge only, loopback: speed ÷ faster rival", "×", 0.8, ratios[1:], note) // the first run warms up
	return nil
}

func (b *bench) shaped(ctx context.Context) error {
	l, err := lab.New("bench")
	if err != nil {
		return err
	}
	defer l.Close()
	edgeHost, err := l.Host("edge", lab.HostOptions{Line: lab.Line{Up: 200 * lab.Mbit}})
	if err != nil {
		return err
	}
	user, err := l.Host("user", lab.HostOptions{NAT: lab.PortCone})
	if err != nil {
		return err
	}
	c, url, err := b.publisher(ctx, edgeHost, edgeHost.Addr()+":443", b.size/4, "")
	if err != nil {
		return err
	}
	defer c.Stop()
	var ratios []float64
	for range b.runs {
		ours, curl, err := b.besideCurl(ctx, user, c, url)
		if err != nil {
			return err
		}
		ratios = append(ratios, curl.Seconds()/ours.Seconds())
	}
	b.atLeast("edge only, 200 Mbit/s: speed ÷ curl", "×", 0.97, ratios, "")
	return nil
}
