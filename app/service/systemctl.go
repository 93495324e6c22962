package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// systemctl returns what runs systemctl on the system's manager or this user's. It never asks for a password, has no
// standard input, and answers in English.
func systemctl(user bool) func(arguments ...string) (string, error) {
	always := []string{"--no-ask-password", "--no-pager"}
	if user {
		always = append(always, "--user")
	}
	return func(arguments ...string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), actionTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, "systemctl", append(always, arguments...)...)
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		out, err := cmd.Output()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return string(out), fmt.Errorf("systemctl %s: %w: %s", strings.Join(arguments, " "), exit, strings.TrimSpace(string(exit.Stderr)))
		}
		return string(out), err
	}
}

// FindSession tells this process and its children where the session of this user is, where the environment does not, as
// under su or in a cron job: systemd's manager of the user listens there, and the service's socket will be there. Without a
// session there is none, and systemctl says so.
func FindSession() error {
	if os.Getenv("XDG_RUNTIME_DIR") != "" {
		return nil
	}
	folder := filepath.Join("/run/user", strconv.Itoa(os.Geteuid()))
	if _, err := os.Stat(filepath.Join(folder, "systemd")); err != nil {
		return nil //nolint:nilerr // there is no manager to be found
	}
	return os.Setenv("XDG_RUNTIME_DIR", folder)
}
