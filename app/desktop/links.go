package desktop

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/tributary-dl/tributary/engine/client"
)

// ReadLinkFile returns the content of a file that names downloads.
func (Place) ReadLinkFile(path string) ([]byte, error) { return client.LoadLinkFile(path) }

// Absolute makes the files among the words of a command line absolute: the window that takes them over may have another
// working folder. Links stay as they are.
func Absolute(words []string) []string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = word
		if strings.Contains(word, ":") {
			continue
		}
		if _, err := os.Stat(word); err != nil {
			continue
		}
		if path, err := filepath.Abs(word); err == nil {
			out[i] = path
		}
	}
	return out
}
