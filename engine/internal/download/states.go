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

// Active tells whether a download takes a place in the queue. One that rests, until its next try or for its owner, keeps
// nobody else waiting; it asks for a place again when it may go on.
func Active(s api.State) bool {
	switch s {
	case api.StateResolving, api.StateDownloading, api.StateFinishing:
		return true
	}
	return false
}

// Idle tells whether a download takes a place while nobody sends it anything: no edge answers, and peers are only looked
// for. See Download.Yield.
func Idle(s api.Download) bool {
	return s.State == api.StateDownloading && s.EdgeSilent && s.Problem != nil
}
