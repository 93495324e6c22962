// Command tributary is the window: downloads, where their bytes come from, what is shared, the settings. It speaks to
// the service, starts it if none runs, and ends when it is closed; downloads go on without it.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/tributary-dl/tributary/app/desktop"
	"github.com/tributary-dl/tributary/app/desktop/window"
)

func main() {
	var o desktop.Options
	flag.StringVar(&o.Socket, "socket", "", "the service's `SOCKET` (default: the user's own)")
	flag.StringVar(&o.Data, "data", "", "the data `FOLDER` of a service that is started if none answers")
	flag.BoolVar(&o.Alone, "alone", false, "start neither the service nor the tray")
	flag.BoolVar(&o.Paste, "paste", false, "offer what is on the clipboard for download")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "Usage: tributary [flags] [LINK...]\n\nOpens the window. Links are offered for download.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := window.Run(o, flag.Args(), slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		fmt.Fprintln(os.Stderr, "tributary:", err)
		os.Exit(1)
	}
}
