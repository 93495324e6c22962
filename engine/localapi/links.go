package localapi

import (
	"encoding/base64"
	"net/http"

	"github.com/tributary-dl/tributary/engine/api"
)

func (s *Server) probe(w http.ResponseWriter, r *http.Request) {
	var request api.AddRequest
	if !decode(w, r, &request) {
		return
	}
	probe, err := s.service.Probe(r.Context(), request)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, probe)
}

// maxLinkFileBody has room for the longest file as base64 in its JSON.
var maxLinkFileBody = int64(base64.StdEncoding.EncodedLen(api.MaxLinkFile) + 1024)

func (s *Server) readLinkFile(w http.ResponseWriter, r *http.Request) {
	var file api.LinkFile
	if !decodeUpTo(w, r, maxLinkFileBody, &file) {
		return
	}
	linked, err := s.service.ReadLinkFile(r.Context(), file)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, orEmpty(linked))
}
