package localapi

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// statusOf gives each code of an api.Error its HTTP status. A code that is missing here is a 500.
var statusOf = map[string]int{
	api.ErrInvalid:  http.StatusBadRequest,
	api.ErrNotFound: http.StatusNotFound,
	api.ErrConflict: http.StatusConflict,
	api.ErrDenied:   http.StatusForbidden,
	// The same call succeeds when a file comes with it.
	api.ErrNeedsFile: http.StatusUnprocessableEntity,
}

// writeJSON answers with v. A caller that hung up is not an error of ours.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func writeRefusal(w http.ResponseWriter, r refusal) { writeJSON(w, r.status, r.Error) }

// writeError answers with err. What has no code of ours stays in the log, under an id that the caller
// can quote: it may name files and addresses that help only a developer.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	if known, ok := errors.AsType[*api.Error](err); ok {
		if status, ok := statusOf[known.Code]; ok {
			writeRefusal(w, refusal{status, *known})
			return
		}
	}
	id := rand.Text()[:8]
	s.log.Error("request failed", "id", id, "method", r.Method, "path", r.URL.Path, "err", err)
	writeRefusal(w, refusal{http.StatusInternalServerError, api.Error{
		Code: api.ErrInternal, Message: "internal error (" + id + ")",
	}})
}

// decode reads the request's JSON body into v, or answers why it cannot and returns false. The body
// must be one value without unknown fields: a misspelt option is refused rather than ignored.
func decode(w http.ResponseWriter, r *http.Request, v any) bool {
	return decodeUpTo(w, r, api.MaxBody, v)
}

// decodeUpTo is decode for a body of another length at most, in bytes.
func decodeUpTo(w http.ResponseWriter, r *http.Request, most int64, v any) bool {
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, most))
	body.DisallowUnknownFields()
	err := body.Decode(v)
	if err == nil {
		if _, extra := body.Token(); !errors.Is(extra, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	if err == nil {
		// The whole body is here, so guard's deadline for it is over: it must not end a long request.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		return true
	}
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		writeRefusal(w, refusal{http.StatusRequestEntityTooLarge, api.Error{
			Code: api.ErrInvalid, Message: fmt.Sprintf("the body is longer than %d bytes", most),
		}})
		return false
	}
	writeRefusal(w, refusal{http.StatusBadRequest, api.Error{Code: api.ErrInvalid, Message: bodyFault(err)}})
	return false
}

// bodyFault says in plain words what is wrong with a body, with the field's name where there is one.
func bodyFault(err error) string {
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && kind.Field != "" {
		return fmt.Sprintf("field %q cannot be a %s", kind.Field, kind.Value)
	}
	if errors.Is(err, io.EOF) {
		return "the body is empty"
	}
	return "the body is not what this request takes: " + strings.TrimPrefix(err.Error(), "json: ")
}
