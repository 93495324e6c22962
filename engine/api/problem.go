package api

import (
	"errors"
	"time"
)

// Severity says how loudly a problem is told.
type Severity string

const (
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
)

// Problem is a trouble that lasts. Title is a few words, Text a sentence that says what happened and
// what was kept, Remedy what to do.
type Problem struct {
	Code     string     `json:"code"` // one of the Code constants; append-only
	Title    string     `json:"title"`
	Text     string     `json:"text"`
	Remedy   string     `json:"remedy,omitempty"`
	Severity Severity   `json:"severity"`
	Since    time.Time  `json:"since"`
	Say      Phrase     `json:"say,omitzero"`       // Text for other languages
	Do       Phrase     `json:"do,omitzero"`        // Remedy for other languages
	RetryAt  *time.Time `json:"retry_at,omitempty"` // nil: waits for the user or for the cause to go
}

// Codes of problems.
const (
	CodeEdgeUnreachable = "edge_unreachable"
	CodeEdgeRefused     = "edge_refused" // 401, 403, 404, 410 …
	CodeEdgeBusy        = "edge_busy"    // 429, 503
	CodeChanged         = "changed"      // the file on the server is another one now
	CodeOtherAnswer     = "other_answer" // the server answers with something else: a page to sign in, perhaps
	CodeChecksum        = "checksum"     // the whole file does not match
	CodeManifest        = "manifest"     // hostile or broken manifest
	CodeCertificate     = "certificate"
	CodeDiskFull        = "disk_full"
	CodeFolder          = "folder"      // missing or unwritable
	CodeVolumeLost      = "volume_lost" // the disk or network drive went away
	CodeFileTouched     = "file_touched"
	CodeBadURL          = "bad_url"
	CodeBlockedAddress  = "blocked_address" // a public address led to a private one
	CodeNeedsOwner      = "needs_owner"     // only the owner's session can go on, see Errand
	CodeInternal        = "internal"
	CodePolicy          = "policy" // of the service: the administrator's policy cannot be read
)

// Codes of errors at the socket.
const (
	ErrInvalid  = "invalid"   // the request makes no sense; nothing changed
	ErrNotFound = "not_found" // no such download
	ErrConflict = "conflict"  // not in this state
	ErrDenied   = "denied"    // another user's, or locked by an administrator
	ErrInternal = "internal"
	// ErrNeedsFile is a machine's service that must be handed an open file with this call.
	ErrNeedsFile = "needs_file"
)

// Error is what crosses the socket when a call fails: a code for machines, a sentence for people.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// CodeOf returns the code of err, ErrInternal if it has none, and "" for nil.
func CodeOf(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ErrInternal
}
