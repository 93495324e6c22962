package model

import (
	"slices"

	"github.com/tributary-dl/tributary/engine/api"
)

// Selection is a set of rows by download ID, as file managers have it: a click selects one, Ctrl toggles one,
// Shift selects from the anchor. The zero value is empty.
type Selection struct {
	ids    map[string]bool
	anchor string // where a range begins
	cursor string // the row that keys move from
}

// Has says whether a download is selected.
func (s *Selection) Has(id string) bool { return s.ids[id] }

// Len is the number of selected downloads.
func (s *Selection) Len() int { return len(s.ids) }

// Cursor is the ID of the row that was touched last, or "".
func (s *Selection) Cursor() string { return s.cursor }

// Only selects one download and nothing else.
func (s *Selection) Only(id string) {
	s.ids, s.anchor, s.cursor = map[string]bool{id: true}, id, id
}

// Toggle adds a download or takes it away.
func (s *Selection) Toggle(id string) {
	if s.ids == nil {
		s.ids = map[string]bool{}
	}
	if s.ids[id] {
		delete(s.ids, id)
	} else {
		s.ids[id] = true
	}
	s.anchor, s.cursor = id, id
}

// Extend selects all rows from the anchor to a download.
func (s *Selection) Extend(rows []*api.Download, id string) {
	from, to := index(rows, s.anchor), index(rows, id)
	if from < 0 || to < 0 {
		s.Only(id)
		return
	}
	s.ids, s.cursor = map[string]bool{}, id
	for _, d := range rows[min(from, to) : max(from, to)+1] {
		s.ids[d.ID] = true
	}
}

// All selects every row.
func (s *Selection) All(rows []*api.Download) {
	s.ids = make(map[string]bool, len(rows))
	for _, d := range rows {
		s.ids[d.ID] = true
	}
}

// Clear selects nothing.
func (s *Selection) Clear() { *s = Selection{} }

// Step moves the cursor by some rows and selects where it lands, or with extend all up to there. It returns
// the new row's index, -1 if there are none.
func (s *Selection) Step(rows []*api.Download, by int, extend bool) int {
	if len(rows) == 0 {
		return -1
	}
	at := index(rows, s.cursor)
	if at < 0 && by > 0 {
		at = -1 // the first step down lands on the first row
	}
	at = min(max(at+by, 0), len(rows)-1)
	if extend {
		s.Extend(rows, rows[at].ID)
	} else {
		s.Only(rows[at].ID)
	}
	return at
}

// Prune forgets downloads that no row shows any more.
func (s *Selection) Prune(rows []*api.Download) {
	if len(s.ids) == 0 {
		return
	}
	kept := map[string]bool{}
	for _, d := range rows {
		if s.ids[d.ID] {
			kept[d.ID] = true
		}
	}
	s.ids = kept
}

// Selected returns the selected rows in their order.
func (s *Selection) Selected(rows []*api.Download) []*api.Download {
	var selected []*api.Download
	for _, d := range rows {
		if s.ids[d.ID] {
			selected = append(selected, d)
		}
	}
	return selected
}

func index(rows []*api.Download, id string) int {
	return slices.IndexFunc(rows, func(d *api.Download) bool { return d.ID == id })
}
