// Command tributaryctl steers the background service from a terminal or a script: it adds downloads, shows
// them, and changes settings. Everything it does goes through the local API: it must never open what belongs to
// the service.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/command"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return command.Main(ctx, os.Args[1:], command.Terminal{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Size: func() (width, height int, ok bool) {
			width, height, err := term.GetSize(int(os.Stdout.Fd()))
			if width <= 0 || height <= 0 { // a serial line, say, does not know
				width, height = 80, 24
			}
			return width, height, err == nil && os.Getenv("TERM") != "dumb"
		},
		Colour: os.Getenv("NO_COLOR") == "",
		AskSecret: func(prompt string) (string, error) {
			if !term.IsTerminal(int(os.Stdin.Fd())) {
				return "", command.ErrNoTerminal
			}
			fmt.Fprint(os.Stderr, prompt)
			defer fmt.Fprintln(os.Stderr)
			secret, err := term.ReadPassword(int(os.Stdin.Fd()))
			return string(secret), err
		},
	})
}
