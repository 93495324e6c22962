package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Counters are bytes that passed a host's line since it was made. In is towards the host.
type Counters struct {
	In, Out int64
}

// Sub returns what passed since an earlier reading.
func (c Counters) Sub(before Counters) Counters {
	return Counters{In: c.In - before.In, Out: c.Out - before.Out}
}

// Counters reads the host's interface. It costs a few microseconds, so that a whole laboratory can be read several
// times a second. Packets that the kernel keeps together (GSO) count with one set of headers: a few per cent below what
// Wire counts.
func (h *Host) Counters() (Counters, error) {
	text := make([]byte, 4<<10)
	n, err := h.meter.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Counters{}, fmt.Errorf("read the counters of %s: %w", h.name, err)
	}
	c, err := parseMeter(string(text[:n]), hostInterface)
	if err != nil {
		return Counters{}, fmt.Errorf("read the counters of %s: %w", h.name, err)
	}
	return c, nil
}

// parseMeter finds an interface in /proc/net/dev (proc(5)): "NAME: " and 16 numbers, received bytes the first,
// sent bytes the ninth.
func parseMeter(text, dev string) (c Counters, err error) {
	for line := range strings.Lines(text) {
		name, numbers, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != dev {
			continue
		}
		var skip int64
		_, err := fmt.Sscan(numbers, &c.In, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &c.Out)
		return c, err
	}
	return c, fmt.Errorf("no interface %s", dev)
}

// Wire reads what passed the shapers of the host's line, each packet with all its headers as on a real wire
// (Ethernet's 14 bytes included). The line must have a rate in both directions.
func (h *Host) Wire() (Counters, error) { return h.ends.wire() }

func (e ends) wire() (c Counters, err error) {
	if c.Out, err = e.near.shaped(); err != nil {
		return c, err
	}
	c.In, err = e.far.shaped()
	return c, err
}

// shaped reads how many bytes the port's token bucket has let pass.
func (p portOf) shaped() (int64, error) {
	out, err := output("", "tc", "-n", p.ns, "-s", "-j", "qdisc", "show", "dev", p.dev, "root")
	if err != nil {
		return 0, err
	}
	var disciplines []struct {
		Kind  string
		Bytes int64
	}
	if err := json.Unmarshal(out, &disciplines); err != nil {
		return 0, fmt.Errorf("read the shaper of %s: %w", p.dev, err)
	}
	if len(disciplines) != 1 || disciplines[0].Kind != "tbf" {
		return 0, fmt.Errorf("read the shaper of %s: the line has no rate in this direction", p.dev)
	}
	return disciplines[0].Bytes, nil
}
