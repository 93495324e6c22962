package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// makePrivate makes the data folder, which holds the device's key, for this user alone. It closes an open
// folder only if that is empty or has been a data folder before: whoever types --data /tmp must not lose it.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	ours, err := emptyOrOurs(dir)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if !ours {
		return fmt.Errorf("the folder %s is open to other users and holds other things; give --data a folder of its own", dir)
	}
	if err := closeToOthers(dir); err != nil {
		return fmt.Errorf("close the data folder to other users: %w", err)
	}
	return nil
}

func emptyOrOurs(dir string) (bool, error) {
	_, err := os.Lstat(filepath.Join(dir, lockFile))
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	entries, err := os.ReadDir(dir)
	return len(entries) == 0, err
}

// lockFile is in the data folder; who holds its lock may use the folder.
const lockFile = "lock"

// lockData makes sure that no other process uses the data folder. The system releases the lock even
// when the process is killed.
func lockData(dir string) (release func() error, err error) {
	path := filepath.Join(dir, lockFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	switch err := lock(file); {
	case errors.Is(err, errLocked):
		return nil, errors.Join(fmt.Errorf("another tributaryd uses the data folder %s; stop it, or give this one another with --data", dir), file.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return file.Close, nil
}
