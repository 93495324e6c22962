// Command benchui measures what window and tray promise, with the real programs, a real service and a real edge, on a screen
// that nobody sees: when the first picture stands, what the tray costs, what an update of the window costs, what 10,000
// rows cost for as long as one likes. It prints a table and JSON. It must never touch the user's own service or
// files, nor fake a figure: what could not be measured is said to be so.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/tributary-dl/tributary/app/fleet"
)

// bench is one run of the command.
type bench struct {
	programs fleet.Programs
	bin      string // their folder, with the window and the tray
	profiled string // the window that writes a profile; "" if it was not built
	checked  string // the window built with the race detector and with the toolkit's checks; "" if it was not
	scratch  string
	minutes  float64
	figures  []figure
}

var measurements = []struct {
	name, about string
	run         func(*bench, context.Context) error
}{
	{"size", "the tray's program", (*bench).size},
	{"tray", "the tray with 20 active downloads", (*bench).tray},
	{"start", "from the start of the window to its first picture", (*bench).start},
	{"update", "one active download in sight, two updates a second", (*bench).update},
	{"rows", "10,000 rows, scrolled, with one active download", (*bench).rows},
	{"threads", "the window under the race detector and the toolkit's own checks", (*bench).threads},
}

func main() {
	b := &bench{}
	flag.StringVar(&b.bin, "bin", "bin", "the `folder` with the built programs")
	flag.StringVar(&b.checked, "checked", "", "the window's `program`, built with -race and without the tag migrated_fynedo")
	flag.StringVar(&b.profiled, "profiled", "", "the window's `program` that writes a profile")
	flag.Float64Var(&b.minutes, "minutes", 2, "how long 10,000 rows are looked at; the promise is about 10")
	only := flag.String("only", "", "measure only these, by `names` separated by commas")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "Usage: benchui [flags]\n\nMeasurements:")
		for _, m := range measurements {
			fmt.Fprintf(os.Stderr, "  %-8s %s\n", m.name, m.about)
		}
		fmt.Fprintln(os.Stderr, "\nFlags:")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := b.all(ctx, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchui:", err)
		os.Exit(1)
	}
}

func (b *bench) all(ctx context.Context, only string) (err error) {
	if b.programs, err = fleet.FindPrograms(b.bin); err != nil {
		return err
	}
	if b.bin, err = filepath.Abs(b.bin); err != nil {
		return err
	}
	for _, program := range []*string{&b.checked, &b.profiled} {
		if *program == "" {
			continue
		}
		if *program, err = filepath.Abs(*program); err != nil {
			return err
		}
	}
	if b.scratch, err = os.MkdirTemp("", "tributary-benchui-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.scratch)
	chosen := strings.Split(only, ",")
	for _, m := range measurements {
		if only != "" && !slices.Contains(chosen, m.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: %s …\n", m.name, m.about)
		if err := m.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	fmt.Print(table(b.figures))
	out, err := json.MarshalIndent(b.figures, "", "  ")
	if err != nil {
		return err
	}
	fmt.Println(string(out))
	return nil
}
