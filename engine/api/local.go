package api

// LocalHost is the Host of every request on the local socket. A page in a browser cannot name it, so
// a request with any other Host did not come from a client of ours.
const LocalHost = "tributary.local"

// MaxBody is the longest request body that the service reads, in bytes.
const MaxBody = 1 << 20

// FileRequest is the body of POST /v1/downloads/{id}/file and POST /v1/downloads/{id}/name, with which an open file
// comes. How it comes is the system's affair: over a Unix socket its descriptor travels beside the request's first
// bytes (SCM_RIGHTS).
type FileRequest struct {
	Name string `json:"name"` // of the file, in the folder of the download
}

// Leftover is what a service for the whole machine answers when a download has been removed: a file that only its owner
// can delete. Name is empty if there is none.
type Leftover struct {
	Owner string `json:"owner"`
	Dir   string `json:"dir"`
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"` // that it has
}

// MoveRequest is the body of POST /v1/downloads/{id}/move.
type MoveRequest struct {
	Priority int `json:"priority"` // order in the queue, smaller first
}
