package localapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// watch writes one event a line until the caller leaves or the service stops. A caller that does not
// read stops only its own connection: the service keeps the newest state for it, never a queue.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	every, err := everyOf(r)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if control.Flush() != nil { // the caller knows that the watch stands before the first event
		return
	}
	lines, mine := json.NewEncoder(w), watched{callerOf(r.Context()), map[string]bool{}}
	for events := range s.service.Watch(r.Context(), every) {
		for _, event := range events {
			if mine.sees(event) && lines.Encode(event) != nil {
				return
			}
		}
		if control.Flush() != nil { // once for all: each flush wakes the caller
			return
		}
	}
}

// mostRest is the longest that a caller may want to hear nothing. More is a mistake.
const mostRest = time.Minute

// everyOf reads ?every=2s, the time between two looks at what has changed. Without it changes come as they happen.
func everyOf(r *http.Request) (time.Duration, error) {
	if r.URL.RawQuery == "" {
		return 0, nil
	}
	// A duration needs no escapes, so the query can be read as it is.
	text, named := strings.CutPrefix(r.URL.RawQuery, "every=")
	every, err := time.ParseDuration(text)
	if err != nil || !named || every < 0 || every > mostRest {
		return 0, &api.Error{Code: api.ErrInvalid, Message: fmt.Sprintf("query %q is not every=TIME with a time from 0s to %v", r.URL.RawQuery, mostRest)}
	}
	return every, nil
}
