package download

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/manifest"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// plainPiece is the unit in which a download without a manifest is fetched and marked, in bytes.
const plainPiece = 1 << 20

// knownPatience is how long the edge is asked what a URL names if that is known already: peers need not wait for an
// edge that does not answer.
const knownPatience = 3 * time.Second

// maxRestarts bounds how often a file that changes on the server is begun anew.
const maxRestarts = 3

func (a *actor) edgeRequest() edge.Request { return requestOf(a.rec.Request, a.cfg.Settings().Proxy) }

// requestOf is what the user gave, for the edge; proxy is used if there is none of the download's own.
func requestOf(r api.AddRequest, proxy string) edge.Request {
	if r.Proxy != "" {
		proxy = r.Proxy
	}
	return edge.Request{URL: r.URL, Mirrors: r.Mirrors, User: r.User, Password: r.Password, Headers: r.Headers,
		Cookies: r.Cookies, Proxy: proxy, AllowLocal: r.AllowLocal}
}

// resolve asks the edge what the URL names, in a worker.
func (a *actor) resolve(act *activity) {
	request, patience, known := a.edgeRequest(), time.Duration(math.MaxInt64), ""
	if a.manifest != nil && a.rec.Resource != nil {
		patience = knownPatience
		if a.wrong < maxWrong { // else the manifest may have been replaced
			known = a.rec.Resource.ManifestURL
		}
	}
	d, client := a.handle, a.cfg.Edge
	a.goWorker(func() {
		ctx, cancel := context.WithTimeout(act.ctx, patience)
		defer cancel()
		res, raw, err := lookUp(ctx, client, request, known)
		d.post(func(a *actor) {
			if a.act == act && !act.stopping() {
				a.resolved(act, res, raw, err)
			}
		})
	})
}

// lookUp returns what the URL names and, if there is one that is not known yet, the raw manifest.
func lookUp(ctx context.Context, c *edge.Client, request edge.Request, known string) (*edge.Resource, []byte, error) {
	res, err := c.Resolve(ctx, request)
	if err != nil || res.ManifestURL == "" || res.ManifestURL == known {
		return res, nil, err
	}
	raw, err := c.Manifest(ctx, request, res.ManifestURL)
	return res, raw, err
}

func (a *actor) resolved(act *activity, res *edge.Resource, raw []byte, err error) {
	var m *manifest.Manifest
	switch {
	case err != nil && a.manifest != nil && a.rec.Resource != nil:
		// The edge is away, but peers may not be, and the manifest says all that must be known.
		a.log.Info("edge does not answer; going on with what is known", "err", err)
		res = a.rec.Resource
	case err != nil:
		a.edgeTrouble(err)
		return
	case raw != nil:
		if m, err = manifest.Parse(raw); err != nil {
			a.trouble(manifestProblem(err), 0, false)
			return
		}
	}
	if a.changed(res, m) {
		if a.doubted(res) {
			a.trouble(problem(api.CodeOtherAnswer, "The server answers with something else", api.Say(api.SayAnotherAnswer), api.DoResumeThere), 0, false)
			return
		}
		if !a.startAnew() {
			return
		}
	}
	if m != nil {
		a.manifest, a.rec.Manifest = m, raw
		a.rec.Resource = res
		a.saveWithManifest()
	}
	if m := a.manifest; m != nil && !m.Single {
		a.trouble(folderProblem(), 0, false)
		return
	}
	if a.manifest != nil {
		res.Size = a.manifest.Length // the publisher's word, not the server's
	}
	if a.noRanges {
		res.Ranges = false
	}
	a.rec.Resource = res
	a.reserve(act)
}

// changed tells whether the server has another file now than the one that was begun; m is the manifest if it had to
// be fetched. With a manifest the content decides, wherever it lies: that a server does not name it any more, or
// another one answers, as in a hotel's network, is no reason to throw away what is there.
func (a *actor) changed(now *edge.Resource, m *manifest.Manifest) bool {
	was := a.rec.Resource
	switch {
	case was == nil || a.rec.File == nil:
		return false
	case a.manifest != nil:
		return m != nil && m.ID != a.manifest.ID
	case a.rec.Manifest != nil: // one that cannot be read any more, so that nobody knows what the file's pieces are
		return true
	}
	return m != nil || now.Changed(was)
}

