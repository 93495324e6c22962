package localapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/localapi"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

// A request is allowed only if nothing about it could have come from a web page or another user. The
// matrix crosses everything such a caller can vary with routes that read, change and watch.
func TestOnlyOwnProgramsAreAnswered(t *testing.T) {
	const ours = "Host: " + api.LocalHost
	callers := []struct {
		name    string
		allowed bool
	}{{"the same user", true}, {"another user", false}}
	headers := []struct {
		lines   string
		allowed bool
	}{
		{ours, true},
		{ours + "\r\nOrigin: https://evil.example", false},
		{ours + "\r\nOrigin: null", false},
		{ours + "\r\nOrigin: http://" + api.LocalHost, false},
		{ours + "\r\nReferer: https://evil.example/page", false},
		{ours + "\r\nReferer:", false},
		{ours + "\r\nSec-Fetch-Site: cross-site", false},
		{ours + "\r\nUpgrade: websocket\r\nOrigin: https://evil.example", false},
		{"Host: localhost", false},
		{"Host: 127.0.0.1", false},
		{"Host: 127.0.0.1:80", false},
		{"Host: 0.0.0.0", false},
		{"Host: [::1]", false},
		{"Host: rebound.evil.example", false},
		{"Host: " + api.LocalHost + ".evil.example", false},
		{"Host: " + api.LocalHost + ":80", false},
		{"Host:", false},
		{ours + "\r\nX-Forwarded-Host: " + api.LocalHost + "\r\nOrigin: https://evil.example", false},
	}
	requests := []struct {
		line, kind, body string
		allowed          bool
	}{
		{"GET /v1/downloads", "", "", true},
		{"GET /v1/status", "", "", true},
		{"POST /v1/downloads", "application/json", `{"url":"https://a.example/f"}`, true},
		{"POST /v1/downloads", "application/json; charset=utf-8", `{"url":"https://a.example/f"}`, true},
		{"POST /v1/downloads", "text/plain", `{"url":"https://a.example/f"}`, false},
		{"POST /v1/downloads", "application/x-www-form-urlencoded", "url=https://a.example/f", false},
		{"POST /v1/downloads", "multipart/form-data; boundary=x", "--x--", false},
		{"POST /v1/downloads", "", `{"url":"https://a.example/f"}`, false},
		{"POST /v1/downloads/d1/pause", "application/json", "", true},
		{"POST /v1/downloads/d1/pause", "", "", false},
		{"POST /v1/downloads/d1/pause", "text/plain", "", false},
		{"PATCH /v1/settings", "application/json", `{"max_active":3}`, true},
		{"PATCH /v1/settings", "text/plain", `{"max_active":3}`, false},
		{"DELETE /v1/downloads/d1", "", "", true},
	}
	var combinations int
	for _, who := range callers {
		for _, h := range headers {
			for _, q := range requests {
				combinations++
				allowed := who.allowed && h.allowed && q.allowed
				raw := q.line + " HTTP/1.1\r\n" + h.lines + "\r\n"
				if q.kind != "" {
					raw += "Content-Type: " + q.kind + "\r\n"
				}
				raw += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(q.body), q.body)
				synctest.Test(t, func(t *testing.T) {
					fake := localapitest.NewFake(api.Detail{Download: api.Download{ID: "d1"}})
					response := exchange(t, fake, who.name, who.allowed, raw)
					if got := response.StatusCode < 300; got != allowed {
						t.Errorf("%s sends\n%s\nand gets %s; allowed should be %v", who.name, raw, response.Status, allowed)
					}
					if !allowed && len(fake.Calls()) > 0 {
						t.Errorf("%s sends\n%s\nand changes something: %q", who.name, raw, fake.Calls())
					}
					if response.Header.Get("Access-Control-Allow-Origin") != "" {
						t.Errorf("%s sends\n%s\nand gets a CORS header", who.name, raw)
					}
				})
			}
		}
	}
	if combinations < 60 {
		t.Errorf("%d combinations; want 60 at least", combinations)
	}
}

