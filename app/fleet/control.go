package fleet

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// ControlOptions start a control plane; Data and Listen are needed.
type ControlOptions struct {
	Data      string // folder of its state and content
	Listen    string // ADDR:PORT; port 0 picks one
	Advertise string // HOST[:PORT] that clients use
	EdgeRate  int64  // bytes a second over all downloads; 0: no cap
}

// Control is a running control plane with its edge.
type Control struct {
	*Process
	URL, Edge, STUN string

	programs Programs
	place    Place
	data     string
}

// Control starts a control plane.
func (p Programs) Control(place Place, o ControlOptions) (*Control, error) {
	args := []string{"serve", "--data", o.Data, "--listen", o.Listen}
	if o.Advertise != "" {
		args = append(args, "--advertise", o.Advertise)
	}
	if o.EdgeRate > 0 {
		args = append(args, "--edge-rate", strconv.FormatInt(o.EdgeRate, 10))
	}
	var ready struct{ Control, Edge, STUN string }
	process, err := start(place, controlProgram, p.path(controlProgram), &ready, args...)
	if err != nil {
		return nil, err
	}
	return &Control{Process: process, URL: ready.Control, Edge: ready.Edge, STUN: ready.STUN,
		programs: p, place: place, data: o.Data}, nil
}

// CA returns the path of the certificate that signs the control plane's own.
func (c *Control) CA() string { return filepath.Join(c.data, "ca.pem") }

// EdgeLog returns the path of the edge's access log, JSON lines that are written at least once a second.
func (c *Control) EdgeLog() string { return filepath.Join(c.data, "edge-log.jsonl") }

// Torrent returns the path of the torrent that Publish made, for programs other than ours.
func (c *Control) Torrent() (string, error) {
	found, err := filepath.Glob(filepath.Join(c.data, "objects", "*", "hybrid.torrent"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("there are %d torrents in %s; want one", len(found), c.data)
	}
	return found[0], nil
}

// Publish offers files and returns the URL of each. The policy is the path of a policy file, or "".
func (c *Control) Publish(ctx context.Context, policy string, files ...string) ([]string, error) {
	args := []string{"publish", "--data", c.data}
	if policy != "" {
		args = append(args, "--policy", policy)
	}
	out, err := output(ctx, c.place, controlProgram, c.programs.path(controlProgram), append(args, files...)...)
	if err != nil {
		return nil, err
	}
	urls := strings.Fields(string(out))
	if len(urls) != len(files) {
		return nil, fmt.Errorf("publish printed %d URLs for %d files", len(urls), len(files))
	}
	return urls, nil
}

// Report returns what the control plane has in its ledger, as JSON.
func (c *Control) Report(ctx context.Context) ([]byte, error) {
	return output(ctx, c.place, controlProgram, c.programs.path(controlProgram), "report", "--data", c.data, "--format", "json")
}
