package edge

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func paths(t *testing.T, text string) (list string, done int64, broken int) {
	t.Helper()
	done, broken, err := ReadLog(strings.NewReader(text), func(e Entry) error { list += e.Path; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return list, done, broken
}

func TestReadLogSurvivesWhatAPowerCutLeaves(t *testing.T) {
	a, b := `{"path":"a"}`+"\n", `{"path":"b"}`+"\n"
	long := strings.Repeat("x", 3*maxLine) + "\n"
	for _, c := range []struct {
		text   string
		want   string
		done   int
		broken int
	}{
		{"", "", 0, 0},
		{a + b, "ab", len(a + b), 0},
		{a + `{"path":"b`, "a", len(a), 0},
		{a + "\n" + b, "ab", len(a+b) + 1, 0},
		{a + `{"pa` + "\n" + b, "ab", len(a+b) + 5, 1},
		{a + "\x00\x00\x00\n" + b, "ab", len(a+b) + 4, 1},
		{a + long + b, "ab", len(a + long + b), 1},
		{a + long[:maxLine+5], "a", len(a), 0},
	} {
		got, done, broken := paths(t, c.text)
		if got != c.want || done != int64(c.done) || broken != c.broken {
			t.Errorf("%.60q: %q, %d bytes done, %d broken; want %q, %d, %d", c.text, got, done, broken, c.want, c.done, c.broken)
		}
	}
	stop := errors.New("stop")
	if done, _, err := ReadLog(strings.NewReader(a+b), func(e Entry) error {
		if e.Path == "b" {
			return stop
		}
		return nil
	}); !errors.Is(err, stop) || done != int64(len(a)) {
		t.Errorf("an entry that was refused counts as done: %d, %v", done, err)
	}
}

func TestEntriesAreOnDiskWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		l, err := openAccessLog(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		l.add(Entry{Path: "a"})
		time.Sleep(time.Second) // of the bubble's clock
		synctest.Wait()
		text, err := os.ReadFile(path)
		if got, _, _ := paths(t, string(text)); err != nil || got != "a" {
			t.Errorf("after a second: %q, %v", text, err)
		}
		l.add(Entry{Path: "b"})
		if err := errors.Join(l.close(), l.close()); err != nil {
			t.Fatal(err)
		}
		l.add(Entry{Path: "late"})
		text, _ = os.ReadFile(path)
		if got, _, _ := paths(t, string(text)); got != "ab" || l.lost.Load() != 1 {
			t.Errorf("after close: %q, %d lost", text, l.lost.Load())
		}
	})
}

func TestTornLineDoesNotSpoilTheNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(`{"path":"a"}`+"\n"+`{"path":"tor`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := openAccessLog(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.add(Entry{Path: "b"})
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if got, _, broken := paths(t, string(text)); got != "ab" || broken != 1 {
		t.Errorf("%q: %q, %d broken", text, got, broken)
	}
}

func TestDiskThatFailsLosesAndCountsButNeverBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := openAccessLog(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.file.Close() // every write fails from here on
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				l.add(Entry{Path: strings.Repeat("x", 100)})
			}
		})
	}
	wg.Wait()
	if err := l.close(); err == nil {
		t.Error("close says that all is well")
	}
	if lost := l.lost.Load(); lost != 4000 {
		t.Errorf("%d entries lost; want 4000", lost)
	}
}

func FuzzReadLog(f *testing.F) {
	f.Add([]byte(`{"path":"a"}` + "\n"))
	f.Add([]byte("\n\n{}\n{\"start\":1e400}\n\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		done, _, err := ReadLog(strings.NewReader(string(text)), func(e Entry) error {
			_, err := json.Marshal(e)
			return err
		})
		if err == nil && (done < 0 || done > int64(len(text)) || done > 0 && text[done-1] != '\n') {
			t.Errorf("done with %d of %d bytes", done, len(text))
		}
	})
}
