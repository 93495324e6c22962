package engine

import (
	"context"
	"errors"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/download"
	"github.com/tributary-dl/tributary/engine/internal/linkfile"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// probeTime bounds a probe: somebody looks at a dialog meanwhile.
const probeTime = 20 * time.Second

// Probe says what a link leads to: name, size, who vouches for it. Nothing is saved and no download is made.
func (e *Engine) Probe(ctx context.Context, r api.AddRequest) (api.Probe, error) {
	if err := e.check(&r); err != nil {
		return api.Probe{}, &api.Error{Code: api.ErrInvalid, Message: err.Error()}
	}
	if err := e.enter(); err != nil {
		return api.Probe{}, err
	}
	defer e.work.Done()
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	p, err := download.Probe(ctx, e.edges, r, e.Settings().Proxy)
	if errors.Is(err, context.DeadlineExceeded) {
		return p, &api.Error{Code: api.ErrConflict, Message: "the server does not answer in time; the download can be added all the same"}
	}
	return p, err
}

// ReadLinkFile says which downloads a Metalink or torrent names. Nothing is asked of any server.
func (e *Engine) ReadLinkFile(_ context.Context, f api.LinkFile) ([]api.LinkedFile, error) {
	files, err := linkfile.Parse(f.Data)
	if err != nil {
		return nil, &api.Error{Code: api.ErrInvalid, Message: err.Error()}
	}
	linked := make([]api.LinkedFile, len(files))
	for i, f := range files {
		last := len(f.Path) - 1
		l := api.LinkedFile{TotalBytes: f.Size, Publisher: f.Publisher, Request: api.AddRequest{URL: f.URLs[0], Mirrors: f.URLs[1:],
			Out: storage.SafeName(f.Path[last]), Checksum: f.Checksum}}
		for _, component := range f.Path[:last] {
			if l.Folder != "" {
				l.Folder += "/"
			}
			l.Folder += storage.SafeName(component)
		}
		if err := e.check(&l.Request); err != nil {
			return nil, &api.Error{Code: api.ErrInvalid, Message: err.Error()}
		}
		linked[i] = l
	}
	return linked, nil
}
