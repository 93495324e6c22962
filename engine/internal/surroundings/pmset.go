package surroundings

import (
	"regexp"
	"strconv"
	"strings"
)

var percent = regexp.MustCompile(`InternalBattery.*?(\d{1,3})%`)

// parsePmset reads what `pmset -g batt` prints on macOS. A Mac without a battery has a charge of 100.
func parsePmset(text string) (onBattery bool, charge int) {
	charge = 100
	for line := range strings.Lines(text) {
		onBattery = onBattery || strings.Contains(line, "drawing from 'Battery Power'")
		if m := percent.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1]) // three digits at most
			charge = min(charge, n)
		}
	}
	return onBattery, charge
}
