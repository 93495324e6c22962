package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// CPU returns the processor time that the program has taken, until now or until its end.
func (p *Process) CPU() (time.Duration, error) {
	if !p.ended() {
		used, err := CPUTime(p.PID())
		if !errors.Is(err, fs.ErrNotExist) {
			return used, err
		}
		<-p.done // it has just ended
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), nil
}

// CPUTime reads the processor time that a running process has taken: fields 14 and 15 of /proc/PID/stat (proc(5)). The
// second field, the program's name, may hold blanks and parentheses, so fields are counted from its end.
func CPUTime(pid int) (time.Duration, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	stat, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var (
		skip         string
		user, system int64
	)
	rest := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
	if _, err := fmt.Sscan(rest, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &user, &system); err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	const tick = time.Second / 100 // USER_HZ on every Linux that Go runs on
	return time.Duration(user+system) * tick, nil
}
