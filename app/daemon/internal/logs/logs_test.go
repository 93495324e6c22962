package logs

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRingKeepsTheNewestLines(t *testing.T) {
	r := NewRing(3)
	var want []string
	for i := range 8 {
		fmt.Fprintf(r, "line %d\n", i)
		want = append(want, fmt.Sprintf("line %d", i))
		if diff := cmp.Diff(want[max(0, len(want)-3):], r.Lines()); diff != "" {
			t.Errorf("after %d lines (-want +got):\n%s", i+1, diff)
		}
	}
	fmt.Fprint(r, strings.Repeat("x", 2*longestLine))
	if last := r.Lines()[2]; len(last) != longestLine {
		t.Errorf("a long line is kept with %d bytes; want %d", len(last), longestLine)
	}
}

func TestFileRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "d.log")
	write := func(lines ...string) {
		f, err := OpenFile(path, 20, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if _, err := f.Write([]byte(line + "\n")); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write("first 1234", "second 123")
	write("third 1234", "fourth 123", "a line that is longer than a whole file", "last")
	got := map[string]string{}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(path), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(text)
	}
	want := map[string]string{"d.log": "last\n", "d.log.1": "a line that is longer than a whole file\n", "d.log.2": "fourth 123\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestManyWritersAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.log")
	f, err := OpenFile(path, 1<<20, 2)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRing(1000)
	log := slog.New(slog.NewMultiHandler(slog.NewTextHandler(f, nil), slog.NewTextHandler(r, nil)))
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 100 {
				log.Info("hello")
				r.Lines()
			}
		})
	}
	writers.Wait()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "msg=hello\n"); n != 400 || len(r.Lines()) != 400 {
		t.Errorf("%d lines in the file and %d in the ring; want 400", n, len(r.Lines()))
	}
}
