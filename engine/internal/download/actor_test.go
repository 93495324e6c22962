package download

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/hybrid"
	"github.com/tributary-dl/tributary/engine/internal/storage"
	"github.com/tributary-dl/tributary/engine/internal/store"
)

// gate is a Journal that keeps a file from getting its name until it is opened.
type gate struct {
	Journal
	opened chan struct{}
}

func (g gate) Save(id string, record []byte) <-chan error {
	reply := make(chan error, 1)
	saved := g.Journal.Save(id, record)
	if !strings.Contains(string(record), `"stage":"`+string(storage.StageRenaming)) {
		return saved
	}
	go func() {
		<-g.opened
		reply <- <-saved
	}()
	return reply
}

// reach brings a download into a state and returns what lets it go on from there.
func (w *world) reach(t *testing.T, state api.State) (proceed func()) {
	t.Helper()
	proceed = func() {}
	r := record(edgeURL)
	switch state {
	case api.StateQueued:
		w.launch(r)
		return proceed
	case api.StateResolving:
		w.edge.freeze()
		proceed = w.edge.wake
	case api.StateFinishing:
		opened := make(chan struct{})
		w.config.Journal = gate{w.config.Journal, opened}
		proceed = func() { close(opened) }
	case api.StatePaused:
		r.Want = api.WantPause
		w.launch(r)
		return func() { w.resume(w.download) }
	case api.StateWaiting:
		w.edge.kill()
		proceed = w.edge.wake
	case api.StateFailed:
		r.Request.URL = "http://edge.example/nothing"
	}
	w.start(r)
	w.wait(string(state), func(s api.Download) bool {
		return s.State == state && (state != api.StateDownloading || half(s))
	})
	synctest.Wait()
	return proceed
}

var states = []api.State{api.StateQueued, api.StateResolving, api.StateDownloading, api.StateFinishing, api.StateComplete,
	api.StatePaused, api.StateWaiting, api.StateFailed}

// eachState runs a story once in each state.
func eachState(t *testing.T, story func(t *testing.T, w *world, state api.State, proceed func())) {
	for _, state := range states {
		t.Run(string(state), func(t *testing.T) {
			simulate(t, 3*mib, 10*mib, 1*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
				story(t, w, state, w.reach(t, state))
			})
		})
	}
}

func TestPauseInEachState(t *testing.T) {
	eachState(t, func(t *testing.T, w *world, state api.State, proceed func()) {
		err := w.download.Pause(t.Context())
		s := w.download.Snapshot()
		if allowed[state]["pause"] {
			if err != nil || s.State != api.StatePaused || s.Want != api.WantPause {
				t.Errorf("Pause() = %v, state %s; want paused", err, s.State)
			}
			proceed()
			w.resume(w.download)
			w.complete(t)
			return
		}
		if api.CodeOf(err) != api.ErrConflict || s.State != state {
			t.Errorf("Pause() = %v, state %s; want a conflict and no change", err, s.State)
		}
		proceed()
	})
}

func TestResumeInEachState(t *testing.T) {
	eachState(t, func(t *testing.T, w *world, state api.State, proceed func()) {
		err := w.download.Resume(t.Context())
		if (err == nil) != allowed[state]["resume"] {
			t.Errorf("Resume() = %v; allowed is %v", err, allowed[state]["resume"])
		}
		if err := w.download.Admit(t.Context(), true); err != nil {
			t.Error(err)
		}
		proceed()
		if state != api.StateFailed {
			w.complete(t)
		}
	})
}

