package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/progress"
	"github.com/tributary-dl/tributary/engine/api"
)

func (a *app) probeCommand() *cobra.Command {
	var request api.AddRequest
	c := &cobra.Command{
		Use:   "probe URL...",
		Short: "Say what a link leads to, without downloading it",
		Long: `probe asks the server of each URL for the file's name and size, whether a download of it
could be resumed, and who vouches for its bytes: the publisher (signed), a checksum, or
nobody. Nothing is saved.`,
		Example: "  tributaryctl probe https://example.org/debian.iso\n  tributaryctl probe https://example.org/debian.iso --json",
		Args:    takes(1, -1),
		RunE: func(c *cobra.Command, urls []string) error {
			if err := checkProxy(request.Proxy); err != nil {
				return err
			}
			return a.probe(c.Context(), urls, request)
		},
	}
	c.Flags().StringVar(&request.Proxy, "proxy", "", "http, https or socks5 `URL` of a proxy")
	c.Flags().StringVar(&request.Checksum, "checksum", "", "the checksum that the download would be given")
	return c
}

// probe asks about each URL. One that cannot be downloaded is told like the others, and makes the exit code 1.
func (a *app) probe(ctx context.Context, urls []string, request api.AddRequest) error {
	var failed refusals
	asked := false
	for i, url := range urls {
		request.URL = url
		p, err := a.client.Probe(ctx, request)
		if err != nil {
			if err = slipIfInvalid(err); len(urls) > 1 {
				err = fmt.Errorf("%s: %w", url, err)
			}
			failed = append(failed, err)
			continue
		}
		asked = true
		if p.Problem != nil {
			failed = append(failed, fmt.Errorf("%s: %s", p.URL, p.Problem.Text))
		}
		if a.json {
			if err := a.printJSON(p); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			a.printf("\n")
		}
		if err := a.printProbe(p); err != nil {
			return err
		}
	}
	return failed.error(asked)
}

func (a *app) printProbe(p api.Probe) error {
	t := a.table()
	t.row("name", quote(p.Name))
	t.row("size", sizeOf(p.TotalBytes))
	if p.Publisher != "" {
		t.row("publisher", quote(p.Publisher))
	}
	t.row("trust", verdictText(p.Verdict))
	t.row("resumable", map[bool]string{true: "yes", false: "no"}[p.Resumable])
	if p.Problem != nil {
		t.row("problem", quote(p.Problem.Text+" "+p.Problem.Remedy))
	}
	return t.Flush()
}

func sizeOf(n int64) string {
	if n < 0 {
		return "not known"
	}
	return progress.Bytes(n)
}

func verdictText(v api.Verdict) string {
	switch v {
	case api.VerdictPublisher:
		return "verified by the publisher"
	case api.VerdictHash:
		return "verified by a checksum only"
	}
	return "not verified"
}
