package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
)

const (
	crowdSize    = 10_000
	holdings     = 50 // of each session
	lookupTime   = 8  // seconds
	settleTime   = 5 * time.Second
	machineCores = 2 // that the promise is made for
)

// crowd is the load generator, a process of its own (control/load), and the control plane that it loads. Both run on
// the same cores, so what the control plane can do is told by what it does in a second of its own processor time.
type crowd struct {
	control *fleet.Control
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
}

// crowdResult is what the load generator answers to a command.
type crowdResult struct {
	Count, Failed, Introductions, Signals int64
	Seconds, CPU, P50, P99                float64
	server                                usage // of the control plane, during the command; rss is at its end
}

func (b *bench) gather(ctx context.Context) (*crowd, error) {
	dir, err := os.MkdirTemp(b.scratch, "control-")
	if err != nil {
		return nil, err
	}
	c := &crowd{}
	if c.control, err = b.programs.Control(fleet.ThisMachine{}, fleet.ControlOptions{Data: dir, Listen: "127.0.0.1:0"}); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c.cmd = exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), "load"), "-data", dir, "-url", c.control.URL)
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(bufio.NewReader(out))
	if err := c.cmd.Start(); err != nil {
		c.control.Stop()
		return nil, fmt.Errorf("start the load generator (run `make bench`): %w", err)
	}
	return c, nil
}

// do has the crowd obey a command.
func (c *crowd) do(command string, arguments ...any) (r crowdResult, err error) {
	before, err := usageOf(c.control.PID())
	if err != nil {
		return r, err
	}
	if _, err := fmt.Fprintln(c.in, append([]any{command}, arguments...)...); err != nil {
		return r, err
	}
	if err := c.out.Decode(&r); err != nil {
		return r, fmt.Errorf("load generator: %w", err)
	}
	r.server, err = usageOf(c.control.PID())
	r.server.cpu -= before.cpu
	return r, err
}

// restart kills the control plane and starts it again at the same address.
func (c *crowd) restart(b *bench) error {
	at, err := url.Parse(c.control.URL)
	if err != nil {
		return err
	}
	c.control.Kill()
	again, err := b.programs.Control(fleet.ThisMachine{}, fleet.ControlOptions{Data: filepath.Dir(c.control.CA()), Listen: at.Host})
	if err != nil {
		return err
	}
	c.control = again
	return nil
}

func (c *crowd) close() {
	c.in.Close()
	c.cmd.Wait() //nolint:errcheck // its answers are what counts
	c.control.Stop()
}

// onBoth is what the control plane would do a second if it had the promised cores for itself.
func onBoth(r crowdResult) float64 { return float64(r.Count) / r.server.cpu * machineCores }

// cost says what a figure was derived from.
func cost(r crowdResult) string {
	return fmt.Sprintf("%d in %.1f s beside the crowd; CPU: server %.1f s, crowd %.1f s; answer p50 %.0f ms, p99 %.0f ms",
		r.Count, r.Seconds, r.server.cpu, r.CPU, 1000*r.P50, 1000*r.P99)
}

// controlPlane loads a control plane with sessions, announces, look-ups and a restart.
func (b *bench) controlPlane(ctx context.Context) error {
	c, err := b.gather(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	empty, err := usageOf(c.control.PID())
	if err != nil {
		return err
	}
	logins, err := c.do("connect", crowdSize)
	if err != nil {
		return err
	}
	if err := pause(ctx, settleTime); err != nil {
		return err
	}
	resting, err := usageOf(c.control.PID())
	if err != nil {
		return err
	}
	b.atLeast("control: sessions", "", crowdSize, []float64{float64(logins.Count)}, "TLS 1.3 with a device key each, WebSocket")
	b.atMost("control: memory of a session", "KB", 40, []float64{float64(max(logins.server.rss, resting.rss)-empty.rss) / 1000 / crowdSize}, "growth of the resident memory")
	b.atLeast("control: logins, 2 cores", "/s", 400, []float64{onBoth(logins)}, cost(logins))

	for _, a := range []struct {
		name        string
		each, batch int
	}{
		{"announced entries", holdings, 500},
		{"announced again", holdings, 500},
		{"announced, each in a message", holdings / 5, 1},
	} {
		r, err := c.do("announce", a.each, a.batch)
		if err != nil {
			return err
		}
		b.atLeast("control: "+a.name+", 2 cores", "/s", 50_000, []float64{onBoth(r)}, cost(r))
	}
	if err := b.lookups(c); err != nil {
		return err
	}
	return b.storm(ctx, c)
}

func (b *bench) lookups(c *crowd) error {
	plain, err := c.do("lookup", lookupTime, 0)
	if err != nil {
		return err
	}
	b.atLeast("control: look-ups, 2 cores", "/s", 20_000, []float64{onBoth(plain)}, cost(plain))
	meeting, err := c.do("meet", lookupTime, 4)
	if err != nil {
		return err
	}
	meetings := meeting
	meetings.Count = meeting.Introductions / 2 // each has two ends
	// A session may have 80 introductions a minute, and each counts for both its ends.
	b.atLeast("control: introductions with signals, 2 cores", "/s", crowdSize*80/2/60, []float64{onBoth(meetings)}, cost(meetings))
	full, err := usageOf(c.control.PID())
	if err != nil {
		return err
	}
	b.atMost("control: memory, all of it, for each session", "KB", 80, []float64{float64(full.rss) / 1000 / crowdSize},
		fmt.Sprintf("after the above, with %d entries and %d introductions", crowdSize*holdings, meetings.Count))
	return nil
}

// storm kills the control plane under its clients, who come back as the service does.
func (b *bench) storm(ctx context.Context, c *crowd) error {
	if err := c.restart(b); err != nil {
		return err
	}
	back, err := c.do("await")
	if err != nil {
		return err
	}
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	b.atMost("control: killed and restarted, all sessions back", "s", 60, []float64{back.Seconds},
		fmt.Sprintf("%d sessions; away p50 %.0f s, p99 %.0f s; %d attempts failed; server CPU %.1f s", back.Count, back.P50, back.P99, back.Failed, back.server.cpu))
	return nil
}

// pause waits for as long, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