// What the user removes is gone, at once and with its part file; a finished file is the user's.
func TestRemoveInEachState(t *testing.T) {
	eachState(t, func(t *testing.T, w *world, state api.State, proceed func()) {
		if state == api.StateFinishing {
			time.AfterFunc(time.Second, proceed) // a name that is being given cannot be taken back
		}
		if err := w.download.Remove(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		var names []string
		files, _ := os.ReadDir(w.settings.Dir)
		for _, f := range files {
			names = append(names, f.Name())
		}
		whole := state == api.StateComplete || state == api.StateFinishing
		if got := strings.Join(names, " "); got != "" && !whole || got != "object.bin" && whole {
			t.Errorf("the folder holds %q", got)
		}
		if err := w.download.Pause(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Pause() = %v after Remove; want ErrClosed", err)
		}
	})
}

// The service may be stopped at any time; the next start goes on.
func TestStopInEachState(t *testing.T) {
	eachState(t, func(t *testing.T, w *world, state api.State, proceed func()) {
		if state == api.StateFinishing {
			time.AfterFunc(time.Second, proceed)
		}
		w.stop()
		if state == api.StateQueued || state == api.StatePaused {
			return // it never ran: what there is of it, the façade has saved
		}
		r := w.recorded("d1")
		if state == api.StateFinishing && !r.Complete {
			t.Error("the file has its name, but the record does not say so")
		}
		w.launch(r)
		switch state {
		case api.StateFailed:
			if s := w.download.Snapshot(); s.State != state || s.Problem == nil {
				t.Errorf("after the restart: %s, %+v", s.State, s.Problem)
			}
			return
		case api.StateFinishing:
			proceed = func() {}
		}
		proceed()
		w.admit()
		w.complete(t)
	})
}

func TestStorageFailsInEachState(t *testing.T) {
	eachState(t, func(t *testing.T, w *world, state api.State, proceed func()) {
		w.download.StorageFailed(storage.ErrVolumeLost)
		synctest.Wait()
		s := w.download.Snapshot()
		want := state
		if state == api.StateDownloading {
			want = api.StateWaiting
		}
		if state == api.StateFinishing {
			// The worker holds the file until the journal has answered.
			proceed()
			w.complete(t)
			return
		}
		if s.State != want || want == api.StateWaiting && state == api.StateDownloading && s.Problem.Code != api.CodeVolumeLost {
			t.Errorf("%s, %+v; want %s", s.State, s.Problem, want)
		}
		proceed()
		if state != api.StateFailed {
			w.admit()
			w.complete(t)
		}
	})
}

// While an edge is away, the user sees since when and when it is tried again; that it comes back is noticed.
func TestWaitingTellsSinceWhenAndUntilWhen(t *testing.T) {
	simulate(t, 4*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.edge.kill()
		began := time.Now()
		w.start(record(edgeURL))
		for range 20 {
			s := w.wait("waiting", in(api.StateWaiting))
			if s.Problem == nil || s.Problem.RetryAt == nil || !s.Problem.RetryAt.After(time.Now()) || s.Problem.Since.Sub(began) > time.Second {
				t.Fatalf("after %v: %+v", time.Since(began), s.Problem)
			}
			if wait := time.Until(*s.Problem.RetryAt); wait > time.Minute {
				t.Errorf("waits %v", wait)
			}
			time.Sleep(time.Until(*s.Problem.RetryAt) + time.Second)
		}
		d, err := w.download.Detail(t.Context())
		if err != nil || len(d.Timeline) > 5 {
			t.Errorf("%v; the timeline has %d entries for one trouble: %+v", err, len(d.Timeline), d.Timeline)
		}
		w.edge.wake()
		if s := w.complete(t); s.Problem != nil {
			t.Errorf("complete, and yet: %+v", s.Problem)
		}
	})
}

func TestHybridDownloadSaysThatNobodyAnswers(t *testing.T) {
	simulate(t, 8*mib, 10*mib, 2*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.start(record(edgeURL))
		w.wait("half", half)
		w.edge.kill()
		s := w.wait("a problem", func(s api.Download) bool { return s.Problem != nil })
		if s.Problem.Code != api.CodeEdgeUnreachable || s.Problem.RetryAt == nil {
			t.Errorf("problem %+v", s.Problem)
		}
		w.edge.wake()
		w.complete(t)
	})
}

