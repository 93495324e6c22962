// Command load is a crowd of clients for measuring a control plane: thousands of real sessions (TLS 1.3 with a
// device key each, WebSocket, protobuf) from one process, which log in, announce, look up and come back after
// a restart as the service does. It runs apart from the server, so that each has its own count of memory and
// processor time. It measures only itself and what it is answered; whoever drives it reads what the server
// used meanwhile. It must never skip what a service does on the wire, nor be part of the product.
//
// It takes commands on standard input, one a line, and answers each with a line of JSON (see result):
//
//	connect N            N sessions are connected, as fast as they are let in
//	announce EACH BATCH  each session announces EACH objects, BATCH in a message
//	lookup SECONDS WANT  sessions look up, in turn, for that long, and want so many peers
//	meet SECONDS WANT    the same, and both ends of each introduction signal to each other
//	await                waits until all sessions are back after a restart of the server
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	data := flag.String("data", "", "the server's `folder`: its CA to trust, its grant key to seal grants with")
	url := flag.String("url", "", "the control plane's base `URL`; its address must be a loopback one")
	objects := flag.Int("objects", 20_000, "how many objects there are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *data, *url, *objects, os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// run obeys commands until there are no more.
func run(ctx context.Context, data, url string, objects int, in io.Reader, out io.Writer) error {
	c, err := newCrowd(data, url, objects)
	if err != nil {
		return err
	}
	defer c.close()
	answers := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		r, err := c.obey(ctx, lines.Text())
		if err != nil {
			return fmt.Errorf("%s: %w", lines.Text(), err)
		}
		if err := answers.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// result is the answer to a command.
type result struct {
	Command       string  `json:"command"`
	Count         int64   `json:"count"`                   // sessions, announced entries or answered look-ups
	Failed        int64   `json:"failed"`                  // attempts that were refused or lost, all of them repeated or left out of Count
	Introductions int64   `json:"introductions,omitempty"` // messages to either end
	Signals       int64   `json:"signals,omitempty"`       // messages relayed to a session
	Seconds       float64 `json:"seconds"`
	CPU           float64 `json:"cpu"`           // seconds of processor time that the crowd itself took
	P50           float64 `json:"p50,omitempty"` // seconds: of an answer, or of being away
	P99           float64 `json:"p99,omitempty"`
}

func (c *crowd) obey(ctx context.Context, line string) (result, error) {
	words := strings.Fields(line)
	var numbers [2]int
	for i, word := range words[min(1, len(words)):] {
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 || i >= len(numbers) {
			return result{}, fmt.Errorf("%q is not an argument", word)
		}
		numbers[i] = n
	}
	if len(words) == 0 {
		return result{}, fmt.Errorf("there is no command")
	}
	c.counts.reset()
	began, cpu := time.Now(), processorTime()
	count, waits, err := c.do(ctx, words[0], numbers[0], numbers[1])
	return result{
		Command: line, Count: count, Failed: c.counts.failed.Load(),
		Introductions: c.counts.introductions.Load(), Signals: c.counts.signals.Load(),
		Seconds: time.Since(began).Seconds(), CPU: processorTime() - cpu,
		P50: quantile(waits, 0.5), P99: quantile(waits, 0.99),
	}, err
}

func (c *crowd) do(ctx context.Context, command string, first, second int) (count int64, waits []time.Duration, err error) {
	c.signalling.Store(command == "meet")
	switch command {
	case "connect":
		return c.connect(ctx, first)
	case "announce":
		return c.announce(ctx, first, second)
	case "lookup", "meet":
		return c.lookup(ctx, time.Duration(first)*time.Second, second)
	case "await":
		return c.await(ctx)
	}
	return 0, nil, fmt.Errorf("the commands are connect, announce, lookup, meet, await")
}
