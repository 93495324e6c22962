package ui

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/add"
	"github.com/tributary-dl/tributary/ui/model"
)

// typingPause is how long a link must stand unchanged before its server is asked what it is.
const typingPause = 400 * time.Millisecond

// probesAtOnce bounds how many servers are asked at the same time.
const probesAtOnce = 3

// OpenLinks opens the dialog for adding with what came from the clipboard, a second start or a drop: links, or paths of
// files that name downloads.
func (u *UI) OpenLinks(text string) {
	var paths, rest []string
	if len(text) <= model.MaxPaste {
		for line := range strings.Lines(text) {
			if path, ok := model.LinkFile(line); ok {
				paths = append(paths, path)
			} else {
				rest = append(rest, line)
			}
		}
	}
	if len(paths) == 0 {
		u.openAdd(add.Offer{Text: text})
		return
	}
	u.openFiles(paths, model.ParseLinks(strings.Join(rest, "")).URLs)
}

// openFiles reads files as the user and has the service say what they name; links come on top.
func (u *UI) openFiles(paths, links []string) {
	var wishes []model.Wish
	u.run(func(ctx context.Context) error {
		for _, path := range paths {
			data, err := u.cfg.Desktop.ReadLinkFile(path)
			if err != nil {
				return err
			}
			linked, err := u.cfg.Service.ReadLinkFile(ctx, data)
			if err != nil {
				return err
			}
			wishes = append(wishes, model.WishesIn(linked)...)
		}
		return nil
	}, func() {
		u.openAdd(add.Offer{Wishes: append(wishes, model.WishesOf(links)...), Source: filepath.Base(paths[0])})
	})
}

func (u *UI) openAdd(o add.Offer) {
	u.closeModal()
	u.dialog = add.Show(u.cfg.Window.Canvas(), add.Actions{Add: u.add, ChooseFolder: u.chooseFolder, Known: u.withLink, Probe: u.probe}, o, u.status.Settings.Dir)
	u.modal = u.dialog.Modal
	u.modal.OnClose(func() {
		u.probing()
		u.modal = nil
		u.refocus()
	})
}

func (u *UI) withLink(url string) *api.Download {
	for _, d := range u.book.Rows(model.Query{}) {
		if d.URL == url {
			return d
		}
	}
	return nil
}

// probe asks what requests lead to, once nothing else has been asked for a while. What was asked before is dropped.
func (u *UI) probe(requests []api.AddRequest, answer func(i int, p api.Probe, fault string)) {
	u.probing()
	ctx, cancel := context.WithCancel(u.ctx)
	u.probing = cancel
	if len(requests) == 0 {
		return
	}
	u.wg.Go(func() {
		wait(ctx, u.probeLag)
		var asking sync.WaitGroup
		slots := make(chan struct{}, probesAtOnce)
		for i, r := range requests {
			slots <- struct{}{}
			asking.Go(func() {
				defer func() { <-slots }()
				if ctx.Err() != nil {
					return
				}
				p, err := u.cfg.Service.Probe(ctx, r)
				u.later(func() {
					if ctx.Err() != nil {
						return // somebody typed on, or closed the dialog
					}
					fault := ""
					if err != nil {
						fault = sentence(err)
					}
					answer(i, p, fault)
				})
			})
		}
		asking.Wait()
	})
}

// add asks for downloads one after the other; the first refusal ends it and is told.
func (u *UI) add(requests []api.AddRequest, answer func(refusal string)) {
	u.wg.Go(func() {
		var added, refusal string
		for _, r := range requests {
			d, err := u.cfg.Service.Add(u.ctx, r)
			if err != nil {
				refusal = sentence(err)
				break
			}
			added = d.ID
		}
		u.later(func() {
			answer(refusal)
			if added != "" {
				u.turnTo(pageDownloads)
				u.bar.filter(model.FilterAll)
				u.list.Select(added)
			}
		})
	})
}

// dropped takes links and files that were dropped on the window.
func (u *UI) dropped(what []fyne.URI) {
	var text []string
	for _, w := range what {
		line := w.String()
		if w.Scheme() == "file" {
			line, _ = model.Undrop(w.Path())
		}
		text = append(text, line)
	}
	u.OpenLinks(strings.Join(text, "\n"))
}
