package localapi

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/tributary-dl/tributary/engine/api"
)

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, orEmpty(callerOf(r.Context()).own(s.service.List())))
}

func (s *Server) add(w http.ResponseWriter, r *http.Request) {
	var request api.AddRequest
	if !decode(w, r, &request) {
		return
	}
	added, err := s.addFor(r.Context(), request)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, added)
}

// addFor adds for the user of the service, or for one of the users of the machine.
func (s *Server) addFor(ctx context.Context, request api.AddRequest) (api.Download, error) {
	if !s.machine {
		return s.service.Add(ctx, request)
	}
	file, err := fileOf(ctx, request.Dir, request.Part, false)
	if err != nil {
		return api.Download{}, err
	}
	return s.service.AddFor(ctx, callerOf(ctx).id, file, request)
}

// takeFile returns the handler of a call that an open file comes with: one that the owner has just named, or any other.
func (s *Server) takeFile(named bool, give func(Service, context.Context, string, *os.File, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request api.FileRequest
		if !decode(w, r, &request) {
			return
		}
		id := r.PathValue("id")
		detail, err := s.service.Get(r.Context(), id)
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		dir := ""
		if detail.Errand != nil {
			dir = detail.Errand.Dir
		}
		file, err := fileOf(r.Context(), dir, request.Name, named || detail.State == api.StateComplete)
		if err == nil {
			err = give(s.service, r.Context(), id, file, request.Name)
		}
		s.writeDone(w, r, err)
	}
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	detail, err := s.service.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, detail)
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	deleteFile, err := fileFlag(r)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	s.clearAway(w, r, deleteFile, func(ctx context.Context, id string) error {
		return s.service.Remove(ctx, id, deleteFile)
	})
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request) {
	s.clearAway(w, r, false, s.service.Cancel)
}

// clearAway carries out what removes a download, and says which file is left to its owner to delete.
func (s *Server) clearAway(w http.ResponseWriter, r *http.Request, finished bool, act func(context.Context, string) error) {
	id := r.PathValue("id")
	if !s.machine {
		s.writeDone(w, r, act(r.Context(), id))
		return
	}
	d, err := s.service.Get(r.Context(), id)
	if err == nil {
		err = act(r.Context(), id)
	}
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	left := api.Leftover{Owner: d.Owner, Dir: filepath.Dir(d.Path)}
	switch {
	case d.State != api.StateComplete:
		left.Name = d.Part
	case finished:
		left.Name, left.Bytes = filepath.Base(d.Path), d.TotalBytes
	}
	writeJSON(w, http.StatusOK, left)
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
