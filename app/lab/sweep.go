package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// A namespace is named tributary-PID-START-…: the process that made it and when that process started
// (in clock ticks since boot), since process IDs are used again.
const namePrefix = "tributary"

// Sweep removes the laboratories of processes that have died without closing them.
func Sweep() error {
	if err := Supported(); err != nil {
		return err
	}
	all, err := namespaces()
	if err != nil {
		return err
	}
	var orphans []string
	for _, ns := range all {
		if orphaned(ns) {
			orphans = append(orphans, ns)
		}
	}
	return removeNamespaces(orphans)
}

// namespaces lists the named network namespaces of this machine.
func namespaces() ([]string, error) {
	out, err := output("", "ip", "netns", "list")
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 0 { // the rest is "(id: 3)"
			names = append(names, fields[0])
		}
	}
	return names, nil
}

// orphaned says whether a namespace is of a laboratory whose process is gone. Whatever it cannot judge
// is left alone.
func orphaned(ns string) bool {
	parts := strings.SplitN(ns, "-", 4)
	if len(parts) < 4 || parts[0] != namePrefix {
		return false
	}
	pid, err := strconv.Atoi(parts[1])
	if err != nil {
		return false
	}
	start, err := startTime(pid)
	return errors.Is(err, fs.ErrNotExist) || err == nil && start != parts[2]
}

// thisProcess is the beginning of the names of this process's namespaces.
func thisProcess() (string, error) {
	pid := os.Getpid()
	start, err := startTime(pid)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%d-%s", namePrefix, pid, start), nil
}

// startTime reads when a process started: field 22 of /proc/PID/stat (proc(5)). The second field, the
// program's name, may hold blanks and parentheses, so fields are counted from its end.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const startField = 22 - 3 // the first field after the name is number 3
	if len(fields) <= startField {
		return "", fmt.Errorf("/proc/%d/stat has %d fields after the name", pid, len(fields))
	}
	return fields[startField], nil
}

// removeNamespaces ends what runs in the namespaces and deletes them. It goes on after an error.
func removeNamespaces(names []string) error {
	var errs []error
	for _, ns := range names {
		errs = append(errs, killIn(ns))
	}
	for _, ns := range names {
		errs = append(errs, run("", "ip", "netns", "del", ns))
	}
	return errors.Join(errs...)
}

// killIn kills every process in a namespace: a process keeps its namespace alive after it has lost
// its name.
func killIn(ns string) error {
	out, err := output("", "ip", "netns", "pids", ns)
	if err != nil {
		return err
	}
	for field := range strings.FieldsSeq(string(out)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return fmt.Errorf("ip netns pids: %w", err)
		}
		process, err := os.FindProcess(pid)
		if err != nil {
			continue // it has ended meanwhile
		}
		if err := process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("kill process %d in %s: %w", pid, ns, err)
		}
	}
	return nil
}
