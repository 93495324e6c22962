package localapi

import (
	"net/http"

	"github.com/tributary-dl/tributary/engine/api"
)

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	who, status := callerOf(r.Context()), s.service.Status()
	status.Machine, status.Administrator = s.machine, s.machine && who.owner == ""
	status.Settings = status.Settings.Redacted()
	if who.owner != "" {
		status.Sharing = who.sharing(s.service.Sharing(), s.service.List())
		status.Sharing.Ledger = nil
	}
	writeJSON(w, http.StatusOK, status)
}

func (s *Server) settings(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.service.Settings().Redacted())
}

func (s *Server) setSettings(w http.ResponseWriter, r *http.Request) {
	var change api.SettingsChange
	if !decode(w, r, &change) {
		return
	}
	settings, err := s.service.SetSettings(r.Context(), change.SettingsPatch, change.Reset...)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, settings.Redacted())
}

func (s *Server) policy(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, orEmpty(s.service.Effective()))
}

func (s *Server) reloadPolicy(w http.ResponseWriter, r *http.Request) {
	s.writeDone(w, r, s.service.ReloadPolicy(r.Context()))
}

func (s *Server) sharing(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, callerOf(r.Context()).sharing(s.service.Sharing(), s.service.List()))
}

func (s *Server) stopSharing(w http.ResponseWriter, r *http.Request) {
	s.writeDone(w, r, s.service.StopSharing(r.Context(), r.PathValue("content")))
}

func (s *Server) held(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, orEmpty(callerOf(r.Context()).held(s.service.Held(), s.service.List())))
}

func (s *Server) doctor(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, orEmpty(s.service.Doctor(r.Context())))
}

func (s *Server) diagnostics(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, orEmpty(s.service.Diagnostics()))
}
