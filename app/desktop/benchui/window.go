package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/app/desktop/screen"
	"github.com/tributary-dl/tributary/engine/api"
)

// centre is a part of the screen that the window covers wherever the window manager puts it.
var centre = image.Rect(400, 250, 1000, 650)

// openWindow starts the window on a screen and waits until something is drawn in it.
func (b *bench) openWindow(ctx context.Context, s *screen.Screen, w *world, log io.Writer, program string, args ...string) (*exec.Cmd, time.Duration, error) {
	began := time.Now()
	c, err := s.StartLogged(log, program, append([]string{"--socket", w.daemon.Socket, "--data", w.data, "--alone"}, args...)...)
	if err != nil {
		return nil, 0, err
	}
	const (
		look     = 5 * time.Millisecond
		drawn    = 200 // colours: the window has a thousand, the box in which the window manager greets 78
		patience = time.Minute
	)
	for time.Since(began) < patience {
		n, err := s.Colours(centre)
		if err != nil {
			return nil, 0, err
		}
		if n >= drawn {
			return c, time.Since(began), nil
		}
		if err := wait(ctx, look); err != nil {
			return nil, 0, err
		}
	}
	return nil, 0, fmt.Errorf("after %v nothing is drawn", patience)
}

// close ends a window.
func closeWindow(c *exec.Cmd) {
	_ = c.Process.Kill()
	_ = c.Wait()
}

func (b *bench) window() string { return filepath.Join(b.bin, "tributary") }

// start opens the window again and again.
func (b *bench) start(ctx context.Context) error {
	w, err := b.newWorld(ctx, "start", 1, 1_000_000)
	if err != nil {
		return err
	}
	defer w.stop()
	var took []float64
	const times = 7
	for i := range times {
		s, err := screen.Open(filepath.Join(b.scratch, fmt.Sprint("start-screen", i))) // an old one still shows what was on it
		if err != nil {
			return err
		}
		c, d, err := b.openWindow(ctx, s, w, nil, b.window())
		if err == nil {
			took = append(took, d.Seconds())
			closeWindow(c)
		}
		if err := errors.Join(err, s.Close()); err != nil {
			return err
		}
	}
	slices.Sort(took)
	b.atMost("window: start to first frame", "s", 1, took[times/2], fmt.Sprintf("median of %d, %.2f to %.2f s, software renderer", times, took[0], took[times-1]))
	return nil
}

