//go:build unix

package service

import (
	"context"
	"io"
	"os/signal"
	"syscall"
)

// Run runs the program until it ends by itself, or the service manager or the user asks it to end: then
// its context ends, and Run waits for it. The program writes a line to ready, which is out, when it answers.
func Run(ctx context.Context, out io.Writer, program func(ctx context.Context, ready io.Writer) error) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return program(ctx, out)
}
