// Command tributary-tray is the icon in the tray: state, menu, notifications. It opens the window on demand and costs next
// to nothing while it waits. Quitting it leaves the service running.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/tributary-dl/tributary/app/desktop"
	"github.com/tributary-dl/tributary/app/desktop/tray"
)

func main() {
	var o desktop.Options
	flag.StringVar(&o.Socket, "socket", "", "the service's `SOCKET` (default: the user's own)")
	flag.StringVar(&o.Data, "data", "", "the data `FOLDER` of the service (default: the user's own)")
	flag.Parse()
	if err := tray.Run(o, slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		fmt.Fprintln(os.Stderr, "tributary-tray:", err)
		os.Exit(1)
	}
}
