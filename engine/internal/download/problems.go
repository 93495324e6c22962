package download

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// diskPoll is how often a download that waits for room on the disk looks again.
const diskPoll = 5 * time.Second

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// problem makes one of a phrase and the code of what to do.
func problem(code, title string, say api.Phrase, do string) api.Problem {
	advice := api.Say(do)
	return api.Problem{Code: code, Title: title, Severity: api.SeverityError, Say: say, Text: say.English(), Do: advice, Remedy: advice.English()}
}

func internalProblem(err error) api.Problem {
	return problem(api.CodeInternal, "Internal error", api.Say(api.SayInternal, "detail", err.Error()), api.DoTriedDiagnostic)
}

func edgeProblem(e *edge.Error) api.Problem {
	p := api.Problem{Code: e.Code, Title: edgeTitle(e), Text: e.Text, Remedy: e.Remedy, Say: e.Say, Do: e.Do, Severity: api.SeverityError}
	if e.Kind == edge.Temporary {
		p.Severity = api.SeverityWarning
	}
	return p
}

func edgeTitle(e *edge.Error) string {
	switch e.Kind {
	case edge.Temporary:
		switch {
		case e.Code == api.CodeEdgeBusy:
			return "The server is busy"
		case e.Code == api.CodeChanged:
			return "The server sends wrong bytes"
		case e.Say.Code == api.SayServerFault:
			return "The server has a fault"
		case e.Say.Code == api.SayBroke, e.Say.Code == api.SayCutShort:
			return "The connection broke"
		case e.Say.Code == api.SayNoServer:
			return "The server cannot be found"
		}
		return "The server does not answer"
	case edge.Refused:
		switch e.Say.Code {
		case api.SayNotFound, api.SayGone:
			return "The file is not there"
		case api.SayNeedsPassword, api.SayWrongPassword:
			return "The server wants a password"
		}
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
	return problem(api.CodeManifest, "The publisher's description is not acceptable", api.Say(api.SayManifestRefused, "detail", err.Error()), api.DoTellPublisher)
}

func folderProblem() api.Problem {
	return problem(api.CodeManifest, "Several files", api.Say(api.SaySeveralFiles), api.DoSingleFiles)
}

// diskTrouble turns a storage error into a problem, and says whether it may pass by itself.
func diskTrouble(err error) (p api.Problem, retry time.Duration, passing bool) {
	switch {
	case errors.Is(err, storage.ErrDiskFull):
		return problem(api.CodeDiskFull, "The disk is full", api.Say(api.SayDiskFull), api.DoFreeSpace), diskPoll, true
	case errors.Is(err, storage.ErrVolumeLost):
		return problem(api.CodeVolumeLost, "The disk has gone", api.Say(api.SayVolumeLost), api.DoConnectDisk), diskPoll, true
	case errors.Is(err, storage.ErrFolder), errors.Is(err, storage.ErrReadOnly), errors.Is(err, storage.ErrNameTooLong), errors.Is(err, storage.ErrTooLarge):
		return problem(api.CodeFolder, "The folder cannot be used", api.Say(api.SayFolder, "detail", err.Error()), api.DoChooseFolder), 0, false
	case errors.Is(err, storage.ErrTouched), errors.Is(err, storage.ErrMissing):
		return problem(api.CodeFileTouched, "The file was changed", api.Say(api.SayFileTouched), api.DoResumeAnew), 0, false
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
	return problem(api.CodeChecksum, "The checksum does not match", api.Say(api.SayChecksumMismatch, "got", got, "want", want), api.DoCheckSum)
}
