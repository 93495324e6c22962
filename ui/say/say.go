// Package say puts what happens into words of the user's language: states, reasons, sizes, times. Every text that people
// read is a key here or in a view, looked up through Fyne's lang; the files are in assets/translations, and a test
// compares both. It must never decide anything: what is true comes from engine/api and ui/model.
package say

import (
	"strings"
	"time"

	"fyne.io/fyne/v2/lang"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/model"
)

// Format is how numbers are written in the user's language.
func Format() model.Format {
	return model.Format{
		Decimal: lang.X("format.decimal", "."),
		Day:     lang.X("format.day", "d"), Hour: lang.X("format.hour", "h"),
		Minute: lang.X("format.minute", "min"), Second: lang.X("format.second", "s"),
		Tight: lang.X("format.tight", "no") == "yes",
	}
}

// Bytes writes a size.
func Bytes(n int64) string { return Format().Bytes(n) }

// Rate writes bytes a second.
func Rate(n int64) string { return Format().Rate(n) }

// Span writes a length of time.
func Span(d time.Duration) string { return Format().Span(d) }

// dot stands between the parts of a line.
const dot = " · "

// Join puts the parts of a line side by side; empty ones leave no trace.
func Join(parts ...string) string {
	kept := parts[:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, dot)
}

// Facts is the first line below a name: how much, how fast, how long still.
func Facts(d *api.Download) string {
	size := lang.L("Size not known yet")
	switch {
	case d.State == api.StateComplete:
		size = Bytes(d.TotalBytes)
	case d.TotalBytes >= 0:
		size = lang.L("{{.done}} of {{.total}}", map[string]any{"done": Bytes(d.VerifiedBytes), "total": Bytes(d.TotalBytes)})
	case d.VerifiedBytes > 0:
		size = Bytes(d.VerifiedBytes)
	}
	if d.State != api.StateDownloading {
		return Join(size, State(d))
	}
	left := ""
	if d.ETASeconds >= 0 {
		left = lang.L("{{.time}} left", map[string]any{"time": Span(time.Duration(d.ETASeconds) * time.Second)})
	}
	return Join(size, Rate(d.Rate), left)
}

// State is one word or two about what a download does.
func State(d *api.Download) string {
	switch d.State {
	case api.StateQueued:
		return lang.L("Waits for its turn")
	case api.StateResolving:
		return lang.L("Asking the server")
	case api.StateDownloading:
		return lang.L("Downloading")
	case api.StateFinishing:
		return lang.L("Checking")
	case api.StateComplete:
		return lang.L("Complete")
	case api.StatePaused:
		return lang.L("Paused")
	case api.StateWaiting:
		return lang.L("Trying again soon")
	case api.StateFailed:
		return lang.L("Stopped by a problem")
	}
	return string(d.State)
}

// Now is one line of plain words about what happens now and where the bytes come from.
func Now(d *api.Download) string {
	if p := d.Problem; p != nil {
		return Join(Problem(p), retry(p))
	}
	switch d.State {
	case api.StateDownloading:
		return fromWhere(d)
	case api.StateComplete:
		shared := ""
		if d.Shared {
			shared = lang.L("offered to peers")
		}
		return Join(Verdict(d.Verdict), saved(d), shared)
	case api.StateQueued, api.StatePaused, api.StateResolving, api.StateFinishing:
		return Verdict(d.Verdict)
	}
	return d.Note
}

func fromWhere(d *api.Download) string {
	peers := Peers(d.Peers)
	from := lang.L("Waiting for the first bytes")
	switch {
	case d.Edges > 0 && d.Peers > 0:
		from = lang.L("From the edge and {{.peers}}", map[string]any{"peers": peers})
	case d.Edges > 0:
		from = lang.L("From the edge")
	case d.Peers > 0:
		from = lang.L("From {{.peers}}", map[string]any{"peers": peers})
	}
	limit, silent := "", ""
	if d.Limit > 0 {
		limit = lang.L("limited by your {{.rate}} setting", map[string]any{"rate": Rate(d.Limit)})
	}
	if d.EdgeSilent {
		silent = lang.L("the edge does not answer")
	}
	return Join(from, silent, limit)
}

// Peers counts peers.
func Peers(n int) string { return lang.N("{{.n}} peers", n, map[string]any{"n": n}) }

func saved(d *api.Download) string {
	if d.BytesFromPeers == 0 {
		return ""
	}
	_, peers := model.Shares(d)
	return lang.L("{{.share}} from peers", map[string]any{"share": model.Percent(peers)})
}

// Verdict says how far the bytes can be trusted.
func Verdict(v api.Verdict) string {
	switch v {
	case api.VerdictPublisher:
		return lang.L("Verified by the publisher")
	case api.VerdictHash:
		return lang.L("Verified by your checksum")
	}
	return lang.L("Not verified")
}

