//go:build race

package manifest

const raceEnabled = true // the race detector's own cost is not what the time limit is about
