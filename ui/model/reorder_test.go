package model

import (
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// A picture is the queue from its front: a letter a download, older first in the alphabet, with its priority if it is not 0.
func TestReorder(t *testing.T) {
	tests := []struct {
		queue, id string
		by        int
		want      string // the queue afterwards
		changed   int    // how many at most need another priority
	}{
		{"a b c", "a", 1, "b a c", 1},
		{"a b c", "c", -1, "a c b", 1},
		{"a b c d e f g", "b", 1, "a c b d e f g", 2},
		{"a b c d e f g", "f", -1, "a b c d f e g", 2},
		{"a b5 c9", "c", -1, "a c b", 1},
		{"b-3 a c", "a", -1, "a b c", 1},
		{"a b c", "a", -1, "a b c", 0},
		{"a b c", "c", 1, "a b c", 0},
		{"a b c", "x", 1, "a b c", 0},
		{"c-2 b-1 a", "b", 1, "c a b", 1},
	}
	for _, tt := range tests {
		var book Book
		for name := range strings.FieldsSeq(tt.queue) {
			d := api.Download{ID: name[:1], State: api.StateQueued, Added: time.Unix(int64(name[0]), 0)}
			if len(name) > 1 {
				sign := 1
				if name[1] == '-' {
					sign = -1
				}
				d.Priority = sign * int(name[len(name)-1]-'0')
			}
			book.Apply(api.Event{Download: &d})
		}
		changes := Reorder(book.Rows(Query{}), tt.id, tt.by)
		for _, c := range changes {
			moved := *book.Find(c.ID)
			moved.Priority = c.Priority
			book.Apply(api.Event{Download: &moved})
		}
		var got []string
		for _, d := range book.Rows(Query{}) {
			got = append(got, d.ID)
		}
		if strings.Join(got, " ") != tt.want || len(changes) > tt.changed {
			t.Errorf("%q, %s by %d: %q with %v; want %q with %d changes", tt.queue, tt.id, tt.by, got, changes, tt.want, tt.changed)
		}
	}
}