// A place in the queue can be taken away; what is there stays, and a download that rests has no place any more.
func TestQueueGivesAndTakesPlaces(t *testing.T) {
	simulate(t, 8*mib, 10*mib, 2*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		d := w.start(record(edgeURL))
		w.wait("half", half)
		if err := d.Admit(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		s := d.Snapshot()
		if s.State != api.StateQueued || s.VerifiedBytes < 4*mib {
			t.Errorf("%s with %d bytes", s.State, s.VerifiedBytes)
		}
		sent := w.sent.Load()
		time.Sleep(time.Hour)
		if now := w.sent.Load(); now != sent {
			t.Errorf("the edge sent %d bytes to a download without a place", now-sent)
		}
		if err := errors.Join(d.Admit(t.Context(), true), d.Pause(t.Context()), d.Resume(t.Context())); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if s := d.Snapshot(); s.State != api.StateQueued {
			t.Errorf("%s: a place from before the pause was used", s.State)
		}
		w.admit()
		w.complete(t)
	})
}

// A journal that cannot write is told to whoever asked for a change, and keeps a file from its name, not from coming.
func TestJournalFails(t *testing.T) {
	simulate(t, 4*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		broken := errors.New("no journal today")
		d := w.start(record(edgeURL))
		w.set(func() { w.broken = broken })
		if err := d.Move(t.Context(), 3); !errors.Is(err, broken) {
			t.Errorf("Move() = %v; want the journal's error", err)
		}
		s := w.wait("trouble", in(api.StateWaiting, api.StateComplete))
		if s.State != api.StateWaiting || s.VerifiedBytes != s.TotalBytes {
			t.Fatalf("%s with %d of %d bytes", s.State, s.VerifiedBytes, s.TotalBytes)
		}
		if _, err := os.Stat(filepath.Join(w.settings.Dir, "object.bin")); err == nil {
			t.Error("the file has its name, but nobody would know after a crash")
		}
		w.set(func() { w.broken = nil })
		w.complete(t)
	})
}

// That it could not be saved who has the file is no reason to give back a file that is in use.
func TestFileIsTakenOverThoughTheJournalFails(t *testing.T) {
	simulate(t, 3*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.config.DropFile = func(string) {}
		r := record(edgeURL)
		r.Owner, r.Part, r.Request.Dir = strconv.Itoa(os.Getuid()), "object.part", t.TempDir()
		d := w.start(r)
		w.wait("errand", func(s api.Download) bool { return s.Errand != nil })
		f, err := os.Create(filepath.Join(r.Request.Dir, r.Part))
		if err != nil {
			t.Fatal(err)
		}
		h, err := storage.Accept(f, r.Owner, r.Part, false)
		if err != nil {
			t.Fatal(err)
		}
		w.set(func() { w.broken = errors.New("no journal today") })
		if err := d.Hand(t.Context(), h); err != nil {
			t.Fatalf("Hand() = %v, so the caller closes a file that is in use", err)
		}
		w.set(func() { w.broken = nil })
		w.admit()
		w.wait("all bytes", func(s api.Download) bool { return s.Errand != nil && s.Errand.Kind == api.ErrandName })
	})
}

// A crash after the file got its name, before the record says so: the next start needs no server to see it.
func TestNameWasGivenInTheLastMoment(t *testing.T) {
	simulate(t, 4*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.start(record(edgeURL))
		w.complete(t)
		w.stop()
		r := w.recorded("d1")
		r.Complete, r.Finished, r.SHA256 = false, nil, ""
		r.File.Stage = storage.StageRenaming
		w.edge.kill()
		w.start(r)
		w.complete(t)
	})
}

// pausedAtHalf starts a download and stops it when half of it is there.
func (w *world) pausedAtHalf(t *testing.T) (*Download, api.Download) {
	t.Helper()
	d := w.start(record(edgeURL))
	w.wait("half", half)
	if err := d.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d, d.Snapshot()
}

func TestPauseAndRestartKeepWhatIsThere(t *testing.T) {
	simulate(t, 16*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.plain.Store(true)
		_, s := w.pausedAtHalf(t)
		w.stop()
		r := w.recorded("d1")
		if r.Want != api.WantPause {
			t.Errorf("the record wants %q after Pause returned", r.Want)
		}
		had, before := s.VerifiedBytes, w.sent.Load()
		w.launch(r)
		w.resume(w.download)
		s = w.wait("completion", in(api.StateComplete, api.StateFailed))
		checkFile(t, s.Path, w.object.data)
		if again, missing := w.sent.Load()-before, s.TotalBytes-had; again > missing+1000 {
			t.Errorf("%d bytes were sent after the restart; %d were missing", again, missing)
		}
	})
}

