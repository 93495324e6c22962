package client

import "golang.org/x/sys/unix"

// markName is the extended attribute that marks a file as a download.
const markName = "io.tributary.download"

// openWithoutLinks opens a folder if no part of its path is a link; see O_NOFOLLOW_ANY in open(2).
func openWithoutLinks(path string) (int, error) {
	return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW_ANY, 0)
}

func renameNoReplace(dir int, from, to string) error {
	return unix.RenameatxNp(dir, from, dir, to, unix.RENAME_EXCL)
}