// What a web page cannot send may still be nonsense; it gets a sentence and changes nothing.
func TestNonsenseChangesNothing(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	tests := []struct {
		name, line, body string
		status           int
		says             string
	}{
		{"unknown path", "GET /v2/downloads", "", 404, "no such path"},
		{"root", "GET /", "", 404, "no such path"},
		{"dots", "GET /v1/../v1/downloads", "", 404, "no such path"},
		{"trailing slash", "GET /v1/downloads/", "", 404, "no such path"},
		{"absolute form", "GET http://" + api.LocalHost + "/v1/downloads", "", 404, "no such path"},
		{"change by GET", "GET /v1/downloads/d1/pause", "", 405, "takes POST only"},
		{"head", "HEAD /v1/downloads", "", 405, ""},
		{"wrong method", "PUT /v1/settings", "", 405, "takes GET, PATCH only"},
		{"options", "OPTIONS /v1/downloads", "", 405, "takes GET, POST only"},
		{"no such download", "POST /v1/downloads/d9/pause", "", 404, `no download "d9"`},
		{"body where none belongs", "POST /v1/downloads/d1/pause", "{}", 400, "takes no body"},
		{"empty body", "POST /v1/downloads", "", 400, "empty"},
		{"not JSON", "POST /v1/downloads", "url=x", 400, "invalid character"},
		{"cut short", "POST /v1/downloads", `{"url":`, 400, "unexpected EOF"},
		{"misspelt field", "POST /v1/downloads", `{"url":"x","mirors":[]}`, 400, `unknown field "mirors"`},
		{"wrong type", "POST /v1/downloads", `{"url":"x","rate_limit":"10M"}`, 400, `field "rate_limit" cannot be a string`},
		{"a number too large", "POST /v1/downloads", `{"url":"x","rate_limit":1e99}`, 400, `field "rate_limit"`},
		{"a list", "POST /v1/downloads", `[]`, 400, "array"},
		{"two values", "POST /v1/downloads", `{"url":"x"}{"url":"y"}`, 400, "more than one value"},
		{"nested too deep", "POST /v1/downloads", `{"headers":` + deep, 400, "depth"},
		{"too long", "POST /v1/downloads", `{"url":"` + strings.Repeat("x", api.MaxBody) + `"}`, 413, "longer than"},
		{"half a delete", "DELETE /v1/downloads/d1?file=yes", "", 400, "file=yes"},
		{"two deletes", "DELETE /v1/downloads/d1?file=1&file=0", "", 400, "file=1&file=0"},
		{"bad setting", "PATCH /v1/settings", `{"sharing":"wan"}`, 400, "off, lan, on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := localapitest.NewFake(api.Detail{Download: api.Download{ID: "d1"}})
				raw := fmt.Sprintf("%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
					tt.line, api.LocalHost, len(tt.body), tt.body)
				response := exchange(t, fake, "the same user", true, raw)
				var e api.Error
				if tt.says != "" {
					if err := json.NewDecoder(response.Body).Decode(&e); err != nil {
						t.Fatalf("the answer is not an api.Error: %v", err)
					}
				}
				if response.StatusCode != tt.status || !strings.Contains(e.Message, tt.says) {
					t.Errorf("%s %s = %s %q; want %d with %q", tt.line, tt.body[:min(40, len(tt.body))], response.Status, e.Message, tt.status, tt.says)
				}
				if len(fake.Calls()) > 0 {
					t.Errorf("%s changes something: %q", tt.line, fake.Calls())
				}
			})
		})
	}
}

// exchange sends raw bytes to a server of fake over a pipe inside the current bubble, and returns its answer,
// read whole.
func exchange(t *testing.T, fake *localapitest.Fake, who string, allowed bool, raw string) *http.Response {
	t.Helper()
	server := localapi.New(fake, slog.New(slog.DiscardHandler))
	server.Identify(who, allowed)
	l := serve(t, server)
	c := l.dial()
	go func() {
		_, _ = io.WriteString(c, raw) // ends early when the server refuses the rest
	}()
	response, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: strings.Fields(raw)[0]})
	if err != nil {
		t.Fatalf("%.200s: %v", raw, err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%.200s: %v", raw, err)
	}
	response.Body = io.NopCloser(strings.NewReader(string(body)))
	_ = c.Close()
	return response
}
