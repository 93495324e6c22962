package manager

import "os"

// inherited returns nothing: the service manager of Windows keeps no files.
func inherited(_, _, _ string) []Kept { return nil }

func (Manager) send(string, *os.File) error { return nil }
