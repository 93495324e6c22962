package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/budget"
	"github.com/tributary-dl/tributary/engine/internal/download"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/identity"
	"github.com/tributary-dl/tributary/engine/internal/peering"
	"github.com/tributary-dl/tributary/engine/internal/storage"
	"github.com/tributary-dl/tributary/engine/internal/store"
	"github.com/tributary-dl/tributary/engine/internal/surroundings"
)

// Config is what an engine is opened with. DataDir and Log are required.
type Config struct {
	DataDir            string         // state database and device key; made with mode 0700
	Roots              *x509.CertPool // trusted for edges and control planes; nil: the system's
	Control            string         // overrides the control plane that manifests name; empty: theirs
	ListenPeers        string         // UDP address for peers, "host:port"; empty: any port on all addresses
	AllowLoopbackPeers bool           // tests and demonstrations on one machine
	NoPeers            bool           // open no socket for peers at all
	Machine            bool           // every user of the machine is served: files come from AddFor and Hand alone
	Keeper             Keeper         // of files that were handed over; nil: nobody keeps them over a crash
	Kept               []Kept         // what the keeper kept; the engine takes the files over
	Policy             Policy
	LoadPolicy         func() (Policy, error) // reads the policy anew; nil: it never changes
	Version            string
	Diagnostics        func() []string // newest lines of the log; may be nil
	SystemRoot         string          // where the system's own files are; empty: "/"
	Log                *slog.Logger
}

// Engine owns the set of downloads. All methods may be called from any goroutine.
type Engine struct {
	cfg      Config
	log      *slog.Logger
	started  time.Time
	store    *store.Store
	journal  *journal
	disk     *storage.Committer
	edges    *edge.Client
	peers    *peering.Service // nil: no peers
	ident    identity.Identity
	download *budget.Limiter
	upload   *budget.Limiter
	feed     *feed
	ledger   *uploads
	around   around
	offers   offers
	handed   handover

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // download loops and the queue
	kick   chan struct{}  // the queue looks again

	changing sync.Mutex // settings and policy, one call at a time; held while they are written

	control string // see controlURL; fixed at the start

	mu            sync.Mutex // guards the fields below
	downloads     map[string]*download.Download
	policy        Policy            // the last good one
	policyProblem *api.Problem      // why a newer one does not hold
	settings      api.SettingsPatch // what the user decided
	inForce       api.Settings
	closed        bool
}

// Open opens the state in c.DataDir and goes on with every download where it was.
func Open(ctx context.Context, c Config) (_ *Engine, err error) {
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	e := &Engine{cfg: c, log: c.Log, started: time.Now(), feed: newFeed(), policy: c.Policy, control: controlURL(c), downloads: map[string]*download.Download{},
		handed: handover{keeper: c.Keeper, files: map[string]*storage.Handed{}, log: c.Log}, kick: make(chan struct{}, 1), download: budget.NewLimiter(-1), upload: budget.NewLimiter(-1)}
	e.ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			_ = e.release(context.WithoutCancel(ctx)) // err says what matters
		}
	}()
	if e.store, err = store.Open(filepath.Join(c.DataDir, "state.db"), c.Log.With("component", "store")); err != nil {
		return nil, err
	}
	if moved := e.store.Recovered(); moved != "" {
		c.Log.Error("the state database was broken; it has been kept and a new one begun", "moved", moved)
	}
	if e.ident, err = identity.Start(filepath.Join(c.DataDir, "device.json")); err != nil {
		return nil, err
	}
	if err := e.loadSettings(); err != nil {
		return nil, err
	}
	e.warnOfPolicy(c.Policy)
	e.journal = newJournal(e.store, c.Log)
	e.disk = storage.NewCommitter(storage.Config{Marker: e.store, Log: c.Log.With("component", "storage"), Failed: e.storageFailed})
	e.edges = edge.NewClient(edge.Config{Roots: c.Roots, UserAgent: "Tributary/" + c.Version, Log: c.Log.With("component", "edge")})
	e.around.source = surroundings.New(cmp.Or(c.SystemRoot, "/"), c.Log.With("component", "surroundings"))
	e.around.look(ctx) // before anything can be sent
	e.ledger = newUploads(e.store, e.around.now, c.Log)
	if !c.NoPeers {
		if e.peers, err = e.openPeers(); err != nil {
			c.Log.Warn("peers cannot be reached; downloads come from edges alone", "err", err)
		}
	}
	if err := e.restore(); err != nil {
		return nil, err
	}
	e.work.Go(e.runQueue)
	e.work.Go(e.watchSurroundings)
	e.look()
	return e, nil
}

func (e *Engine) openPeers() (*peering.Service, error) {
	return peering.Open(peering.Config{
		Device: e.ident.Key, Starts: e.ident.Starts, Listen: e.cfg.ListenPeers, AllowLoopback: e.cfg.AllowLoopbackPeers,
		Control: e.control, Roots: e.cfg.Roots, Software: "tributaryd/" + e.cfg.Version, Edges: e.edges,
		Upload: e.upload, Download: e.download, Settings: e.Settings, Sent: e.ledger.sent,
		MaySend: func(u peering.Upload, path api.PathKind) bool { return e.ledger.maySend(e.Settings(), u, path) },
		Log:     e.log.With("component", "peers"),
	})
}

