package localapi

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tributary-dl/tributary/engine/api"
)

func (s *Server) list(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, orEmpty(s.service.List()))
}

func (s *Server) add(w http.ResponseWriter, r *http.Request) {
	var request api.AddRequest
	if !decode(w, r, &request) {
		return
	}
	added, err := s.service.Add(r.Context(), request)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, added)
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	detail, err := s.service.Get(r.PathValue("id"))
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, detail)
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	deleteFile, err := fileFlag(r)
	if err == nil {
		err = s.service.Remove(r.Context(), r.PathValue("id"), deleteFile)
	}
	s.writeDone(w, r, err)
}

// fileFlag reads ?file=0|1. Deleting a user's file takes an exact word; anything else is refused.
func fileFlag(r *http.Request) (bool, error) {
	switch r.URL.RawQuery {
	case "", "file=0":
		return false, nil
	case "file=1":
		return true, nil
	}
	return false, &api.Error{Code: api.ErrInvalid, Message: fmt.Sprintf("query %q is not file=0 or file=1", r.URL.RawQuery)}
}

func (s *Server) move(w http.ResponseWriter, r *http.Request) {
	var request api.MoveRequest
	if !decode(w, r, &request) {
		return
	}
	s.writeDone(w, r, s.service.Move(r.Context(), r.PathValue("id"), request.Priority))
}

// act returns the handler of a command that needs only the download's ID.
func (s *Server) act(command func(Service, context.Context, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.writeDone(w, r, command(s.service, r.Context(), r.PathValue("id")))
	}
}

// writeDone answers a command that returns nothing but its error.
func (s *Server) writeDone(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// orEmpty makes JSON show an empty list as [] and not as null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
