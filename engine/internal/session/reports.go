package session

import (
	"strings"
	"time"

	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// leastRepeat is the least wait before a report that was refused is sent again.
const leastRepeat = time.Second

// maxReason is what a node takes of a report's reason, in bytes.
const maxReason = 256

// reports keeps the latest report of each download until the node has it on disk. It is a plain struct:
// the session guards it.
type reports struct {
	latest map[[16]byte]Report
	unsent map[[16]byte]bool
	rests  map[[16]byte]bool // refused for now; a later report of the download waits with it
}

func newReports() *reports {
	return &reports{latest: make(map[[16]byte]Report), unsent: make(map[[16]byte]bool), rests: make(map[[16]byte]bool)}
}

// add takes a report, unless it has a later one of the same download.
func (r *reports) add(report Report) {
	if old, ok := r.latest[report.Download]; ok && old.Sequence >= report.Sequence {
		return
	}
	report.Reason = strings.ToValidUTF8(report.Reason, "")
	report.Reason = strings.ToValidUTF8(report.Reason[:min(len(report.Reason), maxReason)], "")
	r.latest[report.Download] = report
	if !r.rests[report.Download] {
		r.unsent[report.Download] = true
	}
}

// done drops a report that is on the node's disk, or that the node will never take.
func (r *reports) done(download [16]byte, sequence uint32) {
	if kept, ok := r.latest[download]; ok && kept.Sequence <= sequence {
		delete(r.latest, download)
		delete(r.unsent, download)
	}
}

// resend makes everything unsent: a new session does not know what the last one got through.
func (r *reports) resend() {
	for download := range r.latest {
		r.unsent[download] = true
	}
}

// rest holds a report back that was refused until wake. It reports false if there is none, or it rests already.
func (r *reports) rest(download [16]byte) bool {
	if _, ok := r.latest[download]; !ok || r.rests[download] {
		return false
	}
	r.rests[download] = true
	delete(r.unsent, download)
	return true
}

// wake makes a report that rested unsent.
func (r *reports) wake(download [16]byte) {
	delete(r.rests, download)
	if _, ok := r.latest[download]; ok {
		r.unsent[download] = true
	}
}

// next returns the next report to send, nil if there is none.
func (r *reports) next() *wire.ClientMessage {
	for download := range r.unsent {
		delete(r.unsent, download)
		l := r.latest[download]
		return &wire.ClientMessage{Body: &wire.ClientMessage_Report{Report: &wire.Report{
			Content: l.Content[:], Download: l.Download[:], Sequence: l.Sequence,
			TotalBytes: uint64(l.Total), EdgeBytes: uint64(l.Edge), PeerBytes: uint64(l.Peers),
			WastedBytes: uint64(l.Wasted), UploadedBytes: uint64(l.Uploaded),
			Milliseconds: uint32(min(l.Active/time.Millisecond, 1<<32-1)), Outcome: string(l.Outcome), Reason: l.Reason,
		}}}
	}
	return nil
}
