// Command tributaryd is Tributary's background service: it downloads, shares, and answers the local API.
// Programs that show or steer it are others; it needs no display.
package main

import (
	"context"
	"os"

	"golang.org/x/term"

	"github.com/tributary-dl/tributary/app/tributaryd/internal/command"
)

func main() {
	os.Exit(command.Main(context.Background(), os.Args[1:], command.Streams{
		Out: os.Stdout, Err: os.Stderr, Watched: term.IsTerminal(int(os.Stderr.Fd())),
	}))
}