// doubted tells that what the server has now is no reason to throw away what is there: the user decides. To a download with a manifest,
// which says what the file is, only another manifest matters.
func (a *actor) doubted(now *edge.Resource) bool {
	return a.rec.Manifest == nil && a.rec.FromEdge > 0 && now.ManifestURL == "" && now.Doubtful(a.rec.Resource)
}

// startAnew drops what belongs to an earlier version of the file: two versions are never spliced.
func (a *actor) startAnew() bool {
	if a.rec.Restarts++; a.rec.Restarts > maxRestarts {
		a.trouble(problem(api.CodeChanged, "The file keeps changing", api.Say(api.SayKeepsChanging), api.DoLaterOrAsk), 0, false)
		return false
	}
	a.rec.happened(api.SayChangedAnew)
	a.discardPart()
	a.manifest, a.rec.Manifest, a.rec.Resource, a.rec.Validators = nil, nil, nil, nil
	a.wrong, a.noRanges = 0, false
	return true
}

// discardPart deletes the unfinished file, also while the service is stopping, and forgets what was counted of it.
func (a *actor) discardPart() {
	if a.rec.File != nil {
		if err := a.deletePart(); err != nil {
			a.log.Warn("deleting a part file", "err", err)
		}
	}
	a.file, a.rec.File = nil, nil
	a.rec.Wasted += a.rec.FromEdge + a.rec.FromPeers
	a.rec.FromEdge, a.rec.FromPeers = 0, 0
}

func (a *actor) deletePart() (err error) {
	if a.file == nil {
		if a.needsFile() {
			return nil // its owner has it, and will be told that it is not needed
		}
		if a.file, err = a.disk().reopen(context.WithoutCancel(a.ctx), *a.rec.File, a.layout(), nil, false); err != nil {
			return err
		}
	}
	err = a.file.Discard()
	if errors.Is(err, storage.ErrSealed) { // it got its name in the last moment: it is the user's now
		err = a.file.Close(context.WithoutCancel(a.ctx))
	}
	return err
}

func (a *actor) layout() storage.Layout {
	if m := a.manifest; m != nil {
		return storage.Layout{Length: m.Length, PieceLength: m.PieceLength}
	}
	return storage.Layout{Length: a.rec.Resource.Size, PieceLength: plainPiece}
}

// reserve opens the part file, or makes one, in a worker.
func (a *actor) reserve(act *activity) {
	dir, name := a.dir(), a.rec.Request.Out
	if name == "" && a.manifest != nil {
		name = a.manifest.Name
	}
	if name == "" {
		name = a.rec.Resource.Name
	}
	name = storage.SafeName(name)
	layout, rec := a.layout(), a.rec
	d, disk := a.handle, a.disk()
	verify := a.verifier()
	a.goWorker(func() {
		var file *storage.Object
		var err error
		if rec.File == nil {
			file, err = disk.createFile(act.ctx, dir, name, layout)
		} else {
			file, err = disk.reopenFile(act.ctx, &rec, layout, verify)
		}
		d.post(func(a *actor) {
			switch {
			case act.stopping():
				if file != nil { // stopActivity closes it
					a.file = file
					a.rec.File = new(file.Identity())
				}
			case err != nil:
				p, retry, passing := diskTrouble(err)
				if p.Code == api.CodeFileTouched {
					a.rec.File = nil // Resume makes a new one
					a.discardPart()
					a.dropHanded() // its owner then does
				}
				a.trouble(p, retry, passing)
			default:
				a.reserved(act, file)
			}
		})
	})
}

// dir is the folder that the file is in, or will be.
func (a *actor) dir() string {
	switch {
	case a.rec.File != nil:
		return a.rec.File.Dir
	case a.rec.Request.Dir != "":
		return a.rec.Request.Dir
	}
	return a.cfg.Settings().Dir
}

// verifier returns the check of a piece against the manifest; nil for a plain download.
func (a *actor) verifier() func(int, []byte) bool {
	if a.manifest == nil {
		return nil
	}
	return a.manifest.Verify
}

func (a *actor) reserved(act *activity, file *storage.Object) {
	a.file = file
	ident := file.Identity()
	a.rec.File, a.rec.Suspect = &ident, false
	a.rec.Path = file.Path()
	a.rec.Name = filepath.Base(a.rec.Path)
	a.save()
	a.beginTransfer(act, time.Now())
}
