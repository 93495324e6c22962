package download

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// diskPoll is how often a download that waits for room on the disk looks again.
const diskPoll = 5 * time.Second

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

func internalProblem(err error) api.Problem {
	return api.Problem{Code: api.CodeInternal, Title: "Internal error", Text: "Something unexpected went wrong: " + err.Error() + ".",
		Remedy: "It is tried again. If it stays, run: tributaryctl diagnostics", Severity: api.SeverityError}
}

func edgeProblem(e *edge.Error) api.Problem {
	p := api.Problem{Code: e.Code, Title: edgeTitle(e), Text: e.Text, Remedy: e.Remedy, Severity: api.SeverityError}
	if e.Kind == edge.Temporary {
		p.Severity = api.SeverityWarning
	}
	return p
}

func edgeTitle(e *edge.Error) string {
	switch e.Kind {
	case edge.Temporary:
		return "The server does not answer"
	case edge.Refused:
		return "The server refuses"
	case edge.Changed:
		return "The file has changed"
	case edge.Certificate:
		return "The server cannot be trusted"
	case edge.BadURL:
		return "The link cannot be used"
	case edge.Blocked:
		return "The address is not allowed"
	default:
		return "The server's answer makes no sense"
	}
}

func manifestProblem(err error) api.Problem {
	return api.Problem{Code: api.CodeManifest, Title: "The publisher's description is not acceptable", Severity: api.SeverityError,
		Text:   fmt.Sprintf("The publisher's description of this file was refused: %v. Nothing was downloaded.", err),
		Remedy: "Tell the publisher."}
}

func folderProblem() api.Problem {
	return api.Problem{Code: api.CodeManifest, Title: "Several files", Severity: api.SeverityError,
		Text: "This link names a folder of several files, which this version cannot download as one.", Remedy: "Ask the publisher for single files."}
}

// diskTrouble turns a storage error into a problem, and says whether it may pass by itself.
func diskTrouble(err error) (p api.Problem, retry time.Duration, passing bool) {
	p = api.Problem{Severity: api.SeverityError, Text: err.Error() + "."}
	switch {
	case errors.Is(err, storage.ErrDiskFull):
		p.Code, p.Title = api.CodeDiskFull, "The disk is full"
		p.Text = "There is not enough room on the disk for this file. What has been downloaded is kept."
		p.Remedy = "Free some space; the download goes on by itself."
		return p, diskPoll, true
	case errors.Is(err, storage.ErrVolumeLost):
		p.Code, p.Title = api.CodeVolumeLost, "The disk has gone"
		p.Text = "The disk or network drive that holds this file does not answer. Nothing is lost that was on it."
		p.Remedy = "Connect it again; the download goes on by itself."
		return p, diskPoll, true
	case errors.Is(err, storage.ErrFolder), errors.Is(err, storage.ErrReadOnly), errors.Is(err, storage.ErrNameTooLong), errors.Is(err, storage.ErrTooLarge):
		p.Code, p.Title = api.CodeFolder, "The folder cannot be used"
		p.Remedy = "Choose a folder that exists and that you may write to."
		return p, 0, false
	case errors.Is(err, storage.ErrTouched), errors.Is(err, storage.ErrMissing):
		p.Code, p.Title = api.CodeFileTouched, "The file was changed"
		p.Text = "Another program has changed or deleted the unfinished file."
		p.Remedy = "Resume to start it again."
		return p, 0, false
	}
	return internalProblem(err), 0, true
}

// diskError is an error of the file in the midst of a request to an edge, which is not to blame.
type diskError struct{ err error }

func (e *diskError) Error() string { return e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }

func isDiskError(err error) bool {
	_, ok := errors.AsType[*diskError](err)
	return ok
}

func checksumProblem(want, got string) api.Problem {
	return api.Problem{Code: api.CodeChecksum, Title: "The checksum does not match", Severity: api.SeverityError,
		Text:   "The downloaded file has the checksum " + got + ", but " + want + " was asked for. It has not been given its name.",
		Remedy: "Check where the checksum comes from, or ask the site's owner. Resume downloads it again."}
}
