// Package screen is a screen that nobody sees: an X server in memory, a window manager, and hands on mouse and keyboard. Tests
// and the pictures of the README use it to drive the real window. It must never be imported by a program that users run.
package screen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// tools are the programs this needs, and the Debian packages that have them.
var tools = map[string]string{"Xvfb": "xvfb", "openbox": "openbox", "xdotool": "xdotool", "xclip": "xclip", "import": "imagemagick"}

// Missing names the Debian packages without which there is no screen. It is empty where all are installed.
func Missing() (packages []string) {
	for program, pkg := range tools {
		if _, err := exec.LookPath(program); err != nil {
			packages = append(packages, pkg)
		}
	}
	return packages
}

// Screen is one running X server with its window manager. Not safe for use by several goroutines.
type Screen struct {
	// Bus is the address of the desktop's message bus for programs that are started from now on; empty: none.
	Bus string
	// Dir is the working folder of programs that are started from now on; empty: this program's.
	Dir string

	display string
	dir     string // home of everything that runs on it
	procs   []*exec.Cmd
}

// Open starts a screen of 1400 by 900 pixels. What programs on it write goes into folders below dir.
func Open(dir string) (*Screen, error) {
	if packages := Missing(); len(packages) > 0 {
		return nil, fmt.Errorf("open a screen: install %s", strings.Join(packages, " "))
	}
	runtime, settings := filepath.Join(dir, "runtime"), filepath.Join(dir, "config", "fyne")
	for _, d := range []string{runtime, settings} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	// A blinking cursor repaints for ever, and the software renderer pays for it.
	if err := os.WriteFile(filepath.Join(settings, "settings.json"), []byte(`{"no_animations":true}`), 0o600); err != nil {
		return nil, err
	}
	s := &Screen{dir: dir}
	number, x, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer number.Close()
	server := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1400x900x24", "-fbdir", dir, "-nolisten", "tcp") //nolint:noctx // Close ends it
	server.ExtraFiles = []*os.File{x}
	err = server.Start()
	x.Close()
	if err != nil {
		return nil, fmt.Errorf("start Xvfb: %w", err)
	}
	s.procs = append(s.procs, server)
	line, err := bufio.NewReader(number).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("Xvfb does not say its number: %w", err), s.Close())
	}
	s.display = ":" + strings.TrimSpace(line)
	if _, err := s.Start("openbox"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Env is the environment of programs on this screen: its display, folders of their own, no bus but Bus, English.
func (s *Screen) Env() []string {
	bus := s.Bus
	if bus == "" {
		bus = "unix:path=/nonexistent"
	}
	return append(os.Environ(), "DISPLAY="+s.display, "WAYLAND_DISPLAY=", "XDG_RUNTIME_DIR="+filepath.Join(s.dir, "runtime"),
		"XDG_CONFIG_HOME="+filepath.Join(s.dir, "config"), "DBUS_SESSION_BUS_ADDRESS="+bus, "LC_ALL=C.UTF-8", "LANGUAGE=en")
}

// Start starts a program on this screen. It is killed by Close, unless it has ended before.
func (s *Screen) Start(program string, args ...string) (*exec.Cmd, error) {
	return s.StartLogged(nil, program, args...)
}

// StartLogged is Start with what the program writes as its log.
func (s *Screen) StartLogged(log io.Writer, program string, args ...string) (*exec.Cmd, error) {
	c := exec.Command(program, args...) //nolint:noctx // Close ends it
	c.Env, c.Dir, c.Stderr = s.Env(), s.Dir, log
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	s.procs = append(s.procs, c)
	return c, nil
}

// Window waits until a window with a title can be seen, and returns its number.
func (s *Screen) Window(ctx context.Context, title string) (string, error) {
	for {
		out, err := s.run(ctx, nil, "xdotool", "search", "--onlyvisible", "--name", "^"+title+"$")
		if id, _, _ := strings.Cut(out, "\n"); err == nil && id != "" {
			return id, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return "", fmt.Errorf("wait for the window %q: %w", title, err)
		}
	}
}

// Key presses keys, written as xdotool does: ctrl+v, Return.
func (s *Screen) Key(ctx context.Context, keys ...string) error {
	_, err := s.run(ctx, nil, "xdotool", append([]string{"key", "--delay", "60"}, keys...)...)
	return err
}

// Click clicks at a place of a window.
func (s *Screen) Click(ctx context.Context, window string, x, y int) error {
	_, err := s.run(ctx, nil, "xdotool", "mousemove", "--window", window, fmt.Sprint(x), fmt.Sprint(y), "click", "1")
	return err
}

// Focus gives a window the keyboard.
func (s *Screen) Focus(ctx context.Context, window string) error {
	_, err := s.run(ctx, nil, "xdotool", "windowfocus", "--sync", window)
	return err
}

// CloseWindow asks a window to close, as the cross in its corner does. It needs the keyboard's focus.
func (s *Screen) CloseWindow(ctx context.Context, window string) error {
	if err := s.Focus(ctx, window); err != nil {
		return err
	}
	return s.Key(ctx, "alt+F4") // the window manager's key for it
}

// Clipboard puts a text on the clipboard.
func (s *Screen) Clipboard(ctx context.Context, text string) error {
	_, err := s.run(ctx, strings.NewReader(text), "xclip", "-selection", "clipboard", "-silent")
	return err
}

// Shot writes a picture of a window to a PNG file.
func (s *Screen) Shot(ctx context.Context, window, file string) error {
	_, err := s.run(ctx, nil, "import", "-window", window, file)
	return err
}

func (s *Screen) run(ctx context.Context, stdin *strings.Reader, program string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, program, args...)
	c.Env = s.Env()
	if stdin != nil {
		// xclip stays behind to serve the clipboard, so its output must not be waited for.
		c.Stdin = stdin
		return "", c.Run()
	}
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return string(out), nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Close ends everything that was started on the screen, newest first, and the screen.
func (s *Screen) Close() error {
	for i := len(s.procs) - 1; i >= 0; i-- {
		_ = s.procs[i].Process.Kill() // it may have ended by itself
		_ = s.procs[i].Wait()
	}
	s.procs = nil
	return nil
}
