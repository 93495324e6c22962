package say

import (
	"strconv"
	"strings"

	"fyne.io/fyne/v2/lang"

	"github.com/tributary-dl/tributary/engine/api"
)

// Phrase says a sentence of the service in the user's language. english is what the service says itself: it stands for
// a phrase that this program does not know.
func Phrase(p api.Phrase, english string) string {
	template, known := api.Phrases[p.Code]
	if !known {
		return english
	}
	values := map[string]any{}
	for name, value := range p.Args {
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err == nil && strings.HasSuffix(name, "bytes"):
			value = Bytes(n)
		case err == nil && strings.HasSuffix(name, "rate"):
			value = Rate(n)
		}
		values[name] = value
	}
	if p.Of != nil {
		values["of"] = Phrase(*p.Of, p.Of.English())
	}
	return lang.X("service."+p.Code, template, values)
}

// Rests says why sharing rests; nothing if it does not.
func Rests(s api.SharingStatus) string {
	if s.Paused == nil {
		return s.PausedWhy
	}
	return Phrase(*s.Paused, s.PausedWhy)
}

// ProblemText says what happened, and what to do.
func ProblemText(p *api.Problem) string {
	text := Phrase(p.Say, p.Text)
	if p.Remedy != "" {
		text += " " + Phrase(p.Do, p.Remedy)
	}
	return text
}
