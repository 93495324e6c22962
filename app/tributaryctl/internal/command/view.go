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

// newView returns a picture on a terminal, plain lines otherwise. Beside JSON, which is for programs, it only tells on
// standard error what is wrong.
func (a *app) newView() view {
	_, _, terminal := a.Size()
	switch {
	case a.json:
		return &complaints{out: a.Err, troubles: troubles{}}
	case terminal:
		return &picture{app: a, screen: progress.NewScreen(a.Out), downloads: map[string]api.Download{}, troubles: troubles{}}
	}
	return &lines{out: a.Out, told: map[string]string{}, troubles: troubles{}}
}

// troubles knows which problems of each download have been told: each once, until bytes come again.
type troubles map[string]*trouble

type trouble struct {
	bytes int64           // that were there when it came
	told  map[string]bool // problems by code and text
}

// news returns what is to be told of a download's problem in words, "" if nothing is.
func (t troubles) news(d api.Download) string {
	known := t[d.ID]
	if known != nil && known.bytes != d.VerifiedBytes {
		delete(t, d.ID)
		known = nil
	}
	p := d.Problem
	if p == nil || ended(d) || p.Severity == api.SeverityInfo { // none of the server's: an errand of the owner's, which wait does itself
		return ""
	}
	if known == nil {
		known = &trouble{bytes: d.VerifiedBytes, told: map[string]bool{}}
		t[d.ID] = known
	}
	if known.told[p.Code+p.Text] {
		return ""
	}
	known.told[p.Code+p.Text] = true
	text := p.Text
	if p.RetryAt != nil {
		text += " Next try at " + progress.Clock(*p.RetryAt) + "."
	}
	return quote(text)
}

// lasts tells that a download is tried again because of a problem that has been told.
func (t troubles) lasts(d api.Download) bool {
	switch d.State {
	case api.StateWaiting, api.StateQueued, api.StateResolving, api.StateDownloading:
		return t[d.ID] != nil
	}
	return false
}

// complaints tells of problems alone.
type complaints struct {
	out      io.Writer
	troubles troubles
}

func (c *complaints) update(d api.Download) {
	if text := c.troubles.news(d); text != "" {
		fmt.Fprintf(c.out, "tributaryctl: %s: %s\n", quote(nameOf(d)), text)
	}
}

func (c *complaints) remove(id string) { delete(c.troubles, id) }

func (*complaints) close() {}

// picture redraws one line for each download that has not ended.
type picture struct {
	app       *app
	screen    *progress.Screen
	downloads map[string]api.Download
	troubles  troubles
}

func (p *picture) update(d api.Download) {
	p.downloads[d.ID] = d
	if text := p.troubles.news(d); text != "" {
		p.screen.Clear()
		p.app.printf("%s: %s\n", quote(nameOf(d)), text)
	}
	p.draw()
}

func (p *picture) remove(id string) {
	delete(p.troubles, id)
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

// lines prints a line when a download's state changes, and at each tenth of the way: few enough for a log. What is tried
// again and again in vain is told once.
type lines struct {
	out      io.Writer
	told     map[string]string // by ID: what the last line was about
	troubles troubles
}

// lineWidth is the width of lines in a file or a pipe.
const lineWidth = 120

func (l *lines) update(d api.Download) {
	if text := l.troubles.news(d); text != "" {
		fmt.Fprintf(l.out, "%s\n  %s\n", progress.Line(d, progress.Style{Width: lineWidth}), text)
		return
	}
	if l.troubles.lasts(d) {
		return
	}
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
	delete(l.troubles, id)
	fmt.Fprintln(l.out, id+" removed")
}

func (*lines) close() {}
