package localapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/tributary-dl/tributary/engine/api"
)

// routes is the table of paths and methods; doc.go says what each does.
func (s *Server) routes() http.Handler {
	table := map[string]map[string]http.HandlerFunc{
		"/v1/downloads":             {"GET": s.list, "POST": s.add},
		"/v1/downloads/{id}":        {"GET": s.get, "DELETE": s.remove},
		"/v1/downloads/{id}/pause":  {"POST": s.act(Service.Pause)},
		"/v1/downloads/{id}/resume": {"POST": s.act(Service.Resume)},
		"/v1/downloads/{id}/cancel": {"POST": s.act(Service.Cancel)},
		"/v1/downloads/{id}/move":   {"POST": s.move},
		"/v1/probe":                 {"POST": s.probe},
		"/v1/linkfile":              {"POST": s.readLinkFile},
		"/v1/watch":                 {"GET": s.watch},
		"/v1/status":                {"GET": s.status},
		"/v1/settings":              {"GET": s.settings, "PATCH": s.setSettings},
		"/v1/policy":                {"GET": s.policy},
		"/v1/policy/reload":         {"POST": s.reloadPolicy},
		"/v1/sharing":               {"GET": s.sharing},
		"/v1/sharing/{content}":     {"DELETE": s.stopSharing},
		"/v1/held":                  {"GET": s.held},
		"/v1/doctor":                {"GET": s.doctor},
		"/v1/diagnostics":           {"GET": s.diagnostics},
	}
	mux := http.NewServeMux()
	for path, methods := range table {
		mux.Handle(path, byMethod(methods))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeRefusal(w, refusal{http.StatusNotFound, api.Error{Code: api.ErrNotFound, Message: "no such path in the local API"}})
	})
	return mux
}

// takesBody are the routes whose handler reads a body; all others refuse one rather than ignore it.
var takesBody = map[string]bool{
	"POST /v1/downloads":           true,
	"POST /v1/probe":               true,
	"POST /v1/linkfile":            true,
	"POST /v1/downloads/{id}/move": true,
	"PATCH /v1/settings":           true,
}

// byMethod picks the handler of the request's method, or refuses in the API's own form.
func byMethod(methods map[string]http.HandlerFunc) http.Handler {
	allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handle, known := methods[r.Method]
		if !known {
			w.Header().Set("Allow", allow)
			writeRefusal(w, refusal{http.StatusMethodNotAllowed, api.Error{
				Code: api.ErrInvalid, Message: "this path takes " + allow + " only",
			}})
			return
		}
		if r.ContentLength != 0 && !takesBody[r.Method+" "+r.Pattern] {
			writeRefusal(w, refusal{http.StatusBadRequest, api.Error{Code: api.ErrInvalid, Message: "this request takes no body"}})
			return
		}
		handle(w, r)
	})
}
