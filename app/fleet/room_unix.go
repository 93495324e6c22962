//go:build unix

package fleet

import "golang.org/x/sys/unix"

// free returns how many bytes a folder's volume has room for; 0 if that cannot be told.
func free(dir string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0
	}
	return int64(st.Bavail) * int64(st.Bsize) //nolint:unconvert // other systems have other types
}
