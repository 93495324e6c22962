package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testLog(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func mustOpen(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// crash ends a run as a killed process does: nothing more is written.
func crash(t testing.TB, s *Store) {
	t.Helper()
	if err := s.release(); err != nil {
		t.Fatal(err)
	}
}

func TestRunsAreCountedAndEndCleanOnlyByClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "state.db")
	type run struct {
		Clean bool
		Epoch uint64
	}
	var got []run
	for _, ending := range []string{"close", "crash", "close", "close"} {
		s := mustOpen(t, path)
		got = append(got, run{s.Clean(), s.Epoch()})
		if ending == "crash" {
			crash(t, s)
		} else if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	want := []run{{false, 1}, {true, 2}, {false, 3}, {true, 4}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsPutSurvivesACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := mustOpen(t, path)
	for _, err := range []error{
		s.PutDownload("a", []byte("one")),
		s.PutDownload("b", []byte("two")),
		s.MarkDurable(map[string][]int{"a": {0, 7, 8}, "b": {3}}),
		s.DeleteDownload("b"),
		s.Put(BucketLedger, "2026-11/x", []byte("1")),
		s.Put(BucketLedger, "2026-11/y", []byte("2")),
		s.Put(BucketLedger, "2026-12/x", []byte("3")),
		s.Delete(BucketLedger, "2026-11/y"),
		s.Delete(BucketLedger, "never there"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	crash(t, s)

	s = mustOpen(t, path)
	downloads, err := s.Downloads()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]byte{"a": []byte("one")}, downloads); diff != "" {
		t.Error(diff)
	}
	for id, want := range map[string]string{"a": "1000000110000000", "b": ""} {
		field, err := s.Durable(id)
		if err != nil {
			t.Fatal(err)
		}
		if got := picture(field); got != want {
			t.Errorf("Durable(%s) = %s; want %s", id, got, want)
		}
	}
	var ledger []string
	err = s.Each(BucketLedger, "2026-11/", func(key string, value []byte) error {
		ledger = append(ledger, key+"="+string(value))
		return s.Delete(BucketLedger, key) // the store may be changed meanwhile
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2026-11/x=1"}, ledger); diff != "" {
		t.Error(diff)
	}
	if got, err := s.Get(BucketLedger, "2026-11/x"); got != nil || err != nil {
		t.Errorf("Get of a deleted key = %q, %v; want nothing", got, err)
	}
	if got, err := s.Get(BucketLedger, "2026-12/x"); string(got) != "3" || err != nil {
		t.Errorf("Get = %q, %v; want 3", got, err)
	}
}

func picture(field []byte) string {
	var b strings.Builder
	for _, x := range field {
		fmt.Fprintf(&b, "%08b", x)
	}
	return b.String()
}

func TestMarksAcrossChunks(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "state.db"))
	pieces := []int{0, chunkPieces - 1, chunkPieces, 5 * chunkPieces}
	if err := s.MarkDurable(map[string][]int{"a": pieces}); err != nil {
		t.Fatal(err)
	}
	if err := s.ClearDurable("a", []int{chunkPieces, 9 * chunkPieces}); err != nil {
		t.Fatal(err)
	}
	field, err := s.Durable("a")
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for i := range len(field) * 8 {
		if field[i/8]&(0x80>>(i%8)) != 0 {
			got = append(got, i)
		}
	}
	if diff := cmp.Diff([]int{0, chunkPieces - 1, 5 * chunkPieces}, got); diff != "" {
		t.Error(diff)
	}
	if err := s.ClearDurable("a", nil); err != nil {
		t.Fatal(err)
	}
	if field, err := s.Durable("a"); len(field) != 0 || err != nil {
		t.Errorf("Durable after all were cleared = %d bytes, %v; want none", len(field), err)
	}
	for _, p := range []int{-1, maxPiece} {
		if err := s.MarkDurable(map[string][]int{"a": {p}}); err == nil {
			t.Errorf("MarkDurable of piece %d passed", p)
		}
	}
}

func TestSecondOpenIsRefusedAndChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := mustOpen(t, path)
	if _, err := Open(path, testLog(t)); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open = %v; want ErrInUse", err)
	}
	if err := s.PutDownload("a", nil); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "state.db"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if err := s.Put(BucketSettings, "a", nil); !errors.Is(err, errClosed) {
		t.Errorf("Put = %v; want %v", err, errClosed)
	}
	if _, err := s.Get(BucketSettings, "a"); !errors.Is(err, errClosed) {
		t.Errorf("Get = %v; want %v", err, errClosed)
	}
}

func TestUnknownBucketIsAnError(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "state.db"))
	visit := func(string, []byte) error { return nil }
	_, err := s.Get("none", "a")
	for _, err := range []error{err, s.Put("none", "a", nil), s.Delete("none", "a"), s.Each("none", "", visit)} {
		if err == nil {
			t.Error("an unknown bucket was taken")
		}
	}
}

func TestEachStopsAtTheFirstError(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "state.db"))
	for _, k := range []string{"a", "b"} {
		if err := s.Put(BucketSettings, k, []byte(k)); err != nil {
			t.Fatal(err)
		}
	}
	stop := errors.New("stop")
	var seen []string
	err := s.Each(BucketSettings, "", func(key string, _ []byte) error {
		seen = append(seen, key)
		return stop
	})
	if !errors.Is(err, stop) || len(seen) != 1 {
		t.Errorf("Each = %v after %v; want stop after a", err, seen)
	}
}

// A file that is no regular one, or cannot be read, is nobody's broken database: it stays.
func TestOpenLeavesWhatItCannotOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(path, testLog(t)); err == nil {
		s.Close()
		t.Fatal("a folder was opened as a database")
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
