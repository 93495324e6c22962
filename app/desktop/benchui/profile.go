package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// accounted is where pprof says how much time it shows.
var accounted = regexp.MustCompile(`(?m)^Showing nodes accounting for ([0-9.]+[a-zµ]*),`)

// shareOfC returns which part of the main goroutine's time was spent in C, that is in OpenGL and the window system.
func shareOfC(ctx context.Context, program, profile string) (float64, error) {
	const drawing = `-focus=window\.Run`
	all, err := top(ctx, program, profile, drawing)
	if err != nil || all == 0 {
		return 0, fmt.Errorf("the profile shows nothing of the main goroutine: %w", err)
	}
	inGo, err := top(ctx, program, profile, drawing, `-ignore=runtime\.cgocall`)
	if err != nil {
		return 0, err
	}
	return 1 - inGo.Seconds()/all.Seconds(), nil
}

func top(ctx context.Context, program, profile string, options ...string) (time.Duration, error) {
	args := append([]string{"tool", "pprof", "-top", "-nodefraction=0", "-nodecount=100000"}, options...)
	out, err := exec.CommandContext(ctx, "go", append(args, program, profile)...).Output()
	if err != nil {
		return 0, fmt.Errorf("read the profile: %w", err)
	}
	found := accounted.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("read the profile: go tool pprof says nothing of %v", options)
	}
	if seconds, err := strconv.ParseFloat(string(found[1]), 64); err == nil { // 0 has no unit
		return time.Duration(seconds * float64(time.Second)), nil
	}
	return time.ParseDuration(string(found[1]))
}
