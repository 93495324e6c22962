package fleet

import "os"

// Roomiest returns a folder for what a measurement writes: memory if it has room for need bytes and some more, so that
// the disk is not what is measured.
func Roomiest(need int64) string {
	const memory, more = "/dev/shm", 2 << 30
	if free(memory) > need+more {
		return memory
	}
	return os.TempDir()
}
