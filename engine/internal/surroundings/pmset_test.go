package surroundings

import "testing"

func TestParsePmset(t *testing.T) {
	tests := []struct {
		text    string
		battery bool
		charge  int
	}{
		{"Now drawing from 'Battery Power'\n -InternalBattery-0 (id=4653155)\t57%; discharging; 3:12 remaining present: true\n", true, 57},
		{"Now drawing from 'AC Power'\n -InternalBattery-0 (id=4653155)\t100%; charged; 0:00 remaining present: true\n", false, 100},
		{"Now drawing from 'AC Power'\n", false, 100},
		{"", false, 100},
	}
	for _, tt := range tests {
		if on, charge := parsePmset(tt.text); on != tt.battery || charge != tt.charge {
			t.Errorf("%q: battery %v, %d%%; want %v, %d%%", tt.text, on, charge, tt.battery, tt.charge)
		}
	}
}
