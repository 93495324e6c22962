//go:build linux

package linux_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/installer/machine/machinetest"
)

// What is promised of the installed service.
const (
	worstExposure = 1.5      // systemd-analyze security, 0 to 10
	mostMemory    = 30 << 20 // bytes, resident, at rest
	mostWakeUps   = 5.0      // a second
	mostWrites    = 1.0      // a minute
	largestDeb    = 12 << 20 // bytes, of the service
	largestDebs   = 25 << 20 // bytes, of service and window
)

func TestHardening(t *testing.T) {
	s := newSite(t, "hard")
	s.apt("install", s.bring("deb", older))
	said := s.shell("systemd-analyze security --no-pager " + unit)
	_, level, _ := strings.Cut(said, "Overall exposure level for "+unit+": ")
	score, _, _ := strings.Cut(level, " ")
	if exposure, err := strconv.ParseFloat(score, 64); err != nil || exposure > worstExposure {
		t.Errorf("exposure level %q, %v; want at most %.1f\n%s", score, err, worstExposure, said)
	}
	t.Logf("systemd-analyze security: %s", score)
	if out := s.shell("systemd-analyze verify --man=no /usr/lib/systemd/system/tributaryd.service /usr/lib/systemd/user/tributaryd.service 2>&1"); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
}

// The installed service over a quiet minute. Memory, wake-ups and writes are counted by the kernel.
func TestAtRest(t *testing.T) {
	if !machinetest.Full() {
		t.Skip("this watches the service for a minute; set FULL=1 for it")
	}
	s := newSite(t, "rest")
	start := time.Now()
	s.apt("install", s.bring("deb", older))
	installed := time.Since(start)
	took := s.untilAnswers(answers + slack)
	// What the start has left to do settles in the first ten seconds; then a minute is watched.
	out := s.shell(`pid=$(systemctl show --value -p MainPID ` + unit + `)
		look() { cat /proc/$pid/task/*/status | awk '/ctxt_switches/ {n += $2} END {print n}'; awk '/^write_bytes/ {print $2}' /proc/$pid/io; }
		sleep 10; before=$(look); changes=0; size=$(awk '/^write_bytes/ {print $2}' /proc/$pid/io)
		for second in $(seq 60); do
			sleep 1; now=$(awk '/^write_bytes/ {print $2}' /proc/$pid/io)
			[ "$now" = "$size" ] || changes=$((changes + 1)); size=$now
		done
		echo $before $(look) $changes $(awk '/VmRSS/ {print $2}' /proc/$pid/status)`)
	var wokeBefore, wroteBefore, woke, wrote, writes, rss int64
	if _, err := fmt.Sscan(out, &wokeBefore, &wroteBefore, &woke, &wrote, &writes, &rss); err != nil {
		t.Fatalf("%v: %q", err, out)
	}
	figures := map[string]any{
		"install_ms": installed.Milliseconds(), "answers_after_ms": took.Milliseconds(),
		"rss_bytes": rss * 1024, "wake_ups_per_second": float64(woke-wokeBefore) / 60,
		"writes_per_minute": writes, "bytes_written_per_minute": wrote - wroteBefore,
	}
	text, err := json.Marshal(figures)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("figures: %s", text)
	if rss*1024 > mostMemory || float64(woke-wokeBefore)/60 > mostWakeUps || float64(writes) > mostWrites {
		t.Errorf("want at most %d bytes of memory, %.0f wake-ups a second, %.0f write a minute", mostMemory, mostWakeUps, mostWrites)
	}
}

// sizes returns the sizes of packages in a folder, by the first word of their names.
func sizes(t *testing.T, folder, pattern string) map[string]int64 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(filepath.Base(file), "_")
		found[name] = info.Size()
	}
	return found
}
