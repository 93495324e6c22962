package ui

import "testing"

// Where a tray shows that downloads go on, the window closes at once; elsewhere it says so first, once.
func TestClosing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		trayed bool
		told   bool
		button string // that is pressed when something is told
		quits  bool
	}{
		{"with a tray", true, false, "", true},
		{"without one, for the first time", false, false, "Close", true},
		{"without one, kept", false, false, "Keep the window", false},
		{"without one, when it is known", false, true, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			prefs := welcomed
			prefs.ToldAboutClose = tt.told
			s := newStage(t, large, prefs)
			s.service.trayed = tt.trayed
			s.tell(running)
			quit := false
			s.Closing(func() { quit = true })
			s.settle()
			if told := s.modal != nil; told != (tt.button != "") {
				t.Fatalf("something is told: %v", told)
			}
			if tt.button != "" {
				if quit {
					t.Error("the window closes before anything can be read")
				}
				s.press(t, tt.button)
				if n := len(s.saved); n != 1 || !s.saved[0].ToldAboutClose {
					t.Errorf("saved %+v", s.saved)
				}
			}
			if quit != tt.quits {
				t.Errorf("quit is %v", quit)
			}
		})
	}
}
