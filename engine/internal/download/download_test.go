package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/budget"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/storage"
	"github.com/tributary-dl/tributary/engine/internal/store"
)

// bench is what one download needs, with real parts: HTTP, disk, state database.
type bench struct {
	t      *testing.T
	dir    string
	store  *store.Store
	config Config

	manifests map[string][]byte // by download; of the actor's goroutine while it runs

	patience time.Duration // of wait
	download *Download     // the one that was started last

	stop context.CancelFunc

	mu        sync.Mutex
	changed   *sync.Cond
	snapshot  api.Download
	settings  api.Settings
	asked     int   // for the settings
	published int   // snapshots
	saved     int   // records
	broken    error // of the journal
	full      bool  // all places of the queue are taken
}

func (b *bench) current() api.Settings {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	return b.settings
}

// set changes what mu guards.
func (b *bench) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// syncJournal writes at once, in the actor's own goroutine.
type syncJournal struct{ *bench }

func (j syncJournal) Save(id string, record []byte) <-chan error {
	reply := make(chan error, 1)
	j.mu.Lock()
	j.saved++
	err := j.broken
	j.mu.Unlock()
	if err == nil {
		err = j.store.PutDownload(id, record)
	}
	reply <- err
	return reply
}

func (j syncJournal) SaveManifest(id string, raw, record []byte) <-chan error {
	j.manifests[id] = raw
	return j.Save(id, record)
}

type storeMarks struct{ *store.Store }

func (m storeMarks) Durable(id string) (storage.Bitmap, error) { return m.Store.Durable(id) }

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir(), patience: 30 * time.Second, manifests: map[string][]byte{}}
	b.changed = sync.NewCond(&b.mu)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	var err error
	if b.store, err = store.Open(filepath.Join(b.dir, "state.db"), log); err != nil {
		t.Fatal(err)
	}
	disk := storage.NewCommitter(storage.Config{Marker: b.store, Log: log})
	client := edge.NewClient(edge.Config{Log: log})
	b.settings = api.DefaultSettings()
	b.settings.Dir = filepath.Join(b.dir, "files")
	b.config = Config{Edge: client, Disk: disk, Marks: storeMarks{b.store}, Journal: syncJournal{b}, Limit: budget.NewLimiter(-1),
		Publish: b.publish, Settings: b.current, Log: log}
	t.Cleanup(func() {
		client.Close()
		disk.Close(context.Background())
		b.store.Close()
	})
	return b
}

// publish notes what a download tells, and gives it a place again when it has rested.
func (b *bench) publish(s api.Download) {
	b.mu.Lock()
	b.snapshot = s
	b.published++
	full := b.full
	b.mu.Unlock()
	b.changed.Broadcast()
	if d := b.download; s.State == api.StateQueued && s.Problem != nil && !full {
		go d.Admit(context.Background(), true)
	}
}

// launch runs a download until the test ends or stop is called. It waits for its place in the queue.
func (b *bench) launch(r Record) *Download {
	d := New(b.config, r)
	b.download = d
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx) }()
	b.stop = func() { cancel(); <-ended }
	b.t.Cleanup(b.stop)
	return d
}

// start launches a download and gives it a place in the queue.
func (b *bench) start(r Record) *Download {
	d := b.launch(r)
	b.admit()
	return d
}

func (b *bench) admit() {
	b.t.Helper()
	if err := b.download.Admit(b.t.Context(), true); err != nil {
		b.t.Fatal(err)
	}
}

// recorded returns what the state database has of a download.
func (b *bench) recorded(id string) Record {
	b.t.Helper()
	raw, err := b.store.Downloads()
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := ParseRecord(raw[id])
	if err != nil {
		b.t.Fatal(err)
	}
	r.Manifest = b.manifests[id]
	return r
}

// resume lets a download run again, and gives it a place in the queue.
func (b *bench) resume(d *Download) {
	b.t.Helper()
	if err := d.Resume(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.admit()
}

func (b *bench) wait(what string, ok func(api.Download) bool) api.Download {
	b.t.Helper()
	timer := time.AfterFunc(b.patience, func() { b.mu.Lock(); b.snapshot.Name = "TIMEOUT"; b.mu.Unlock(); b.changed.Broadcast() })
	defer timer.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	for !ok(b.snapshot) {
		if b.snapshot.Name == "TIMEOUT" {
			b.t.Fatalf("waited for %s; last seen: %+v, problem %+v", what, b.snapshot, b.snapshot.Problem)
		}
		b.changed.Wait()
	}
	return b.snapshot
}

func in(states ...api.State) func(api.Download) bool {
	return func(s api.Download) bool {
		for _, x := range states {
			if s.State == x {
				return true
			}
		}
		return false
	}
}

func record(url string) Record {
	return Record{ID: "d1", Request: api.AddRequest{URL: url}, Want: api.WantRun, Added: time.Now()}
}

func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func checkFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what the server has (%d bytes, want %d)", path, len(got), len(want))
	}
}