// Two versions of a file are never spliced, with hashes or without.
func TestChangedFileIsNeverSpliced(t *testing.T) {
	next := publish(t, 12*mib, 77, protocol.ModeSpeed)
	for _, plain := range []bool{false, true} {
		simulate(t, 32*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
			w.plain.Store(plain)
			w.start(record(edgeURL))
			w.wait("some", func(s api.Download) bool { return s.VerifiedBytes >= 2*mib })
			w.replaced.Store(next)
			s := w.wait("completion", in(api.StateComplete, api.StateFailed))
			if s.State != api.StateComplete {
				t.Fatalf("plain %v: %s: %+v", plain, s.State, s.Problem)
			}
			checkFile(t, s.Path, next.data)
		})
	}
}

// Marks of a part file that was deleted must never be taken for those of the next one.
func TestDeletedPartFileIsBegunAnew(t *testing.T) {
	simulate(t, 16*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		d := w.start(record(edgeURL))
		w.wait("most", func(s api.Download) bool { return s.VerifiedBytes >= 10*mib })
		if err := d.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := w.recorded("d1")
		if err := os.Remove(filepath.Join(r.File.Dir, r.File.Part)); err != nil {
			t.Fatal(err)
		}
		w.resume(d)
		s := w.wait("failure", in(api.StateFailed))
		if s.Problem.Code != api.CodeFileTouched {
			t.Errorf("problem %+v", s.Problem)
		}
		w.resume(d)
		w.wait("a quarter", func(s api.Download) bool { return s.State == api.StateDownloading && s.VerifiedBytes >= 2*mib })
		w.stop()
		w.start(w.recorded("d1"))
		w.complete(t)
	})
}

// Another program has written into the part file. A peer's request is what finds it, and the piece is fetched again.
func TestPartFileIsChangedByAnother(t *testing.T) {
	simulate(t, 16*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		d := w.start(record(edgeURL))
		w.wait("half", half)
		path := filepath.Join(w.settings.Dir, "object.bin.tributary-part")
		part, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer part.Close()
		detail, err := d.Detail(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		piece := strings.IndexByte(detail.Pieces, api.PieceFromEdge)
		if _, err := part.WriteAt(make([]byte, 1000), int64(piece)*mib+5000); err != nil {
			t.Fatal(err)
		}
		d.StorageFailed(fmt.Errorf("piece %d: %w", piece, storage.ErrTouched))
		w.wait("trouble", in(api.StateWaiting))
		s := w.wait("completion", in(api.StateComplete, api.StateFailed))
		checkFile(t, s.Path, w.object.data)
	})
}

// Somebody else answers for the server, as in a hotel's network. What is there stays, and nothing wrong is taken.
func TestAnotherServerAnswers(t *testing.T) {
	simulate(t, 16*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		d, before := w.pausedAtHalf(t)
		w.portal.Store(true)
		w.resume(d)
		s := w.wait("trouble", in(api.StateFailed, api.StateWaiting))
		if s.VerifiedBytes < before.VerifiedBytes || s.ContentID != before.ContentID {
			t.Errorf("%d bytes of %s became %d of %s", before.VerifiedBytes, before.ContentID, s.VerifiedBytes, s.ContentID)
		}
		w.portal.Store(false)
		w.resume(d)
		w.complete(t)
	})
}

// The same to a download that no manifest describes: a page to sign in is no new version of the file.
func TestAnotherAnswerThrowsNothingAway(t *testing.T) {
	simulate(t, 16*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.plain.Store(true)
		d, before := w.pausedAtHalf(t)
		w.portal.Store(true)
		for range 2 { // to insist does not help either
			w.resume(d)
			s := w.wait("trouble", in(api.StateFailed, api.StateComplete))
			if s.State != api.StateFailed || s.Problem.Code != api.CodeOtherAnswer || s.VerifiedBytes < before.VerifiedBytes {
				t.Fatalf("%s %+v, %d bytes became %d", s.State, s.Problem, before.VerifiedBytes, s.VerifiedBytes)
			}
		}
		w.portal.Store(false)
		w.resume(d)
		s := w.complete(t)
		if s.BytesWasted > 4*mib { // of requests that broke off
			t.Errorf("%d bytes were fetched twice", s.BytesWasted)
		}
	})
}

