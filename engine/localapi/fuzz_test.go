package localapi_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/localapi"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

// FuzzBody sends any body to each route that takes one: it is done, or refused with a reason and without
// a change; never an internal error.
func FuzzBody(f *testing.F) {
	for _, body := range []string{`{"url":"https://a.example/f","headers":{"A":"b"}}`, `{"priority":-1}`, `{"sharing":"lan","max_active":3}`, `{"url":1e999}`, `[[[[`, "\xff\x00", ""} {
		f.Add(body)
	}
	routes := []struct{ method, path string }{{"POST", "/v1/downloads"}, {"POST", "/v1/downloads/d1/move"}, {"PATCH", "/v1/settings"}, {"POST", "/v1/probe"}, {"POST", "/v1/linkfile"}}
	f.Fuzz(func(t *testing.T, body string) {
		for _, route := range routes {
			fake := localapitest.NewFake(api.Detail{Download: api.Download{ID: "d1"}})
			server := localapi.New(fake, slog.New(slog.DiscardHandler))
			request := httptest.NewRequestWithContext(t.Context(), route.method, route.path, bytes.NewReader([]byte(body)))
			request.Host = api.LocalHost
			request.Header.Set("Content-Type", "application/json")
			answer := httptest.NewRecorder()
			server.Answer(answer, request)

			if answer.Code < 300 {
				continue
			}
			var refusal api.Error
			if err := json.Unmarshal(answer.Body.Bytes(), &refusal); err != nil || refusal.Message == "" || answer.Code >= 500 {
				t.Errorf("%s %s with %q = %d %q", route.method, route.path, body, answer.Code, answer.Body)
			}
			if len(fake.Calls()) > 0 {
				t.Errorf("%s %s with %q is refused and changes %q", route.method, route.path, body, fake.Calls())
			}
		}
	})
}
