package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	unseen "github.com/tributary-dl/tributary/app/desktop/screen"
)

// window shows the client's service beside what the terminal says: to the user, or, where there is no display, to a screen in
// memory of which pictures remain.
type window struct {
	program *exec.Cmd
	ended   chan struct{} // closed when the user has closed it, or the pictures are taken
	hidden  *unseen.Screen
	files   []string // the pictures, after ended
	err     error    // why there are none, after ended
}

// openWindow opens the window with a program; nil if there is none. Pictures go into a folder.
func (p *performance) openWindow(ctx context.Context, program, folder string) *window {
	if program == "" {
		return nil
	}
	w := &window{ended: make(chan struct{})}
	if err := w.open(ctx, p.client.daemon.Socket, program, filepath.Join(p.folder, "screen")); err != nil {
		p.say("  (the window could not be opened: %v)", err)
		w.close()
		return nil
	}
	if w.hidden == nil {
		p.say("\n  The window shows the client's side of what follows.")
		go func() { // ends with the window, which close ends
			defer close(w.ended)
			_ = w.program.Wait() // how it ended does not matter to the demo
		}()
		return w
	}
	p.say("\n  There is no display: the window opens on a screen in memory, and pictures of it are saved.")
	go func() { // waited for by whoever opened it
		defer close(w.ended)
		w.files, w.err = w.takePictures(ctx, folder)
	}()
	return w
}

func (w *window) open(ctx context.Context, socket, program, scratch string) error {
	own := filepath.Dir(socket) // where a window keeps its preferences; none of the user's are touched
	if err := os.WriteFile(filepath.Join(own, "desktop.json"), []byte(`{"welcomed":true}`), 0o600); err != nil {
		return err
	}
	args := []string{"--socket", socket, "--data", own, "--alone"}
	var err error
	if os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "" {
		w.program = exec.CommandContext(ctx, program, args...)
		return w.program.Start()
	}
	if w.hidden, err = unseen.Open(scratch); err != nil {
		return err
	}
	w.program, err = w.hidden.Start(program, args...)
	return err
}

func (w *window) takePictures(ctx context.Context, folder string) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	id, err := w.hidden.Window(ctx, "Tributary")
	if err != nil {
		return nil, err
	}
	select { // until there is something to be seen
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(4 * time.Second):
	}
	return w.hidden.Tour(ctx, id, folder, "")
}

// show tells where the pictures are, once the download is over.
func (w *window) show(p *performance) {
	<-w.ended
	if w.err != nil {
		p.say("\nNo pictures of the window: %v", w.err)
		return
	}
	p.say("\nPictures of the window while it downloaded:")
	for _, file := range w.files {
		p.say("  %s", file)
	}
}

// close ends the window.
func (w *window) close() {
	if w.hidden != nil {
		_ = w.hidden.Close()
		return
	}
	if w.program != nil && w.program.Process != nil {
		_ = w.program.Process.Kill() // it may have been closed already
	}
}