// A description that cannot be read any more says nothing of the file that was begun, so it is begun anew.
func TestStoredDescriptionCannotBeRead(t *testing.T) {
	simulate(t, 4*mib, 10*mib, 1*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.start(record(edgeURL))
		before := w.wait("half", half).VerifiedBytes
		w.stop()
		r := w.recorded("d1")
		r.Manifest = []byte("of a later version")
		w.plain.Store(true)
		w.launch(r)
		w.admit()
		if s := w.complete(t); s.BytesWasted < before {
			t.Errorf("%d bytes wasted of %d that nobody can vouch for", s.BytesWasted, before)
		}
	})
}

// The edge has gone while peers gave the rest: what it said last does not matter any more, however long the disk takes.
func TestDeadEdgeDoesNotDisturbTheEnd(t *testing.T) {
	simulate(t, 32*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		marks := &slowMarks{Store: w.store}
		w.config.Disk = storage.NewCommitter(storage.Config{Marker: marks, Log: w.config.Log})
		t.Cleanup(func() { w.config.Disk.Close(context.Background()) })
		w.crowd.add(t, w.object, 4*mib, everything)
		w.start(record(edgeURL))
		w.wait("half", half)
		w.edge.kill()
		w.wait("most", func(s api.Download) bool { return s.VerifiedBytes > 31*mib })
		marks.take.Store(int64(40 * time.Second))
		w.wait("finishing", in(api.StateFinishing))
		if s := w.wait("the end", in(api.StateComplete, api.StateFailed, api.StateWaiting)); s.State != api.StateComplete {
			t.Errorf("%s: %+v", s.State, s.Problem)
		}
	})
}

// slowMarks is a state database that may be slow.
type slowMarks struct {
	*store.Store
	take atomic.Int64 // nanoseconds
}

func (m *slowMarks) MarkDurable(marks map[string][]int) error {
	time.Sleep(time.Duration(m.take.Load()))
	return m.Store.MarkDurable(marks)
}

// Peers were sooner, and in the same moment the piece turns out wrong: nothing of it may be kept for the next request.
func TestWrongPieceOfADroppedRequestIsNotKept(t *testing.T) {
	simulate(t, 3*mib, 10*mib, 1*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		d := w.start(record(edgeURL))
		w.wait("half", half)
		kept := make(chan int, 1)
		d.post(func(a *actor) {
			tr := a.transfer()
			i := slices.IndexFunc(tr.pieces, func(p hybrid.Piece) bool { return !p.Claimed })
			for i >= 0 && tr.done[i] {
				i++
			}
			r := &request{run: hybrid.Run{First: i, Count: 1}, geo: tr.geo, piece: i, buffer: make([]byte, tr.geo.unit), filled: int(tr.geo.size(i)), dropped: true}
			tr.claims++
			tr.pieces[i].Claimed = true
			a.fetched(tr, r, errWrongBytes)
			kept <- len(tr.prefixes[i])
		})
		if n := <-kept; n > 0 {
			t.Errorf("%d bytes are kept", n)
		}
		w.wait("completion", in(api.StateComplete))
	})
}

func TestSharedFileThatChangesIsWithdrawn(t *testing.T) {
	simulate(t, 4*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.set(func() { w.settings.Sharing = api.SharingOn })
		d := w.start(record(edgeURL))
		if s := w.wait("sharing", in(api.StateComplete)); !s.Shared {
			t.Fatalf("not shared: %+v", s)
		}
		d.StorageFailed(storage.ErrTouched)
		if s := w.wait("withdrawal", func(s api.Download) bool { return !s.Shared }); s.State != api.StateComplete {
			t.Errorf("%s", s.State)
		}
		w.stop()
		w.launch(w.recorded("d1"))
		time.Sleep(time.Minute)
		if w.download.Snapshot().Shared {
			t.Error("shared again after a restart")
		}
	})
}