// restore makes the downloads of earlier runs. One whose record cannot be read is reported and left in the
// database, so that a later version may do better.
func (e *Engine) restore() error {
	all, err := e.store.Downloads()
	if err != nil {
		return err
	}
	kept := e.handed.sort(e.cfg.Kept)
	defer func() { e.handed.dropAll(kept) }()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		r, err := download.ParseRecord(all[id])
		if err != nil {
			e.log.Error("a download could not be read", "id", id, "err", err)
			continue
		}
		if r.Manifest, err = e.store.Get(store.BucketManifests, id); err != nil {
			return err
		}
		e.run(r, e.handed.restore(r, kept))
	}
	return nil
}

// run makes a download and starts its goroutine. It takes over the file that was handed over for it, if any.
func (e *Engine) run(r download.Record, h *storage.Handed) *download.Download {
	c := download.Config{Edge: e.edges, Disk: e.disk, Marks: marks{e.store}, Journal: e.journal, Limit: e.download, Publish: e.publish,
		Settings: e.Settings, MayOffer: e.offers.may, Handed: h, DropFile: e.handed.drop, CleanBoot: e.store.Clean(), Log: e.log.With("component", "download")}
	if e.peers != nil {
		c.Peering = e.peers
	}
	d := download.New(c, r)
	e.mu.Lock()
	e.downloads[r.ID] = d
	e.mu.Unlock()
	e.work.Go(func() { d.Run(e.ctx) })
	e.look() // its first snapshot was published before the queue could find it
	return d
}

// enter lets Close wait for a call until it calls e.work.Done. It refuses when Close has begun.
func (e *Engine) enter() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errClosed
	}
	e.work.Add(1)
	return nil
}

func (e *Engine) publish(s api.Download) {
	if before, known := e.feed.set(s); !known || before.State != s.State || download.Idle(before) != download.Idle(s) {
		e.look()
	}
}

// closeTime bounds the wait for a disk that hangs.
const closeTime = 15 * time.Second

// marks gives the store's bitmaps the storage's type.
type marks struct{ *store.Store }

func (m marks) Durable(id string) (storage.Bitmap, error) { return m.Store.Durable(id) }

func (e *Engine) storageFailed(id string, err error) {
	if d, findErr := e.find(id); findErr == nil {
		d.StorageFailed(err)
	}
}

// noteUntold logs why a download was not told something. One that is just being removed, or an engine that is closing, has
// no use for it.
func (e *Engine) noteUntold(d *download.Download, err error) {
	if err != nil && !errors.Is(err, download.ErrClosed) && e.ctx.Err() == nil {
		e.log.Error("a download was not told of a change", "id", d.ID(), "err", err)
	}
}

// Close stops everything in order: downloads first, so that what they have is durable, the database last.
// It returns when all goroutines have ended. If a disk hangs, it gives up when ctx ends and leaves the database as
// a power cut would, which the next start can deal with.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	e.mu.Unlock()
	return e.release(ctx)
}

func (e *Engine) release(ctx context.Context) error {
	e.cancel()
	ended := make(chan struct{})
	go func() { e.work.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		return fmt.Errorf("stop downloads: %w", ctx.Err())
	}
	if e.peers != nil {
		e.peers.Close()
	}
	var errs []error
	if e.disk != nil {
		bounded, cancel := context.WithTimeout(ctx, closeTime)
		defer cancel()
		errs = append(errs, e.disk.Close(bounded))
	}
	if e.edges != nil {
		e.edges.Close()
	}
	if e.around.source != nil {
		e.around.source.Close()
	}
	if e.ledger != nil {
		errs = append(errs, e.ledger.close())
	}
	if e.journal != nil {
		e.journal.close()
	}
	if e.store != nil {
		errs = append(errs, e.store.Close())
	}
	e.feed.close()
	return errors.Join(errs...)
}

func (e *Engine) find(id string) (*download.Download, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if d := e.downloads[id]; d != nil {
		return d, nil
	}
	return nil, &api.Error{Code: api.ErrNotFound, Message: "there is no download " + id}
}

// Add takes a request. When it returns, the wish is on disk.
func (e *Engine) Add(ctx context.Context, r api.AddRequest) (api.Download, error) {
	switch {
	case e.cfg.Machine:
		return api.Download{}, errNoFile
	case r.Part != "":
		return api.Download{}, &api.Error{Code: api.ErrInvalid, Message: "this service opens files itself"}
	}
	return e.add(ctx, newID(), r, nil)
}

