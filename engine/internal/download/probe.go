package download

import (
	"context"
	"errors"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/manifest"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// Probe says what a download of r would begin with, by the same questions to the server, and keeps nothing of it.
// proxy is used if r names none. An error is the caller's own, such as a context that ended: what is wrong with the
// link or its server is in the answer.
func Probe(ctx context.Context, c *edge.Client, r api.AddRequest, proxy string) (api.Probe, error) {
	p := api.Probe{URL: edge.WithoutUser(r.URL), TotalBytes: -1, Verdict: api.VerdictUnverified, Mirrors: len(r.Mirrors)}
	if r.Checksum != "" {
		p.Verdict = api.VerdictHash
	}
	p.Name = storage.SafeName(nameFromURL(p.URL))
	if r.Out != "" {
		p.Name = r.Out
	}
	res, raw, err := lookUp(ctx, c, requestOf(r, proxy), "")
	switch e, ofEdge := errors.AsType[*edge.Error](err); {
	case ofEdge:
		p.Problem = found(edgeProblem(e))
		return p, nil
	case err != nil:
		return p, err
	}
	p.TotalBytes, p.Resumable = res.Size, res.Ranges
	p.Mirrors += len(res.Mirrors)
	if r.Out == "" && res.Name != "" {
		p.Name = storage.SafeName(res.Name)
	}
	if raw != nil {
		describe(&p, r, raw)
	}
	return p, nil
}

// describe adds what the publisher's manifest says.
func describe(p *api.Probe, r api.AddRequest, raw []byte) {
	m, err := manifest.Parse(raw)
	if err != nil {
		p.Problem = found(manifestProblem(err))
		return
	}
	p.ContentID, p.TotalBytes = m.ID.String(), m.Length
	if r.Out == "" {
		p.Name = storage.SafeName(m.Name)
	}
	if m.Terms != nil {
		p.Verdict, p.Publisher = api.VerdictPublisher, m.Terms.Publisher
	}
	if !m.Single {
		p.Problem = found(folderProblem())
	}
}

func found(p api.Problem) *api.Problem {
	p.Since = time.Now()
	return &p
}
