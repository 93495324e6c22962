// Command trial plays the laboratory's scenarios with our programs and with those that a user would take instead, and shows
// what came out: a table, JSON, and a page. It needs root for the network namespaces, which it removes however it ends.
// It must never show a figure that was not measured, nor leave out one that is bad.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/tributary-dl/tributary/app/arena"
	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/app/lab"
	"github.com/tributary-dl/tributary/app/scenario"
)

// options are the command line.
type options struct {
	programs string
	only     string
	rivals   string
	runs     int
	out      string
	keep     string
	busy     float64
	slower   float64
	list     bool
	file     string
	table    io.Writer // where tables go
	say      io.Writer // what goes on
}

func main() {
	o := options{table: os.Stdout, say: os.Stderr}
	flag.StringVar(&o.programs, "bin", "bin", "`folder` with the built programs")
	flag.StringVar(&o.only, "only", "", "play only these scenarios, by `names` separated by commas; c means all that begin with c-")
	flag.StringVar(&o.file, "file", "", "play the scenario of this `file` instead of those that come with the program")
	flag.StringVar(&o.rivals, "rivals", "", "only these beside ours, by `names` separated by commas, or none; default: what each scenario says")
	flag.IntVar(&o.runs, "runs", 1, "`times` that each scenario is played; figures are medians")
	flag.StringVar(&o.out, "out", "build/lab", "`folder` for the page and the JSON")
	flag.StringVar(&o.keep, "keep", "", "`folder` that gets each run's data, with the services' debug logs")
	flag.Float64Var(&o.busy, "busy", 0.7, "`share` of the processors' time above which a run is void")
	flag.Float64Var(&o.slower, "slower", 1, "play everything so many `times` slower, for machines that are busy above -busy: rates are divided by it, the members' arrivals and departures take as much longer")
	flag.BoolVar(&o.list, "list", false, "list scenarios and rivals")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := trial(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "trial:", err)
		os.Exit(1)
	}
}

func trial(ctx context.Context, o options) error {
	chosen, err := o.choose()
	if err != nil {
		return err
	}
	if o.list {
		list(o.table, chosen)
		return nil
	}
	programs, err := fleet.FindPrograms(o.programs)
	if err != nil {
		return err
	}
	// What a trial that was killed has left behind.
	if err := lab.Sweep(); err != nil {
		return err
	}
	if o.keep != "" {
		if err := os.MkdirAll(o.keep, 0o700); err != nil {
			return err
		}
	}
	t := &tournament{options: arena.Options{Programs: programs, Keep: o.keep, Busy: o.busy}, runs: o.runs, say: o.say}
	report := report{Slower: o.slower, TCP: lab.TCP()}
	for _, s := range chosen {
		if s, err = s.Slower(o.slower); err != nil {
			return err
		}
		beside, missing, err := rivals(s, o.rivals)
		if err != nil {
			return err
		}
		outcome, err := t.play(ctx, s, beside)
		outcome.Missing = missing
		report.Outcomes = append(report.Outcomes, outcome)
		// What has been measured is shown whatever comes after it.
		if writeErr := report.write(o.out); err != nil || writeErr != nil {
			return errors.Join(context.Cause(ctx), err, writeErr)
		}
		report.Outcomes[len(report.Outcomes)-1].print(o.table, report.conditions())
	}
	report.printOverview(o.table)
	fmt.Fprintf(o.table, "\nThe page: %s\nThe figures: %s\nThe table for RESULTS.md: %s\n", filepath.Join(o.out, pageName),
		filepath.Join(o.out, jsonName), filepath.Join(o.out, tableName))
	return nil
}

// choose returns the scenarios that the command line asks for.
func (o options) choose() ([]scenario.Scenario, error) {
	if o.file != "" {
		f, err := os.Open(o.file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		s, err := scenario.Read(f)
		return []scenario.Scenario{s}, err
	}
	all, err := scenario.All()
	if err != nil {
		return nil, err
	}
	return scenario.Choose(all, words(o.only))
}

// rivals returns who plays beside ours, and who should but is not installed.
func rivals(s scenario.Scenario, asked string) (beside, missing []string, err error) {
	wanted := s.Beside
	if asked == "none" {
		return nil, nil, nil
	}
	if asked != "" {
		wanted = nil
		for _, name := range words(asked) {
			if !slices.Contains(arena.Contestants(), name) {
				return nil, nil, fmt.Errorf("there is no rival %q; there are %s", name, strings.Join(arena.Contestants(), ", "))
			}
			wanted = append(wanted, name)
		}
	}
	for _, name := range wanted {
		if err := arena.Present(name); err != nil {
			missing = append(missing, err.Error())
			continue
		}
		beside = append(beside, name)
	}
	return beside, missing, nil
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func list(w io.Writer, all []scenario.Scenario) {
	for _, s := range all {
		fmt.Fprintf(w, "%-14s %s\n", s.Name, s.Title)
	}
	fmt.Fprintf(w, "\nContestants: %s\n", strings.Join(arena.Contestants(), ", "))
}
