package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/control/internal/durable"
	"github.com/tributary-dl/tributary/control/internal/edge"
	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/internal/publish"
	"github.com/tributary-dl/tributary/control/internal/report"
	"github.com/tributary-dl/tributary/control/internal/serve"
	"github.com/tributary-dl/tributary/control/protocol"
)

func newReport() *cobra.Command {
	var data, out string
	format := string(report.Table)
	cmd := &cobra.Command{
		Use:   "report --data DIR",
		Short: "Add up what was downloaded, and from where",
		Long: `Print, for each object and for all, how many downloads were started and how they
ended, the bytes that the edge's own log says it sent, and the bytes from edge
and peers that services reported. The server may be running; its log is up to a
second behind.

Offload is verified bytes from peers ÷ all verified bytes. The log counts every
program that downloads, the reports only services of Tributary: where only those
download, the two amounts of edge bytes differ by what was lost on the way.

An account of each download is kept until 400 days after its last report, and for
at most 20,000 downloads of one device, the latest. After that it is added to sums,
which stay: no total shrinks. The report says of how many.`,
		Example: `  tributary-control report --data /srv/tributary
  tributary-control report --data /srv/tributary --format html --out report.html`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(report.Formats, report.Format(format)) {
				return usageError{fmt.Errorf("--format %q is none of %v", format, report.Formats)}
			}
			r, err := buildReport(cmd.Context(), data)
			if err != nil {
				return err
			}
			if out == "" {
				return r.Write(cmd.OutOrStdout(), report.Format(format))
			}
			return writeFile(out, r, report.Format(format))
		},
	}
	dataFlag(cmd, &data)
	f := cmd.Flags()
	f.StringVar(&format, "format", format, "table, json, csv or html")
	f.StringVar(&out, "out", "", "PATH of a file to write instead of the standard output")
	return cmd
}

// buildReport adds up the ledger and the edge's log.
func buildReport(ctx context.Context, data string) (r report.Report, err error) {
	var b report.Builder
	accounts, closeLedger, err := serve.OpenLedger(ctx, data)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, closeLedger()) }()
	if err := accounts.Accounts(func(a ledger.Account) error { b.Account(a); return ctx.Err() }); err != nil {
		return r, err
	}
	if err := accounts.Past(func(p ledger.Past) error { b.Past(p); return ctx.Err() }); err != nil {
		return r, err
	}
	if err := readLog(ctx, edge.LogPath(data), &b); err != nil {
		return r, err
	}
	objects := publish.Open(data)
	return b.Report(time.Now().UTC().Truncate(time.Second), func(content protocol.ContentID) string {
		o, err := objects.ByID(content)
		if err != nil {
			return "" // it was removed, or never was ours: its ID must do
		}
		return o.Name
	}), nil
}

func readLog(ctx context.Context, path string, b *report.Builder) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was served yet
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, _, err = edge.ReadLog(f, func(e edge.Entry) error {
		content, err := protocol.ParseContentID(e.Content)
		if err == nil && (e.Status == http.StatusOK || e.Status == http.StatusPartialContent) {
			b.Served(content, uint64(max(e.Sent, 0)))
		}
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("read the edge's log: %w", err)
	}
	return nil
}

// writeFile replaces path only by a whole report.
func writeFile(path string, r report.Report, format report.Format) error {
	var text bytes.Buffer
	if err := r.Write(&text, format); err != nil {
		return err
	}
	return durable.Write(filepath.Clean(path), text.Bytes(), 0o644)
}
