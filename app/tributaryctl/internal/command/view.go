package command

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/progress"
	"github.com/tributary-dl/tributary/engine/api"
)

// view shows how downloads go on.
type view interface {
	update(d api.Download)
	remove(id string)
	close()
}

// newView returns a picture on a terminal, plain lines otherwise, and nothing beside JSON, which is for
// programs.
func (a *app) newView() view {
	_, _, terminal := a.Size()
	switch {
	case a.json:
		return silence{}
	case terminal:
		return &picture{app: a, screen: progress.NewScreen(a.Out), downloads: map[string]api.Download{}}
	}
	return &lines{out: a.Out, told: map[string]string{}}
}

type silence struct{}

func (silence) update(api.Download) {}
func (silence) remove(string)       {}
func (silence) close()              {}

// picture redraws one line for each download that has not ended.
type picture struct {
	app       *app
	screen    *progress.Screen
	downloads map[string]api.Download
}

func (p *picture) update(d api.Download) {
	p.downloads[d.ID] = d
	p.draw()
}

func (p *picture) remove(id string) {
	delete(p.downloads, id)
	p.draw()
}

func (p *picture) draw() {
	width, height, ok := p.app.Size()
	if !ok {
		return
	}
	inOrder := slices.SortedFunc(maps.Values(p.downloads), func(x, y api.Download) int {
		return cmp.Or(x.Added.Compare(y.Added), cmp.Compare(x.ID, y.ID))
	})
	var block []string
	for _, d := range inOrder {
		block = append(block, progress.Line(d, progress.Style{Width: width, Colour: p.app.Colour}))
	}
	p.screen.Draw(block, height)
}

func (p *picture) close() { p.screen.Clear() }

// lines prints a line when a download's state changes, and at each tenth of the way: few enough for a log.
type lines struct {
	out  io.Writer
	told map[string]string // by ID: what the last line was about
}

// lineWidth is the width of lines in a file or a pipe.
const lineWidth = 120

func (l *lines) update(d api.Download) {
	about := string(d.State)
	if d.State == api.StateDownloading && d.TotalBytes > 0 {
		about = fmt.Sprintf("%s %d", about, 10*d.VerifiedBytes/d.TotalBytes)
	}
	if l.told[d.ID] == about {
		return
	}
	l.told[d.ID] = about
	fmt.Fprintln(l.out, progress.Line(d, progress.Style{Width: lineWidth}))
}

func (l *lines) remove(id string) {
	delete(l.told, id)
	fmt.Fprintln(l.out, id+" removed")
}

func (*lines) close() {}
