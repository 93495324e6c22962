package localapi_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/localapi"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

// Users of the machine, as the kernel tells of them. Ann has the download d1.
var (
	ann    = localapi.Peer{UID: 1001}
	bob    = localapi.Peer{UID: 1002}
	admin  = localapi.Peer{UID: 1003, Administrator: true}
	nobody = localapi.Peer{UID: 65534, Nobody: true}
)

// Each route × who asks: what is answered. A route that is missing here, or too much, is an error.
func TestWhoMayDoWhat(t *testing.T) {
	const (
		own   = "200 404 200 403" // ann, bob, an administrator, somebody whom the system cannot name
		all   = "200 200 200 403"
		admin = "403 403 200 403"
	)
	table := map[string]struct{ body, answers string }{
		"GET /v1/downloads":              {"", all},
		"POST /v1/downloads":             {`{"url":"https://a.example/f"}`, "422 422 422 403"}, // without a file
		"GET /v1/downloads/{id}":         {"", own},
		"DELETE /v1/downloads/{id}":      {"", own},
		"POST /v1/downloads/{id}/pause":  {"", "204 404 204 403"},
		"POST /v1/downloads/{id}/resume": {"", "204 404 204 403"},
		"POST /v1/downloads/{id}/cancel": {"", own},
		"POST /v1/downloads/{id}/move":   {`{"priority":1}`, "204 404 204 403"},
		"POST /v1/downloads/{id}/file":   {`{"name":"f"}`, "422 404 422 403"},
		"POST /v1/downloads/{id}/name":   {`{"name":"f"}`, "422 404 422 403"},
		"POST /v1/probe":                 {`{}`, "400 400 400 403"}, // there is nothing to look at
		"POST /v1/linkfile":              {`{}`, "400 400 400 403"},
		"GET /v1/watch":                  {"", all},
		"GET /v1/status":                 {"", all},
		"GET /v1/settings":               {"", all},
		"PATCH /v1/settings":             {`{"sharing":"on"}`, admin},
		"GET /v1/policy":                 {"", all},
		"POST /v1/policy/reload":         {"", "403 403 204 403"},
		"GET /v1/sharing":                {"", all},
		"DELETE /v1/sharing/{content}":   {"", "403 403 204 403"},
		"GET /v1/held":                   {"", all},
		"GET /v1/doctor":                 {"", all},
		"GET /v1/diagnostics":            {"", admin},
	}
	routes := localapi.ForMachine(localapitest.NewFake(), slog.New(slog.DiscardHandler)).Table()
	for _, route := range routes {
		if _, known := table[route]; !known {
			t.Errorf("nobody has decided who may %s", route)
		}
	}
	for route, cell := range table {
		if !slices.Contains(routes, route) {
			t.Errorf("there is no %s any more", route)
			continue
		}
		var answers []string
		for _, who := range []localapi.Peer{ann, bob, {UID: 1003, Administrator: true}, nobody} {
			answers = append(answers, ask(t, who, strings.NewReplacer("{id}", "d1", "{content}", "c1").Replace(route), cell.body, nil))
		}
		if got := strings.Join(answers, " "); got != cell.answers {
			t.Errorf("%s answers ann, bob, an administrator and nobody with %s; want %s", route, got, cell.answers)
		}
	}
}

// ask sends one request for a user to a service with downloads of ann's and bob's, and returns the status. seen gets the
// answer, up to the end of what is there at once.
func ask(t *testing.T, who localapi.Peer, route, body string, seen *string) (status string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fake := localapitest.NewFake(
			api.Detail{Download: api.Download{ID: "d1", Owner: "1001", ContentID: "c1", Path: "/home/ann/f", State: api.StatePaused}},
			api.Detail{Download: api.Download{ID: "d2", Owner: "1002", ContentID: "c2", Path: "/home/bob/secret", State: api.StateComplete, Shared: true, TotalBytes: 7}})
		fake.SharingNow = api.SharingStatus{HeldObjects: 1, HeldBytes: 7, Today: 9, Week: 9, Month: 9,
			Ledger: []api.LedgerEntry{{Day: "2026-01-01", ContentID: "c2", Name: "secret", Bytes: 9}}}
		server := localapi.ForMachine(fake, slog.New(slog.DiscardHandler))
		server.IdentifyPeer(who)
		c := serve(t, server).dial()
		raw := fmt.Sprintf("%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", route, api.LocalHost, len(body), body)
		go func() { _, _ = io.WriteString(c, raw) }()
		response, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: strings.Fields(route)[0]})
		if err != nil {
			t.Fatalf("%s: %v", route, err)
		}
		status = fmt.Sprint(response.StatusCode)
		if seen != nil {
			text := make(chan string)
			go func() {
				all, _ := io.ReadAll(response.Body) // a watch ends with the connection
				text <- string(all)
			}()
			synctest.Wait()
			_ = c.Close()
			*seen = <-text
		}
		_ = c.Close()
	})
	return status
}

// What ann may ask, she is told of her own alone; an administrator is told of all.
func TestAnswersHoldOnesOwn(t *testing.T) {
	for _, route := range []string{"GET /v1/downloads", "GET /v1/watch", "GET /v1/sharing", "GET /v1/status"} {
		for who, sees := range map[localapi.Peer]bool{ann: false, admin: true} {
			var answer string
			ask(t, who, route, "", &answer)
			if strings.Contains(answer, "secret") != sees && route != "GET /v1/status" {
				t.Errorf("%s tells %+v of bob's secret: %v; want %v\n%s", route, who, !sees, sees, answer)
			}
			if strings.Contains(route, "s/") || route == "GET /v1/sharing" {
				if got := strings.Contains(answer, `"today":9`); got != sees {
					t.Errorf("%s tells %+v what bob's objects sent: %v; want %v", route, who, got, sees)
				}
			}
		}
	}
}