// update looks at a window with one active download from close by, which is drawn twice a second. The main goroutine does three
// things: what is ours and the toolkit's, in Go; calls of OpenGL, which here is a renderer in software that computes
// what a graphics processor would; and system calls. The profile tells them apart.
func (b *bench) update(ctx context.Context) error {
	if b.profiled == "" {
		fmt.Println("update: not measured; build app/desktop/benchui/profiled and give it with -profiled")
		return nil
	}
	const updatesASecond, settle, span = 2, 12 * time.Second, time.Minute
	w, err := b.newWorld(ctx, "update", 1, 300_000)
	if err != nil {
		return err
	}
	defer w.stop()
	if err := w.download(ctx); err != nil {
		return err
	}
	s, err := screen.Open(filepath.Join(b.scratch, "update-screen"))
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // it has served
	file := filepath.Join(b.scratch, "update.pprof")
	c, _, err := b.openWindow(ctx, s, w, nil, b.profiled, "-profile", file, "-after", settle.String(), "-for", span.String())
	if err != nil {
		return err
	}
	defer closeWindow(c)
	if err := b.focus(ctx, s, "Down", "Home"); err != nil { // the detail beside the list, with map and graph
		return err
	}
	if err := wait(ctx, settle-3*time.Second); err != nil {
		return err
	}
	before, err := usageOf(c.Process.Pid)
	if err != nil {
		return err
	}
	if err := wait(ctx, span); err != nil {
		return err
	}
	after, err := usageOf(c.Process.Pid)
	if err != nil {
		return err
	}
	used := after.minus(before)
	for _, err := os.Stat(file); err != nil; _, err = os.Stat(file) { // it is about the same minute, give or take a second
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	opengl, err := shareOfC(ctx, b.profiled, file)
	if err != nil {
		return err
	}
	each := func(d time.Duration) float64 { return d.Seconds() * 1000 / (updatesASecond * span.Seconds()) }
	drawing := time.Duration(opengl * float64(used.main))
	b.atMost("window: main goroutine for each update", "ms", 11, each(used.main-drawing), "with the toolkit's 60 looks a second for events, without OpenGL")
	b.told("window: its calls of OpenGL for each update", "ms", each(drawing), fmt.Sprintf("%.0f%% of its thread, by a profile", 100*opengl))
	b.told("window: software renderer for each update", "ms", each(used.renderer), "threads of its own")
	b.told("window: everything else for each update", "ms", each(used.all-used.main-used.renderer), "events, garbage collection")
	return nil
}

func (b *bench) focus(ctx context.Context, s *screen.Screen, keys ...string) error {
	id, err := s.Window(ctx, "Tributary")
	if err != nil {
		return err
	}
	if err := s.Focus(ctx, id); err != nil {
		return err
	}
	if err := wait(ctx, 2*time.Second); err != nil { // a key that comes before the window listens is lost
		return err
	}
	if len(keys) == 0 {
		return nil
	}
	return s.Key(ctx, keys...)
}

// rows scrolls through 10,000 downloads for as long as was asked for.
func (b *bench) rows(ctx context.Context) error {
	const many = 10_000
	w, err := b.newWorld(ctx, "rows", 1, 50_000)
	if err != nil {
		return err
	}
	defer w.stop()
	if err := w.addPaused(ctx, many-1); err != nil {
		return err
	}
	if err := w.download(ctx); err != nil {
		return err
	}
	s, err := screen.Open(filepath.Join(b.scratch, "rows-screen"))
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // it has served
	c, _, err := b.openWindow(ctx, s, w, nil, b.window())
	if err != nil {
		return err
	}
	defer closeWindow(c)
	if err := b.focus(ctx, s, "Down", "Home"); err != nil {
		return err
	}
	const look = 2 * time.Second
	var seen []float64
	for end := time.Now().Add(time.Duration(b.minutes * float64(time.Minute))); time.Now().Before(end); {
		keys := []string{"Next", "Next", "Next"}
		if len(seen)%50 == 49 {
			keys = []string{"End", "Home"}
		}
		if err := s.Key(ctx, keys...); err != nil {
			return err
		}
		if err := wait(ctx, look); err != nil {
			return err
		}
		r, err := residentOf(c.Process.Pid)
		if err != nil {
			return err
		}
		seen = append(seen, r)
	}
	quarter := len(seen) / 4
	if quarter == 0 {
		return errors.New("-minutes is too short to say anything")
	}
	mean := func(part []float64) (sum float64) {
		for _, v := range part {
			sum += v / float64(len(part))
		}
		return sum
	}
	note := fmt.Sprintf("scrolled for %.1f minutes", b.minutes)
	b.atMost("window: memory with 10,000 rows, at most", "MB", 230, slices.Max(seen), note)
	b.atMost("window: its growth from the second quarter to the last", "MB", 5, mean(seen[3*quarter:])-mean(seen[quarter:2*quarter]), note)
	return nil
}

// addPaused adds downloads that rest.
func (w *world) addPaused(ctx context.Context, many int) error {
	const atOnce = 32
	var wg sync.WaitGroup
	failed := make(chan error, atOnce)
	for part := range atOnce {
		wg.Go(func() {
			for i := part; i < many; i += atOnce {
				link := fmt.Sprintf("https://mirror.example/release/%05d/image-%05d.iso", i, i)
				if _, err := w.daemon.Add(ctx, api.AddRequest{URL: link, Paused: true}); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

// threads drives a window that was built to find its own faults through everything it has.
func (b *bench) threads(ctx context.Context) error {
	if b.checked == "" {
		fmt.Println("threads: not measured; build the window with -race and without migrated_fynedo, and give it with -checked")
		return nil
	}
	w, err := b.newWorld(ctx, "threads", 3, 3_000_000)
	if err != nil {
		return err
	}
	defer w.stop()
	if err := w.download(ctx); err != nil {
		return err
	}
	s, err := screen.Open(filepath.Join(b.scratch, "threads-screen"))
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // it has served
	s.Dir = b.scratch                // the toolkit would read its settings from FyneApp.toml, which switches its checks off
	var log text
	c, _, err := b.openWindow(ctx, s, w, &log, b.checked)
	if err != nil {
		return errors.Join(err, errors.New(log.String()))
	}
	if err := b.focus(ctx, s); err != nil {
		return err
	}
	if err := s.Clipboard(ctx, "https://mirror.example/pasted.iso"); err != nil {
		return err
	}
	for _, keys := range [][]string{
		{"Down", "Home", "space", "space", "Down"}, {"ctrl+1"}, {"ctrl+2"}, {"ctrl+3"}, {"ctrl+4"}, {"ctrl+5"}, {"ctrl+6"}, {"ctrl+comma"}, {"Escape"},
		{"ctrl+f", "f", "i", "Escape"}, {"ctrl+v"}, {"Escape"}, {"ctrl+n"}, {"Escape"}, {"ctrl+a", "ctrl+c", "Delete"}, {"Escape", "F5"}, {"Home", "Return"}, {"Escape"},
	} {
		if err := s.Key(ctx, keys...); err != nil {
			return err
		}
		if err := wait(ctx, 1500*time.Millisecond); err != nil {
			return err
		}
	}
	closeWindow(c)
	what := "the real window, every page and dialog, three active downloads"
	b.atMost("window: data races", "", 0, float64(strings.Count(log.String(), "WARNING: DATA RACE")), what)
	b.atMost("window: calls off the goroutine of the interface", "", 0, float64(strings.Count(log.String(), "Error in Fyne call thread")), what)
	if n := strings.Count(log.String(), "the window is open"); n != 1 {
		return fmt.Errorf("the window's log is not what it should be:\n%s", log.String())
	}
	return nil
}

// text collects what a program writes.
type text struct {
	mu   sync.Mutex
	kept strings.Builder
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept.String()
}
