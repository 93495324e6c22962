package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/engine/api"
)

const restTime = time.Minute

// idle measures the service at rest, without and with shared objects.
func (b *bench) idle(ctx context.Context) error {
	onDisk, err := os.MkdirTemp("", "tributary-bench-") // the kernel does not count writes to memory
	if err != nil {
		return err
	}
	defer os.RemoveAll(onDisk)
	defer func(before string) { b.scratch = before }(b.scratch)
	b.scratch = onDisk
	here := fleet.ThisMachine{}
	c, _, err := b.publisher(ctx, here, "127.0.0.1:0", 1<<20, "")
	if err != nil {
		return err
	}
	defer c.Stop()
	for _, shared := range []int{0, 20} {
		d, err := b.service(ctx, here, c, api.SharingOn)
		if err != nil {
			return err
		}
		err = b.rest(ctx, c, d, shared)
		d.Stop()
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) rest(ctx context.Context, c *fleet.Control, d *fleet.Daemon, shared int) error {
	for i := range shared {
		file := filepath.Join(b.scratch, fmt.Sprintf("shared%d.bin", i))
		if err := writeNoise(file, int64(5<<20+i)); err != nil {
			return err
		}
		urls, err := c.Publish(ctx, "", file)
		os.Remove(file)
		if err != nil {
			return err
		}
		if _, _, err := download(ctx, d, urls[0]); err != nil {
			return err
		}
	}
	select { // what the downloads left behind settles
	case <-time.After(10 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	before, err := usageOf(d.PID())
	if err != nil {
		return err
	}
	select {
	case <-time.After(restTime):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := usageOf(d.PID())
	if err != nil {
		return err
	}
	name := fmt.Sprintf("at rest, %d shared objects: ", shared)
	b.atMost(name+"memory", "MB", 40, []float64{float64(after.rss) / 1e6}, "resident")
	b.atMost(name+"processor", "%", 0.2, []float64{100 * (after.cpu - before.cpu) / restTime.Seconds()}, "of a core")
	b.atMost(name+"writes to disk", "KiB/min", 64, []float64{float64(after.written-before.written) / 1024}, "a write to the state database is about 16 KiB")
	return nil
}

type usage struct {
	rss     int64   // bytes
	peak    int64   // bytes: the largest rss so far
	cpu     float64 // seconds
	written int64   // bytes, to disks
}

// usageOf reads what the kernel counts of a process (proc(5)).
func usageOf(pid int) (u usage, err error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	cpu, err := fleet.CPUTime(pid)
	if err != nil {
		return u, err
	}
	u.cpu = cpu.Seconds()
	if u.rss, err = procNumber(dir+"status", "VmRSS:"); err != nil {
		return u, err
	}
	if u.peak, err = procNumber(dir+"status", "VmHWM:"); err != nil {
		return u, err
	}
	u.rss, u.peak = u.rss*1024, u.peak*1024
	u.written, err = procNumber(dir+"io", "write_bytes:")
	return u, err
}

func procNumber(path, key string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), key); ok {
			return strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, key)
}

// crash kills the service at a random moment of a download and counts what the edge sends again.
func (b *bench) crash(ctx context.Context) error {
	here := fleet.ThisMachine{}
	const size, piece = 256 << 20, 1 << 20
	c, url, err := b.publisher(ctx, here, "127.0.0.1:0", size, "")
	if err != nil {
		return err
	}
	defer c.Stop()
	log := filepath.Join(filepath.Dir(c.CA()), "edge-log.jsonl")
	var refetched []float64
	for range b.runs {
		before, err := sentBytes(log)
		if err != nil {
			return err
		}
		if err := b.crashOnce(ctx, c, url, size); err != nil {
			return err
		}
		time.Sleep(2 * time.Second) // the log is flushed every second
		after, err := sentBytes(log)
		if err != nil {
			return err
		}
		refetched = append(refetched, float64(after-before-size)/piece)
	}
	b.atMost("kill -9 and resume: sent again by the edge", "pieces", 64, refetched, "as the edge's log says")
	return nil
}

// sentBytes adds up what an edge's log says was sent of objects.
func sentBytes(log string) (sum int64, err error) {
	f, err := os.Open(log)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var entry struct {
			Content string
			Sent    int64
		}
		if err := d.Decode(&entry); errors.Is(err, io.EOF) {
			return sum, nil
		} else if err != nil {
			return 0, err
		}
		if entry.Content != "" {
			sum += entry.Sent
		}
	}
}

func (b *bench) crashOnce(ctx context.Context, c *fleet.Control, url string, size int64) error {
	dir, err := os.MkdirTemp(b.scratch, "crash-")
	if err != nil {
		return err
	}
	here := fleet.ThisMachine{}
	options := fleet.DaemonOptions{Data: dir, CA: c.CA(), Loopback: true}
	d, err := b.programs.Daemon(here, options)
	if err != nil {
		return err
	}
	defer func() { d.Stop() }()
	limit, off := int64(100<<20), api.SharingOff
	if _, err := d.SetSettings(ctx, api.SettingsPatch{Dir: &dir, DownloadLimit: &limit, Sharing: &off}); err != nil {
		return err
	}
	added, err := d.Add(ctx, api.AddRequest{URL: url})
	if err != nil {
		return err
	}
	at := size/5 + rand.Int64N(size*3/5)
	if _, err := d.Until(ctx, added.ID, func(s api.Download) bool { return s.VerifiedBytes >= at }); err != nil {
		return err
	}
	d.Kill()
	if d, err = b.programs.Daemon(here, options); err != nil {
		return err
	}
	_, _, err = finish(ctx, d, added.ID, time.Now())
	return err
}
