// Command demo shows the product to a stranger in about two minutes: one file, one edge server with
// little capacity, three peers at home behind routers, one client that takes the file from all of them
// at once. It runs the real programs, with root in a network laboratory, else on the loopback
// interface, and removes everything it made. It must never touch the user's own service or files.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var o options
	flag.StringVar(&o.file, "file", "", "the `file` to publish and download (default: an archive of the Go installation)")
	flag.StringVar(&o.programs, "bin", "bin", "the `folder` with the built programs")
	flag.StringVar(&o.cache, "cache", "build", "the `folder` that keeps the archive for the next time")
	flag.BoolVar(&o.loopback, "loopback", false, "use the loopback interface even when root")
	flag.StringVar(&o.window, "window", "", "also show the client's downloads with this `program`, the built window")
	flag.StringVar(&o.pictures, "pictures", "build/demo-window", "the `folder` for pictures of the window where there is no display")
	get := flag.String("get", "", "only download this `URL` plainly and print its SHA-256 (the demo calls itself so)")
	ca := flag.String("ca", "", "with -get: trust the certificate in this `file`")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *get != "" {
		err = plainGet(ctx, *get, *ca, os.Stdout)
	} else {
		err = show(ctx, o, newScreen(os.Stdout))
	}
	stopped := ctx.Err() != nil
	stop()
	if stopped {
		fmt.Fprintln(os.Stderr, "\nStopped. Everything that the demo made has been removed.")
		os.Exit(130)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nThe demo stopped: %v\n", err)
		os.Exit(1)
	}
}
