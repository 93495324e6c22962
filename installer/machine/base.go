//go:build linux

package machine

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Release is the Debian that machines run; its systemd is 252.
const Release = "bookworm"

// contents are the packages of a machine beside the essential ones: systemd with real login sessions, what an
// administrator works with, and rpm, so that one tree serves both kinds of package.
var contents = []string{"systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "passwd", "procps",
	"iproute2", "ca-certificates", "rpm"}

// Base returns the path of the tree that machines start from. It is made once, from the Debian mirror, in a cache
// folder; another process that needs it waits. It must not be changed.
func Base(ctx context.Context, cache string) (string, error) {
	cache, err := filepath.Abs(cache)
	if err != nil {
		return "", err
	}
	tree := filepath.Join(cache, fmt.Sprintf("%s-%08x", Release, crc32.ChecksumIEEE([]byte(strings.Join(contents, ",")))))
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(tree+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close() // and with it the lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(tree); !errors.Is(err, fs.ErrNotExist) {
		return tree, err
	}
	unfinished := tree + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return "", err
	}
	words := []string{"--quiet", "--variant=minbase", "--include=" + strings.Join(contents, ","), Release, unfinished}
	make := exec.CommandContext(ctx, "mmdebstrap", append(words, sources()...)...)
	if out, err := make.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make a Debian system with mmdebstrap: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return tree, os.Rename(unfinished, tree)
}

// sources returns this computer's own list of mirrors if it runs the same Debian; otherwise mmdebstrap takes the usual one.
func sources() []string {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || !strings.Contains(string(release), "VERSION_CODENAME="+Release+"\n") {
		return nil
	}
	for _, list := range []string{"/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"} {
		if info, err := os.Stat(list); err == nil && info.Size() > 0 {
			return []string{list}
		}
	}
	return nil
}
