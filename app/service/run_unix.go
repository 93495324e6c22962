//go:build unix

package service

import (
	"context"
	"os/signal"
	"syscall"
)

// Run runs the program until it ends by itself, or the service manager or the user asks it to end: then
// its context ends, and Run waits for it.
func Run(ctx context.Context, program func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return program(ctx)
}
