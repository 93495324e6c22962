//go:build linux

package machine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Command prepares a program to run in the machine as root, with nothing of this computer's environment.
func (m *Machine) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	// With its root: where this process lives in a chroot, the machine has only moved into its place.
	words := []string{"--target", strconv.Itoa(m.init), "--all", "--root", "--", "env", "-i", "LANG=C.UTF-8", "HOME=/root",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", name}
	return exec.CommandContext(ctx, "nsenter", append(words, args...)...)
}

// Run runs a program in the machine as root, with closed standard input, and returns what it printed, without the
// newline at the end. What it complained about is in the error.
func (m *Machine) Run(ctx context.Context, name string, args ...string) (string, error) {
	return m.feed(ctx, nil, name, args...)
}

// As is Run as another user, without a session.
func (m *Machine) As(ctx context.Context, user, name string, args ...string) (string, error) {
	return m.Run(ctx, "runuser", append([]string{"-u", user, "--", "env", "HOME=/home/" + user, name}, args...)...)
}

// Shell is Run of a script that ends at the first command that fails.
func (m *Machine) Shell(ctx context.Context, script string) (string, error) {
	return m.Run(ctx, "bash", "-euo", "pipefail", "-c", script)
}

// Copy puts a file of this computer into the machine, owned by root.
func (m *Machine) Copy(ctx context.Context, file, to, mode string) error {
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = m.feed(ctx, content, "install", "-D", "-m", mode, "/dev/stdin", to)
	return err
}

func (m *Machine) feed(ctx context.Context, input *os.File, name string, args ...string) (string, error) {
	cmd := m.Command(ctx, name, args...)
	if input != nil {
		cmd.Stdin = input
	}
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	printed := strings.TrimRight(out.String(), "\n")
	if err != nil {
		return printed, fmt.Errorf("%s %s: %w: %s%s", name, strings.Join(args, " "), err, complaint.String(), printed)
	}
	return printed, nil
}

// Files lists the machine's own file system: one line for each file with its kind, rights, owner, and what it holds. Times
// are left out. Folders that below names are left out with all that is in them.
func (m *Machine) Files(ctx context.Context, without ...string) (map[string]string, error) {
	prune := ""
	for _, folder := range without {
		prune += " -path '" + folder + "' -prune -o"
	}
	const list = `find / -xdev%s -printf '%%p\t%%y %%m %%U:%%G %%l\n'; echo; find / -xdev%s -type f -print0 | xargs -0 sha256sum`
	out, err := m.Shell(ctx, fmt.Sprintf(list, prune, prune))
	if err != nil {
		return nil, err
	}
	names, sums, _ := strings.Cut(out, "\n\n")
	files := map[string]string{}
	for line := range strings.Lines(names) {
		path, about, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		files[path] = about
	}
	for line := range strings.Lines(sums) {
		sum, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		files[path] += " " + sum
	}
	return files, nil
}
