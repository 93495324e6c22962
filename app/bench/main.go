// Command bench measures what the product promises, with the real programs, and prints a table and JSON. It
// compares with what a user would take instead (curl, aria2c) in paired runs, and quotes medians and
// ratios: absolute times say more about the machine than about us. It needs root for the shaped links,
// which are network namespaces that it makes and removes. It must never fake a figure: what could not be
// measured is said to be so.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/tributary-dl/tributary/app/fleet"
)

// bench is one run of the command.
type bench struct {
	programs fleet.Programs
	runs     int
	size     int64  // bytes of the object in the large transfers
	logLevel string // of the services; "" is the default
	natPairs string // "" is all
	natLoss  bool   // the homes of natPairs lose packets
	scratch  string // folder for data and downloads
	figures  []figure
}

var measurements = []struct {
	name, about string
	run         func(*bench, context.Context) error
}{
	{"loopback", "edge only, loopback, against curl and aria2c", (*bench).loopback},
	{"shaped", "edge only at 50, 200 and 1000 Mbit/s, against curl and aria2c", (*bench).shaped},
	{"strong", "link 80, edge 40, four peers of 20 Mbit/s, policy speed", (*bench).strongPeers},
	{"weak", "link 80, edge 40, two peers of 10 Mbit/s, policy speed", (*bench).weakPeers},
	{"offload", "link 80, edge 40, two peers of 10 Mbit/s, policy offload", (*bench).offload},
	{"killed", "all peers killed at half", (*bench).peersKilled},
	{"link", "one peer over ICE and QUIC, unshaped", (*bench).peerLink},
	{"idle", "the service at rest, and with 20 shared objects", (*bench).idle},
	{"nat", "who meets whom: all pairs of NATs, one LAN, lost packets", (*bench).meetings},
	{"control", "the control plane under 10,000 sessions", (*bench).controlPlane},
	{"crash", "kill -9 at a random moment, resume", (*bench).crash},
}

func main() {
	b := &bench{}
	programs := flag.String("bin", "bin", "the `folder` with the built programs")
	only := flag.String("only", "", "measure only these, by `names` separated by commas")
	keep := flag.Bool("keep", false, "keep the services' folders with their logs, and say where")
	asJSON := flag.Bool("json", false, "print JSON only")
	flag.StringVar(&b.natPairs, "pairs", "", "of nat play only these `pairs`, such as fullcone-portrej,portcone-portcone; one named twice is played twice")
	flag.BoolVar(&b.natLoss, "loss", false, "let the homes of -pairs lose packets")
	flag.IntVar(&b.runs, "runs", 3, "paired runs of each measurement")
	size := flag.Int64("size", 1<<30, "`bytes` of the large object")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "Usage: bench [flags]\n\nMeasurements:")
		for _, m := range measurements {
			fmt.Fprintf(os.Stderr, "  %-9s %s\n", m.name, m.about)
		}
		fmt.Fprintln(os.Stderr, "\nFlags:")
		flag.PrintDefaults()
	}
	flag.Parse()
	b.size = *size
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := b.all(ctx, *programs, *only, *asJSON, *keep)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) all(ctx context.Context, programs, only string, asJSON, keep bool) (err error) {
	if b.programs, err = fleet.FindPrograms(programs); err != nil {
		return err
	}
	if b.scratch, err = os.MkdirTemp(fleet.Roomiest(6*b.size), "tributary-bench-"); err != nil {
		return err
	}
	if keep {
		fmt.Fprintln(os.Stderr, "folders:", b.scratch)
		b.logLevel = "debug"
	} else {
		defer os.RemoveAll(b.scratch)
	}
	chosen := strings.Split(only, ",")
	for _, m := range measurements {
		if only != "" && !slices.Contains(chosen, m.name) {
			continue
		}
		if !asJSON {
			fmt.Fprintf(os.Stderr, "%s: %s …\n", m.name, m.about)
		}
		before := len(b.figures)
		if err := m.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if !asJSON {
			fmt.Fprint(os.Stderr, table(b.figures[before:])) // a long run may be stopped
		}
	}
	if !asJSON {
		fmt.Print(table(b.figures))
	}
	out, err := json.MarshalIndent(b.figures, "", "  ")
	if err != nil {
		return err
	}
	fmt.Println(string(out))
	return nil
}
