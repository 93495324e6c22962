// Package translations holds the texts of the window and the tray, one file a language, as go-i18n reads them: the
// English text is the key. It imports nothing.
package translations

import "embed"

// Files holds en.json, de.json, fr.json, es.json, zh.json and ja.json.
//
//go:embed *.json
var Files embed.FS