// A finished object that nobody asks for costs nothing.
func TestSharedObjectAtRestIsSilent(t *testing.T) {
	simulate(t, 4*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.set(func() { w.settings.Sharing = api.SharingOn })
		w.start(record(edgeURL))
		w.wait("sharing", func(s api.Download) bool { return s.Shared })
		time.Sleep(time.Minute)
		var asked, published, saved int
		w.set(func() { asked, published, saved = w.asked, w.published, w.saved })
		const hours = 24
		time.Sleep(hours * time.Hour)
		w.set(func() { asked, published, saved = w.asked-asked, w.published-published, w.saved-saved })
		if asked > 3*hours || published > hours || saved > 0 {
			t.Errorf("in a day: %d looks at the settings, %d snapshots, %d records written", asked, published, saved)
		}
	})
}

func TestTimelineKeepsTheLatest(t *testing.T) {
	var r Record
	for i := range 1000 {
		r.happened(strconv.Itoa(i))
	}
	if n := len(r.Timeline); n != timelineLength || r.Timeline[n-1].Text != "999" {
		t.Errorf("%d entries, the last %q", n, r.Timeline[n-1].Text)
	}
}

func TestReconcile(t *testing.T) {
	for _, c := range []struct {
		edge, peers, wasted, had int64
		want                     Record
	}{
		{4, 3, 1, 7, Record{FromEdge: 4, FromPeers: 3, Wasted: 1}},
		{4, 3, 0, 9, Record{FromEdge: 6, FromPeers: 3}},
		{4, 3, 0, 5, Record{FromEdge: 4, FromPeers: 1, Wasted: 2}},
		{4, 3, 0, 2, Record{FromEdge: 2, FromPeers: 0, Wasted: 5}},
		{4, 3, 0, 0, Record{Wasted: 7}},
	} {
		got := Record{FromEdge: c.edge, FromPeers: c.peers, Wasted: c.wasted}
		got.reconcile(c.had)
		if got.FromEdge != c.want.FromEdge || got.FromPeers != c.want.FromPeers || got.Wasted != c.want.Wasted {
			t.Errorf("%+v: edge %d, peers %d, wasted %d", c, got.FromEdge, got.FromPeers, got.Wasted)
		}
	}
}

// Whatever is asked of a download at once, from all sides, it ends where the user wants it, with the right bytes
// and the right sums.
func TestCommandsFromAllSides(t *testing.T) {
	for seed := range uint64(4) {
		simulate(t, 24*mib, 10*mib, 2*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
			w.crowd.shares = true
			w.set(func() { w.settings.Sharing = api.SharingOn })
			w.crowd.add(t, w.object, 1*mib, everything)
			w.crowd.add(t, w.object, 1*mib, func(i int) bool { return i%3 == 0 })
			d := w.start(record(edgeURL))
			var sides sync.WaitGroup
			for side := range uint64(5) {
				sides.Go(func() {
					random := rand.New(rand.NewPCG(seed, side))
					commands := []func() error{
						func() error { return d.Pause(t.Context()) },
						func() error { return d.Resume(t.Context()) },
						func() error { return d.Admit(t.Context(), true) },
						func() error { return d.Admit(t.Context(), true) },
						func() error { return d.Admit(t.Context(), false) },
						func() error { return d.Move(t.Context(), random.IntN(9)) },
						func() error { return d.SettingsChanged(t.Context()) },
						func() error { d.StorageFailed(storage.ErrVolumeLost); return nil },
						func() error { _, err := d.Detail(t.Context()); return err },
					}
					for range 60 {
						time.Sleep(time.Duration(random.IntN(600)) * time.Millisecond)
						if err := commands[random.IntN(len(commands))](); err != nil && api.CodeOf(err) != api.ErrConflict {
							t.Error(err)
						}
					}
				})
			}
			sides.Wait()
			for !in(api.StateComplete)(d.Snapshot()) {
				if err := d.Resume(t.Context()); err != nil && api.CodeOf(err) != api.ErrConflict {
					t.Fatal(err)
				}
				if err := d.Admit(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			s := d.Snapshot()
			checkFile(t, s.Path, w.object.data)
			if s.BytesFromEdge+s.BytesFromPeers != s.TotalBytes || s.Problem != nil {
				t.Errorf("%d and %d bytes of %d, problem %+v", s.BytesFromEdge, s.BytesFromPeers, s.TotalBytes, s.Problem)
			}
			if err := d.Remove(t.Context(), true); err != nil {
				t.Error(err)
			}
			if len(w.crowd.joined) != 0 {
				t.Error("a swarm was not left")
			}
		})
	}
}

// A download that rests has no place in the queue, and takes its turn again when it may go on. Until then it says why it
// rested.
func TestRestingTakesNoPlace(t *testing.T) {
	simulate(t, 4*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		w.edge.kill()
		w.start(record(edgeURL))
		s := w.wait("waiting", in(api.StateWaiting))
		if Active(s.State) {
			t.Error("it takes a place while it waits")
		}
		w.set(func() { w.full = true })
		s = w.wait("the queue", in(api.StateQueued))
		if s.Problem == nil || s.Problem.RetryAt != nil || !strings.HasPrefix(s.Note, s.Problem.Title) {
			t.Errorf("queued again: %q, %+v", s.Note, s.Problem)
		}
		w.edge.wake()
		time.Sleep(time.Hour)
		if sent := w.sent.Load(); sent != 0 {
			t.Errorf("the edge sent %d bytes to a download without a place", sent)
		}
		w.set(func() { w.full = false })
		w.admit()
		w.complete(t)
	})
}

