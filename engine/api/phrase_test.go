package api_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/tributary-dl/tributary/engine/api"
)

func TestPhraseInEnglish(t *testing.T) {
	inner := api.Say(api.SayNotFound, "host", "a.example")
	tests := []struct {
		phrase api.Phrase
		want   string
	}{
		{inner, "a.example has no such file."},
		{api.Phrase{Code: api.SayStopped, Of: &inner}, "Stopped: a.example has no such file."},
		{api.Say(api.SayComplete, "edge_bytes", "1500000", "peer_bytes", "999"), "Complete: 1.5 MB from the edge, 999 B from peers"},
		{api.Say(api.SayWhyLimit, "rate", "20000000"), "Your limit of 20.0 MB/s."},
		{api.Say(api.SayNotFound, "host", "{{.host}}{{.of}}"), "{{.host}}{{.of}} has no such file."}, // hostile: put in once
		// Whoever tries a server of their own learns which flag it takes.
		{api.Phrase{Code: api.DoAuthority}, "If this is your own server, start the service with the certificate of its authority: tributaryd run --ca FILE."},
		{api.Phrase{Code: "of a later version"}, "of a later version"},
	}
	for _, tt := range tests {
		if got := tt.phrase.English(); got != tt.want {
			t.Errorf("English() = %q; want %q", got, tt.want)
		}
		raw, err := json.Marshal(tt.phrase)
		var back api.Phrase
		if err == nil {
			err = json.Unmarshal(raw, &back)
		}
		if err != nil || back.English() != tt.want {
			t.Errorf("after JSON it is %q, %v; want %q", back.English(), err, tt.want)
		}
	}
}

// Every code has a sentence, and every sentence a code.
func TestPhrasesAreWhole(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "phrase.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Say") && !strings.HasPrefix(spec.Names[0].Name, "Do") {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil || codes[code] {
			t.Errorf("the code %q: twice, or %v", code, err)
		}
		codes[code] = true
		if api.Phrases[code] == "" {
			t.Errorf("%s has no sentence", spec.Names[0].Name)
		}
		return true
	})
	if len(codes) != len(api.Phrases) {
		t.Errorf("%d codes and %d sentences", len(codes), len(api.Phrases))
	}
}