func TestPlainDownloadArrivesWholeAndNamed(t *testing.T) {
	data := noise(5<<20+123, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="../r\u00e9port.bin"`)
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	defer server.Close()
	b := newBench(t)
	b.start(record(server.URL + "/x"))
	s := b.wait("completion", in(api.StateComplete, api.StateFailed))
	if s.State != api.StateComplete {
		t.Fatalf("state %s: %+v", s.State, s.Problem)
	}
	checkFile(t, s.Path, data)
	if filepath.Dir(s.Path) != b.settings.Dir {
		t.Errorf("the file went to %s", s.Path)
	}
	sum := sha256.Sum256(data)
	if s.SHA256 != hex.EncodeToString(sum[:]) || s.BytesFromEdge != int64(len(data)) || s.VerifiedBytes != int64(len(data)) {
		t.Errorf("snapshot %+v", s)
	}
}

func TestServerWithoutRangesOrLength(t *testing.T) {
	data := noise(3<<20+7, 2)
	for _, known := range []bool{true, false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if known {
				w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			}
			for rest := data; len(rest) > 0; rest = rest[min(len(rest), 100_000):] {
				w.Write(rest[:min(len(rest), 100_000)])
				if !known {
					w.(http.Flusher).Flush()
				}
			}
		}))
		b := newBench(t)
		b.start(record(server.URL + "/stream.bin"))
		s := b.wait("completion", in(api.StateComplete, api.StateFailed))
		if s.State != api.StateComplete {
			t.Fatalf("length known %v: %s, %+v", known, s.State, s.Problem)
		}
		checkFile(t, s.Path, data)
		b.stop()
		server.Close()
	}
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}

func TestWrongChecksumNeverGetsTheName(t *testing.T) {
	data := noise(1<<20, 6)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	defer server.Close()
	b := newBench(t)
	r := record(server.URL + "/file.bin")
	r.Request.Checksum = "sha-256:" + hex.EncodeToString(make([]byte, 32))
	b.start(r)
	s := b.wait("failure", in(api.StateComplete, api.StateFailed))
	if s.State != api.StateFailed || s.Problem.Code != api.CodeChecksum {
		t.Fatalf("%s: %+v", s.State, s.Problem)
	}
	if _, err := os.Stat(filepath.Join(b.settings.Dir, "file.bin")); err == nil {
		t.Error("the file has its name")
	}
}

func TestMissingFileFailsWithASentenceAndResumeTriesAgain(t *testing.T) {
	there := atomic.Bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !there.Load() {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte("hello")))
	}))
	defer server.Close()
	b := newBench(t)
	d := b.start(record(server.URL + "/file.txt"))
	s := b.wait("failure", in(api.StateFailed))
	if s.Problem == nil || s.Problem.Text == "" || s.Problem.Code != api.CodeEdgeRefused {
		t.Errorf("problem %+v", s.Problem)
	}
	there.Store(true)
	b.resume(d)
	s = b.wait("completion", in(api.StateComplete))
	checkFile(t, s.Path, []byte("hello"))
}

func TestEveryCellOfTheStateTable(t *testing.T) {
	for _, state := range []api.State{api.StateQueued, api.StateResolving, api.StateDownloading, api.StateFinishing, api.StateComplete,
		api.StatePaused, api.StateWaiting, api.StateFailed} {
		row, ok := allowed[state]
		if !ok {
			t.Errorf("no row for %s", state)
		}
		for _, command := range []string{"pause", "resume"} {
			want, ok := row[command]
			if !ok {
				t.Errorf("no cell for %s × %s", state, command)
			}
			b := newBench(t)
			r := record("http://127.0.0.1:1/x")
			d := New(b.config, r)
			a := d.actor
			a.ctx, a.ticker = t.Context(), time.NewTicker(time.Hour)
			a.state = state
			if state == api.StateComplete {
				a.rec.Complete = true
			}
			reply := make(chan error, 1)
			apply := (*actor).pause
			if command == "resume" {
				apply = (*actor).resume
			}
			a.obey(commandOf(command, apply, reply))
			if err := <-reply; (err == nil) != want || err != nil && api.CodeOf(err) != api.ErrConflict {
				t.Errorf("%s × %s: %v; allowed is %v", state, command, err, want)
			}
			a.stopRetry()
			a.stopActivity()
		}
	}
}

func commandOf(name string, apply func(*actor) error, reply chan<- error) command {
	return command{name, apply, reply}
}

func TestRecordSurvivesJSON(t *testing.T) {
	r := record("https://example.com/x")
	r.FromEdge, r.ReportID = 7, [16]byte{1, 2, 3}
	r.happened(api.SayGoingOn, "percent", "1")
	got, err := ParseRecord(r.encode())
	if err != nil || got.FromEdge != 7 || got.ReportID != r.ReportID || len(got.Timeline) != 1 {
		t.Errorf("ParseRecord = %+v, %v", got, err)
	}
	var any map[string]any
	if err := json.Unmarshal(r.encode(), &any); err != nil {
		t.Error(err)
	}
}

func TestNormalizeChecksum(t *testing.T) {
	sha := hex.EncodeToString(make([]byte, 32))
	for in, want := range map[string]string{"": "", sha: "sha-256:" + sha, "SHA256:" + sha: "sha-256:" + sha, "sha-256:" + sha: "sha-256:" + sha,
		hex.EncodeToString(make([]byte, 16)): "md5:" + hex.EncodeToString(make([]byte, 16))} {
		if got, err := NormalizeChecksum(in); err != nil || got != want {
			t.Errorf("NormalizeChecksum(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"x", "sha-256:abc", "crc:00", sha + "0", "sha-1:" + sha} {
		if got, err := NormalizeChecksum(in); err == nil {
			t.Errorf("NormalizeChecksum(%q) = %q; want an error", in, got)
		}
	}
}