// A hybrid download looks for peers as long as it likes, until somebody else needs its place.
func TestSilentTransferYields(t *testing.T) {
	simulate(t, 8*mib, 10*mib, 2*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
		yields := func() bool {
			yielded, err := w.download.Yield(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return yielded
		}
		w.start(record(edgeURL))
		w.wait("half", half)
		if yields() {
			t.Error("it yields while bytes come")
		}
		w.edge.kill()
		w.wait("a problem", Idle)
		if yields() {
			t.Error("it yields at the first error")
		}
		w.set(func() { w.full = true })
		time.Sleep(time.Minute)
		if s := w.download.Snapshot(); s.State != api.StateDownloading || !yields() {
			t.Errorf("%s: it does not yield after a minute of silence", s.State)
		}
		if s := w.download.Snapshot(); s.State != api.StateWaiting || s.Problem == nil || s.Problem.RetryAt == nil || s.VerifiedBytes < 4*mib {
			t.Errorf("%s with %d bytes, problem %+v", s.State, s.VerifiedBytes, s.Problem)
		}
		w.wait("the queue", in(api.StateQueued))
		w.edge.wake()
		w.admit()
		w.complete(t)
	})
}

// Who wants an end of trying gets it: after so many tries in a row that bring nothing. What is there stays, and Resume begins
// to count anew.
func TestTriesComeToAnEnd(t *testing.T) {
	for _, inTheMiddle := range []bool{false, true} {
		for _, plain := range []bool{false, true} {
			simulate(t, 32*mib, 10*mib, 4*mib, protocol.ModeSpeed, func(t *testing.T, w *world) {
				w.plain.Store(plain)
				w.set(func() { w.settings.Tries = 6 })
				r := record(edgeURL)
				if plain {
					r.Request.Tries = 5
				}
				if !inTheMiddle {
					w.edge.kill()
				}
				w.start(r)
				if inTheMiddle { // bytes in between begin the count anew
					for range 2 {
						w.edge.wake()
						had := w.download.Snapshot().VerifiedBytes
						w.wait("more", func(s api.Download) bool { return s.VerifiedBytes > had && s.Problem == nil })
						w.edge.kill()
						time.Sleep(2 * time.Second)
					}
				}
				began := time.Now()
				s := w.wait("the end", in(api.StateFailed))
				if took := time.Since(began); took < time.Second || took > 5*time.Minute {
					t.Errorf("plain %v, in the middle %v: failed after %v", plain, inTheMiddle, took)
				}
				if s.Problem == nil || s.Problem.Code != api.CodeEdgeUnreachable || s.Problem.RetryAt != nil || inTheMiddle && s.VerifiedBytes == 0 {
					t.Errorf("plain %v: failed with %d bytes: %+v", plain, s.VerifiedBytes, s.Problem)
				}
				w.edge.wake()
				w.resume(w.download)
				w.complete(t)
			})
		}
	}
}
