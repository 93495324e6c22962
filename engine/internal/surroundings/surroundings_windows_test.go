package surroundings

import (
	"log/slog"
	"testing"
)

// Every question gets an answer on a real system, and the answers make sense.
func TestLook(t *testing.T) {
	s := newSystem("")
	defer s.close()
	on, charge, err := s.power(t.Context())
	if err != nil || charge < 0 || charge > 100 {
		t.Errorf("power: battery %v, %d%%, %v", on, charge, err)
	}
	if _, err := s.metered(t.Context()); err != nil {
		t.Logf("metered: %v", err) // Windows 7 does not know it
	}
	if _, err := s.vpn(t.Context()); err != nil {
		t.Errorf("VPN: %v", err)
	}
	New("", slog.New(slog.NewTextHandler(t.Output(), nil))).Close()
}
