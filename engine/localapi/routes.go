package localapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/tributary-dl/tributary/engine/api"
)

// access says whom a route is for, where a service works for every user of a machine. To an administrator, and to the
// user of a service of one user, all are open.
type access int

const (
	everyone      access = iota // the answer holds what is the caller's own, or concerns everybody
	owner                       // of the download that the path names; to others it does not exist
	administrator               // what holds for the whole machine is changed, or somebody else's affairs are shown
)

// route is what answers one method of a path.
type route struct {
	access access
	handle http.HandlerFunc
}

// table is the paths and methods, and who may use them; doc.go says what each does.
func (s *Server) table() map[string]map[string]route {
	return map[string]map[string]route{
		"/v1/downloads":             {"GET": {everyone, s.list}, "POST": {everyone, s.add}},
		"/v1/downloads/{id}":        {"GET": {owner, s.get}, "DELETE": {owner, s.remove}},
		"/v1/downloads/{id}/pause":  {"POST": {owner, s.act(Service.Pause)}},
		"/v1/downloads/{id}/resume": {"POST": {owner, s.act(Service.Resume)}},
		"/v1/downloads/{id}/cancel": {"POST": {owner, s.cancel}},
		"/v1/downloads/{id}/move":   {"POST": {owner, s.move}},
		"/v1/downloads/{id}/file":   {"POST": {owner, s.takeFile(false, Service.Hand)}},
		"/v1/downloads/{id}/name":   {"POST": {owner, s.takeFile(true, Service.Named)}},
		"/v1/probe":                 {"POST": {everyone, s.probe}},
		"/v1/linkfile":              {"POST": {everyone, s.readLinkFile}},
		"/v1/watch":                 {"GET": {everyone, s.watch}},
		"/v1/status":                {"GET": {everyone, s.status}},
		"/v1/settings":              {"GET": {everyone, s.settings}, "PATCH": {administrator, s.setSettings}},
		"/v1/policy":                {"GET": {everyone, s.policy}},
		"/v1/policy/reload":         {"POST": {administrator, s.reloadPolicy}},
		"/v1/sharing":               {"GET": {everyone, s.sharing}},
		"/v1/sharing/{content}":     {"DELETE": {administrator, s.stopSharing}},
		"/v1/held":                  {"GET": {everyone, s.held}},
		"/v1/doctor":                {"GET": {everyone, s.doctor}},
		"/v1/diagnostics":           {"GET": {administrator, s.diagnostics}},
	}
}

// routes makes the table answer requests.
func (s *Server) routes() http.Handler {
	table := s.table()
	mux := http.NewServeMux()
	for path, methods := range table {
		mux.Handle(path, s.byMethod(methods))
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
	"POST /v1/downloads/{id}/file": true,
	"POST /v1/downloads/{id}/name": true,
	"PATCH /v1/settings":           true,
}

// byMethod picks the handler of the request's method, or refuses in the API's own form.
func (s *Server) byMethod(methods map[string]route) http.Handler {
	allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, known := methods[r.Method]
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
		if refusal := s.forbids(route.access, r); refusal != nil {
			writeRefusal(w, *refusal)
			return
		}
		route.handle(w, r)
	})
}

// forbids says why a caller may not use a route, nil if they may.
func (s *Server) forbids(to access, r *http.Request) *refusal {
	who := callerOf(r.Context())
	switch {
	case who.owner == "" || to == everyone:
		return nil
	case to == owner:
		id := r.PathValue("id")
		if whose, err := s.service.Owner(id); err != nil || whose != who.owner {
			return &refusal{http.StatusNotFound, api.Error{Code: api.ErrNotFound, Message: "there is no download " + id + " of yours"}}
		}
		return nil
	}
	return &refusal{http.StatusForbidden, api.Error{Code: api.ErrDenied,
		Message: "this holds for the whole machine; ask an administrator: it is for root and the members of the group tributary-admin"}}
}