// Trust says the same of a file that is not downloaded yet.
func Trust(v api.Verdict) string {
	switch v {
	case api.VerdictPublisher:
		return lang.L("verified by the publisher")
	case api.VerdictHash:
		return lang.L("verified by its checksum alone")
	}
	return lang.L("nobody vouches for it")
}

// Problem is the title of a trouble. One that this program does not know is told in the service's words.
func Problem(p *api.Problem) string {
	switch p.Code {
	case api.CodeEdgeUnreachable:
		return lang.L("The server cannot be reached")
	case api.CodeEdgeRefused:
		return lang.L("The server refuses to give the file")
	case api.CodeEdgeBusy:
		return lang.L("The server is busy")
	case api.CodeChanged:
		return lang.L("The file on the server has changed")
	case api.CodeOtherAnswer:
		return lang.L("The server answers with something else")
	case api.CodeChecksum:
		return lang.L("The checksum does not match")
	case api.CodeManifest:
		return lang.L("The description of the file is broken")
	case api.CodeCertificate:
		return lang.L("The server cannot prove who it is")
	case api.CodeDiskFull:
		return lang.L("The disk is full")
	case api.CodeFolder:
		return lang.L("The folder cannot be used")
	case api.CodeVolumeLost:
		return lang.L("The drive is gone")
	case api.CodeFileTouched:
		return lang.L("Another program changed the file")
	case api.CodeBadURL:
		return lang.L("The link does not work")
	case api.CodeNeedsOwner:
		return lang.L("Waits for its owner")
	case api.CodeBlockedAddress:
		return lang.L("The link leads into a private network")
	}
	return p.Title
}

func retry(p *api.Problem) string {
	if p.RetryAt == nil {
		return ""
	}
	return lang.L("next try at {{.time}}", map[string]any{"time": p.RetryAt.Local().Format("15:04:05")})
}

// Path says how a source is reached.
func Path(s api.Source) string {
	switch {
	case s.Kind == "edge":
		return lang.L("Server")
	case s.Path == api.PathLAN:
		return lang.L("Your network")
	case s.Path == api.PathIPv6:
		return lang.L("Direct, IPv6")
	case s.Path == api.PathRelayed:
		return lang.L("Relayed")
	}
	return lang.L("Direct")
}

// Source says what a source does.
func Source(s api.Source) string {
	switch {
	case s.State == "sending", s.State == "sending to us":
		return lang.L("sending")
	case s.State == "receiving from us":
		return lang.L("receiving")
	case s.State == "exchanging":
		return lang.L("exchanging")
	case s.State == "not answering":
		return lang.L("not answering")
	case s.State == "idle":
		return lang.L("idle")
	case strings.HasPrefix(s.State, "backing off"):
		return lang.L("resting")
	}
	return s.State
}

// Sharing names a position of the switch.
func Sharing(s api.Sharing) string {
	switch s {
	case api.SharingLAN:
		return lang.L("Your network only")
	case api.SharingOn:
		return lang.L("On")
	}
	return lang.L("Off")
}

// Locked says why a setting cannot be changed: by is where an administrator has locked it, or "".
func Locked(by string) string {
	if by == "" {
		return lang.L("It takes an administrator of this computer to change this")
	}
	return lang.L("Set by your administrator in {{.file}}", map[string]any{"file": by})
}

// Refusal says why a part of a pasted text gives no download, and what would.
func Refusal(r model.Refusal) string {
	text := map[string]any{"text": r.Text, "scheme": r.Scheme}
	switch r.Reason {
	case model.ReasonTooMuch:
		return lang.L("This is more text than a list of links. Paste at most 1000 links at a time.")
	case model.ReasonScheme:
		return lang.L("“{{.text}}” begins with {{.scheme}}: and only http and https links can be downloaded.", text)
	case model.ReasonMagnet:
		return lang.L("A magnet link names no server, and Tributary takes nothing from BitTorrent's own peers. Look for an https link to the same file.")
	case model.ReasonLocal:
		return lang.L("“{{.text}}” is a file on this computer. Paste the link it came from, or a .meta4, .metalink or .torrent file.", text)
	case model.ReasonNoHost:
		return lang.L("“{{.text}}” does not name a server. Copy the link again from where you found it.", text)
	case model.ReasonTooLong:
		return lang.L("“{{.text}}” is longer than any server takes.", text)
	case model.ReasonBadChars:
		return lang.L("“{{.text}}” has characters that no link has. Copy it again from where you found it.", text)
	case model.ReasonEmpty:
		return lang.L("Paste or type one link or several, one a line.")
	}
	return lang.L("“{{.text}}” is not a link. Links begin with https://", text)
}

// Given says what a publisher was spared.
func Given(d *api.Download) string {
	return lang.L("{{.size}} spared the publisher's servers", map[string]any{"size": Bytes(d.BytesFromPeers)})
}
