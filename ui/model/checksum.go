package model

import (
	"encoding/hex"
	"regexp"
	"strings"
)

var checksumForm = regexp.MustCompile(`^(?:([A-Za-z0-9-]+)\s*[:=]\s*)?([0-9A-Fa-f]+)(?:\s+\*?\S.*)?$`)

var checksumKinds = map[int]string{16: "md5", 20: "sha-1", 32: "sha-256", 64: "sha-512"} // by bytes

// ParseChecksum reads a checksum as sites print it: bare, with its kind before it, or as a line of sha256sum. It
// returns it as KIND:hex. An empty text is no checksum and fine.
func ParseChecksum(text string) (checksum, kind string, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", "", true
	}
	m := checksumForm.FindStringSubmatch(text)
	if m == nil {
		return "", "", false
	}
	sum, err := hex.DecodeString(m[2])
	kind = checksumKinds[len(sum)]
	if err != nil || kind == "" {
		return "", "", false
	}
	if named := strings.ToLower(m[1]); named != "" && strings.ReplaceAll(named, "-", "") != strings.ReplaceAll(kind, "-", "") {
		return "", "", false
	}
	return kind + ":" + hex.EncodeToString(sum), kind, true
}
