package download

import "github.com/tributary-dl/tributary/engine/api"

// allowed says which of the user's commands make sense in which state. Asking for what already holds
// is no error.
var allowed = map[api.State]map[string]bool{
	api.StateQueued:      {"pause": true, "resume": true},
	api.StateResolving:   {"pause": true, "resume": true},
	api.StateDownloading: {"pause": true, "resume": true},
	api.StateFinishing:   {"pause": false, "resume": true},
	api.StateComplete:    {"pause": false, "resume": false},
	api.StatePaused:      {"pause": true, "resume": true},
	api.StateWaiting:     {"pause": true, "resume": true},
	api.StateFailed:      {"pause": false, "resume": true},
}

// Active tells whether a download takes a place in the queue. One that waits for its owner, who may be away for weeks,
// keeps nobody else waiting.
func Active(s api.State, p *api.Problem) bool {
	switch s {
	case api.StateResolving, api.StateDownloading, api.StateFinishing:
		return true
	case api.StateWaiting:
		return p == nil || p.Code != api.CodeNeedsOwner
	}
	return false
}
