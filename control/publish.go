package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/control/internal/publish"
	"github.com/tributary-dl/tributary/control/protocol"
)

func newPublish() *cobra.Command {
	var data, policyFile, notAfter string
	var mirrors []string
	var options publish.Options
	cmd := &cobra.Command{
		Use:   "publish --data DIR FILE...",
		Short: "Offer files for download",
		Long: `Copy files into DIR, hash and sign them, and print the URL of each, one a line.
Besides its own manifest, each file gets a .torrent and a Metalink document, so
that other programs can use it too.

The server must have run on DIR once, so that its address is known; it may be
running. Publishing other bytes under the same name makes a new object under the
same URL; downloads of the old one under way are not disturbed.

A policy file is JSON; what it does not say has the value shown:
  {"mode": "speed", "peers": true, "uploads_per_object": 0, "relay": false}
mode speed uses all sources together and then spares the edge; mode offload
takes from the edge only what peers cannot give, and a few percent where many
want a new file at once, which then have it sooner. peers false keeps the object
on the edge. uploads_per_object limits how many full copies one client sends.`,
		Example: `  tributary-control publish --data /srv/tributary image.iso
  tributary-control publish --data /srv/tributary --policy offload.json --publisher "Example Ltd" *.iso
  tributary-control publish --data /srv/tributary --mirror https://mirror.example.net/pub/ image.iso`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) (err error) {
			if options.NotAfter, err = parseEnd(notAfter, time.Now()); err != nil {
				return usage(fmt.Errorf("--not-after: %w", err))
			}
			if err := publish.CheckPieceLength(options.PieceLength); err != nil {
				return usage(fmt.Errorf("--piece-length: %w", err))
			}
			for _, mirror := range mirrors {
				if err := publish.CheckMirror(mirror); err != nil {
					return usage(fmt.Errorf("--mirror: %w", err))
				}
			}
			if options.Policy, err = readPolicy(policyFile); err != nil {
				return err
			}
			for _, file := range files {
				options.Mirrors = mirrorsOf(mirrors, file)
				object, err := publish.Publish(cmd.Context(), data, file, options)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), object.URL())
			}
			return nil
		},
	}
	dataFlag(cmd, &data)
	f := cmd.Flags()
	f.StringVar(&policyFile, "policy", "", "FILE with the publisher's policy, JSON")
	f.StringVar(&options.Publisher, "publisher", "", "NAME of the publisher, shown to users")
	f.StringArrayVar(&mirrors, "mirror", nil, "https URL of the same bytes elsewhere; one that ends in / has the file's name added; may be repeated")
	f.Int64Var(&options.PieceLength, "piece-length", 0, "BYTES of a piece, a power of two from 16 KiB to 16 MiB (default: by the size of the file)")
	f.StringVar(&notAfter, "not-after", "", "TIME at which the offer ends, as in 2030-12-31T23:59:59Z")
	return cmd
}

// parseEnd reads the time at which an offer ends; "" is none.
func parseEnd(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	end, err := time.Parse(time.RFC3339, text)
	example := now.UTC().AddDate(1, 0, 0).Format("2006-01-02T15:04:05Z")
	if err != nil {
		return end, fmt.Errorf("%q is not a time; write it as %s", text, example)
	}
	if !end.After(now) {
		return end, fmt.Errorf("%s is over, so nobody could take the offer; give a time to come, like %s", text, example)
	}
	return end, nil
}

// readPolicy reads a policy file. A field that is not known is an error: a policy that is only half
// understood is not what the publisher decided.
func readPolicy(path string) (protocol.Policy, error) {
	policy := protocol.DefaultPolicy()
	if path == "" {
		return policy, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return policy, fmt.Errorf("policy: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&policy); err != nil {
		return policy, fmt.Errorf("policy %s: %w", path, err)
	}
	return policy, nil
}

// mirrorsOf completes the mirrors that name a folder.
func mirrorsOf(mirrors []string, file string) []string {
	var complete []string
	for _, m := range mirrors {
		if strings.HasSuffix(m, "/") {
			m += url.PathEscape(filepath.Base(file))
		}
		complete = append(complete, m)
	}
	return complete
}
