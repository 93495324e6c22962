package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is the processor time of a process so far, by threads. The kernel counts it in nanoseconds; that of threads that
// have ended is lost, but the programs that are measured keep theirs.
type usage struct {
	all, main time.Duration // main: the first thread, which alone draws
	renderer  time.Duration // the threads of the software renderer
}

func usageOf(pid int) (usage, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		return usage{}, fmt.Errorf("the process %d is gone", pid)
	}
	var u usage
	for _, task := range tasks {
		ran, err := os.ReadFile(filepath.Join(task, "schedstat"))
		name, err2 := os.ReadFile(filepath.Join(task, "comm"))
		if err != nil || err2 != nil {
			continue // the thread has just ended
		}
		first, _, _ := strings.Cut(string(ran), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("read how long a thread ran: %w", err)
		}
		u.all += time.Duration(n)
		switch {
		case filepath.Base(task) == strconv.Itoa(pid):
			u.main = time.Duration(n)
		case strings.HasPrefix(string(name), "llvmpipe"):
			u.renderer += time.Duration(n)
		}
	}
	return u, nil
}

func (u usage) minus(before usage) usage {
	return usage{all: u.all - before.all, main: u.main - before.main, renderer: u.renderer - before.renderer}
}

// residentOf is how much memory of a process is in use, in MB (10^6 bytes).
func residentOf(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("the process %d is gone: %w", pid, err)
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	number, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	kb, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	return kb * 1024 / 1e6, nil
}
