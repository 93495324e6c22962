package localapi

import (
	"mime"
	"net/http"
	"path"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// guard refuses what must not reach a handler, before anything is routed: other users, web pages
// (CSRF, DNS rebinding) and requests whose meaning could be read in two ways.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// net/http reads the rest of a body even after a refusal, and would wait for it for ever.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
		}
		if refusal := refuse(r); refusal != nil {
			w.Header().Set("Connection", "close")
			writeRefusal(w, *refusal)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refusal is an answer that needs no engine.
type refusal struct {
	status int
	api.Error
}

func refuse(r *http.Request) *refusal {
	denied := func(message string) *refusal {
		return &refusal{http.StatusForbidden, api.Error{Code: api.ErrDenied, Message: message}}
	}
	if who := callerOf(r.Context()); !who.allowed {
		return denied("this service is not for " + who.name)
	}
	// A browser sends at least one of these with every request that a page can make it send across origins.
	for _, header := range []string{"Origin", "Referer", "Sec-Fetch-Site"} {
		if _, present := r.Header[header]; present {
			return denied("requests from web pages are refused (" + header + ")")
		}
	}
	if r.Host != api.LocalHost {
		return denied("the Host of a request must be " + api.LocalHost)
	}
	if r.URL.IsAbs() || r.URL.Path != path.Clean(r.URL.Path) {
		return &refusal{http.StatusNotFound, api.Error{Code: api.ErrNotFound, Message: "no such path in the local API"}}
	}
	// A form can send only text/plain, multipart and urlencoded bodies. Asking for JSON even where there
	// is no body shuts out forms altogether.
	if r.Method == http.MethodPost || r.Method == http.MethodPatch {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || kind != "application/json" {
			return &refusal{http.StatusUnsupportedMediaType, api.Error{Code: api.ErrInvalid, Message: "the content type must be application/json"}}
		}
	}
	return nil
}
