// Command profiled is the window, which writes where its processor time goes, for measurements. It must never be shipped.
package main

import (
	"errors"
	"flag"
	"log/slog"
	"os"
	"runtime/pprof"
	"time"

	"github.com/tributary-dl/tributary/app/desktop"
	"github.com/tributary-dl/tributary/app/desktop/window"
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	var o desktop.Options
	flag.StringVar(&o.Socket, "socket", "", "the service's `SOCKET`")
	flag.StringVar(&o.Data, "data", "", "the data `FOLDER` of the service")
	flag.BoolVar(&o.Alone, "alone", false, "start neither the service nor the tray")
	file := flag.String("profile", "", "write a profile of the processor to this `FILE`")
	after := flag.Duration("after", 0, "let this much `TIME` pass first")
	span := flag.Duration("for", time.Minute, "how much `TIME` it is about")
	flag.Parse()
	go func() { // as long as the program
		if err := profile(*file, *after, *span); err != nil {
			log.Error("no profile", "err", err)
		}
	}()
	if err := window.Run(o, nil, log); err != nil {
		log.Error("no window", "err", err)
		os.Exit(1)
	}
}

// profile writes to a file that has its name only when it is whole.
func profile(file string, after, span time.Duration) error {
	time.Sleep(after)
	f, err := os.Create(file + ".half")
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	time.Sleep(span)
	pprof.StopCPUProfile()
	return errors.Join(f.Close(), os.Rename(file+".half", file))
}
