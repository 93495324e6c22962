package localapi

import (
	"encoding/json"
	"net/http"
)

// watch writes one event a line until the caller leaves or the service stops. A caller that does not
// read stops only its own connection: the service keeps the newest state for it, never a queue.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if control.Flush() != nil { // the caller knows that the watch stands before the first event
		return
	}
	lines := json.NewEncoder(w)
	for event := range s.service.Watch(r.Context()) {
		if lines.Encode(event) != nil || control.Flush() != nil {
			return
		}
	}
}
