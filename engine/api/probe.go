package api

import "time"

// Probe is what can be said of a link before anything is downloaded or kept of it.
type Probe struct {
	URL        string  `json:"url"` // without user-info
	Name       string  `json:"name"`
	TotalBytes int64   `json:"total_bytes"` // -1 while unknown
	Verdict    Verdict `json:"verdict"`     // how far the finished file could be trusted
	Publisher  string  `json:"publisher,omitempty"`
	ContentID  string  `json:"content_id,omitempty"` // hex; empty for a plain file
	Resumable  bool    `json:"resumable"`            // what is there is not lost when the connection breaks
	Mirrors    int     `json:"mirrors"`              // further servers that hold it
	// Problem says why the file could not be downloaded now; the other fields then hold what is known all the same.
	Problem *Problem `json:"problem"`
}

// MaxLinkFile is the longest LinkFile.Data, in bytes.
const MaxLinkFile = 16 << 20

// LinkFile is the content of a file that names downloads: a Metalink or a torrent. Its base64 form in JSON is what
// crosses the socket, so that the service never opens a path of a user.
type LinkFile struct {
	Data []byte `json:"data"`
}

// LinkedFile is one file that a LinkFile names.
type LinkedFile struct {
	// Request is complete but for what the user decides: Dir, Priority, Paused.
	Request AddRequest `json:"request"`
	// Folder is where the file belongs below the folder that the user chose: safe components with slashes, or empty.
	Folder     string `json:"folder,omitempty"`
	TotalBytes int64  `json:"total_bytes"` // -1 if it is not said
	Publisher  string `json:"publisher,omitempty"`
}

// Held is an object on this computer's disk that peers could be given. It is the user's own downloaded file: there is
// no other copy.
type Held struct {
	Download  string     `json:"download"` // ID
	ContentID string     `json:"content_id"`
	Name      string     `json:"name"`
	Publisher string     `json:"publisher,omitempty"`
	Path      string     `json:"path"`
	Bytes     int64      `json:"bytes"`
	Sent      int64      `json:"sent"`      // payload bytes given of it, ever
	LastSent  string     `json:"last_sent"` // day, 2026-11-22; empty: never
	Finished  *time.Time `json:"finished"`
	Shared    bool       `json:"shared"` // offered now
}