// add begins a download, with the file that its owner handed over, if there is one. It takes h over if it returns nil.
func (e *Engine) add(ctx context.Context, id string, r api.AddRequest, h *storage.Handed) (api.Download, error) {
	if err := e.check(&r); err != nil {
		return api.Download{}, &api.Error{Code: api.ErrInvalid, Message: err.Error()}
	}
	if err := e.enter(); err != nil {
		return api.Download{}, err
	}
	defer e.work.Done()
	rec := download.Record{ID: id, Request: r, Want: api.WantRun, Added: time.Now()}
	if h != nil {
		rec.Owner, rec.Part = h.Owner(), h.Part()
		rec.Path = filepath.Join(r.Dir, cmp.Or(r.Out, strings.TrimSuffix(r.Part, filepath.Ext(r.Part)))) // until more is known
	}
	if r.Paused {
		rec.Want = api.WantPause
	}
	rand.Read(rec.ReportID[:])
	raw, err := json.Marshal(rec)
	if err != nil {
		return api.Download{}, err
	}
	select {
	case err = <-e.journal.Save(rec.ID, raw):
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		e.journal.Forget(rec.ID) // or it would come with the next start, though it was refused
		return api.Download{}, err
	}
	return e.run(rec, h).Snapshot(), nil
}

// check refuses what cannot become a download, before anything changes.
func (e *Engine) check(r *api.AddRequest) (err error) {
	for _, u := range append([]string{r.URL}, r.Mirrors...) {
		if err := edge.CheckURL(u); err != nil {
			return err
		}
	}
	if r.Checksum, err = download.NormalizeChecksum(r.Checksum); err != nil {
		return err
	}
	if r.Dir != "" && !filepath.IsAbs(r.Dir) {
		return fmt.Errorf("the folder %q is not an absolute path", r.Dir)
	}
	if r.Out != "" && (storage.SafeName(r.Out) != r.Out) {
		return fmt.Errorf("%q cannot be a file name; try %q", r.Out, storage.SafeName(r.Out))
	}
	if r.RateLimit < 0 {
		return errors.New("the rate limit is negative")
	}
	if r.Tries < 0 || r.Tries > api.MostTries {
		return fmt.Errorf("%d tries are not between 0, which is without end, and %d", r.Tries, api.MostTries)
	}
	_, err = api.SettingsPatch{Proxy: &r.Proxy}.Check() // it takes what the setting takes
	return err
}

// newID returns 16 hex digits, unique enough for one person's downloads and short enough to type a part of.
func newID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// List returns the newest snapshot of each download, oldest first.
func (e *Engine) List() []api.Download {
	e.mu.Lock()
	list := make([]api.Download, 0, len(e.downloads))
	for _, d := range e.downloads {
		list = append(list, d.Snapshot())
	}
	e.mu.Unlock()
	slices.SortFunc(list, func(a, b api.Download) int {
		return cmp.Or(a.Added.Compare(b.Added), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// Get returns one download with its sources, piece map and timeline. It waits no longer than ctx for one that is busy with its disk.
func (e *Engine) Get(ctx context.Context, id string) (api.Detail, error) {
	d, err := e.find(id)
	if err != nil {
		return api.Detail{}, err
	}
	return d.Detail(ctx)
}

// Pause lets a download rest until Resume.
func (e *Engine) Pause(ctx context.Context, id string) error {
	return e.with(id, func(d *download.Download) error { return d.Pause(ctx) })
}

// Resume lets a download run again.
func (e *Engine) Resume(ctx context.Context, id string) error {
	return e.with(id, func(d *download.Download) error {
		err := d.Resume(ctx)
		e.look()
		return err
	})
}

// Move changes a download's place in the queue.
func (e *Engine) Move(ctx context.Context, id string, priority int) error {
	return e.with(id, func(d *download.Download) error { return d.Move(ctx, priority) })
}

func (e *Engine) with(id string, f func(*download.Download) error) error {
	d, err := e.find(id)
	if err != nil {
		return err
	}
	return f(d)
}

// Cancel drops a download that is not complete, and its part file.
func (e *Engine) Cancel(ctx context.Context, id string) error {
	d, err := e.find(id)
	if err != nil {
		return err
	}
	if d.Snapshot().State == api.StateComplete {
		return &api.Error{Code: api.ErrConflict, Message: "the download is complete; remove it from the list, or delete the file"}
	}
	return e.forget(ctx, d, false)
}

// Remove forgets a download. A part file goes; a finished file only if deleteFile.
func (e *Engine) Remove(ctx context.Context, id string, deleteFile bool) error {
	d, err := e.find(id)
	if err != nil {
		return err
	}
	return e.forget(ctx, d, deleteFile)
}

func (e *Engine) forget(ctx context.Context, d *download.Download, deleteFile bool) error {
	err := d.Remove(ctx, deleteFile)
	if errors.Is(err, download.ErrClosed) && e.ctx.Err() == nil {
		err = nil // another call has removed it
	}
	if err != nil {
		return err
	}
	e.mu.Lock()
	delete(e.downloads, d.ID())
	e.mu.Unlock()
	e.handed.drop(d.ID())
	err = <-e.journal.Forget(d.ID())
	e.feed.remove(d.ID())
	e.look()
	return err
}

// Watch yields every download with a Synced event at the end, then the newest snapshots of whatever has changed, not
// oftener than every.
func (e *Engine) Watch(ctx context.Context, every time.Duration) iter.Seq[[]api.Event] {
	return e.feed.watch(ctx, every)
}
