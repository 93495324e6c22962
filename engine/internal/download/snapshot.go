package download

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/hybrid"
)

// publishEvery bounds how often progress is published; changes of state go out at once.
const publishEvery = 200 * time.Millisecond

// publishIfDue publishes when something changed and either now is set or the last time is long ago.
func (a *actor) publishIfDue(now bool) {
	now = now || a.urgent
	if !a.dirty && !now || !now && time.Since(a.publishedAt) < publishEvery {
		return
	}
	a.publish()
}

func (a *actor) publish() {
	s := a.snapshot()
	a.dirty, a.urgent, a.publishedAt = false, false, time.Now()
	a.handle.snapshot.Store(&s)
	a.cfg.Publish(s)
}

func (a *actor) snapshot() api.Download {
	r := &a.rec
	s := api.Download{ID: r.ID, URL: edge.WithoutUser(r.Request.URL), Name: r.Name, Path: r.Path, State: a.state, Want: r.Want,
		Verdict: api.VerdictUnverified, Priority: r.Request.Priority, TotalBytes: a.total(), BytesFromEdge: r.FromEdge,
		BytesFromPeers: r.FromPeers, BytesWasted: r.Wasted, BytesUploaded: r.Uploaded, ETASeconds: -1, Problem: a.problem,
		SHA256: r.SHA256, Owner: r.Owner, Part: r.Part, Errand: a.errand(), Checksum: r.Request.Checksum, Added: r.Added, Started: r.Started, Finished: r.Finished,
		Active: r.Active.Seconds()}
	if s.Name == "" {
		s.Name = nameFromURL(s.URL)
	}
	if r.Request.Checksum != "" {
		s.Verdict = api.VerdictHash
	}
	if m := a.manifest; m != nil {
		s.ContentID = m.ID.String()
		if m.Terms != nil {
			s.Verdict, s.Publisher, s.Mode = api.VerdictPublisher, m.Terms.Publisher, string(m.Terms.Policy.Mode)
		}
	}
	switch {
	case r.Complete:
		s.VerifiedBytes, s.DurableBytes = max(s.TotalBytes, r.FromEdge+r.FromPeers), max(s.TotalBytes, r.FromEdge+r.FromPeers)
		s.TotalBytes = s.VerifiedBytes
		s.Shared = a.sharedNow()
		if a.shared != nil && a.sharedAt.Peers > 0 {
			_, _, up := a.sharedMeter.rates(meterWindow)
			s.Peers, s.UploadRate = a.sharedAt.Peers, int64(up)
		}
	case a.file != nil:
		p := a.file.Progress()
		s.VerifiedBytes, s.DurableBytes = p.VerifiedLength, p.DurableLength
	default:
		s.VerifiedBytes = r.FromEdge + r.FromPeers
		s.DurableBytes = s.VerifiedBytes
	}
	if t := a.transfer(); t != nil {
		a.describeTransfer(&s, t)
	}
	s.Note = a.note(s)
	return s
}

func (a *actor) describeTransfer(s *api.Download, t *transfer) {
	s.Active += time.Since(t.act.began).Seconds()
	e, p, up := t.meter.rates(meterWindow)
	s.EdgeRate, s.PeerRate, s.UploadRate = int64(e), int64(p), int64(up)
	s.Rate = s.EdgeRate + s.PeerRate
	s.Peers = t.counted.Peers
	if t.claims > 0 {
		s.Edges = len(t.source.Stats())
	}
	s.EdgeSilent = t.edgeErr != nil
	s.Limit = a.limitInForce(s.Rate)
	if s.Rate > 0 && s.TotalBytes > 0 {
		s.ETASeconds = (s.TotalBytes - s.VerifiedBytes) / s.Rate
	}
}

// note is one line of plain words about what happens now.
func (a *actor) note(s api.Download) string {
	switch s.State {
	case api.StateQueued:
		if s.Problem != nil {
			return s.Problem.Title + " · waits for its turn to be tried again"
		}
		return "Waits for its turn"
	case api.StateResolving:
		return "Asking the server"
	case api.StateFinishing:
		return "Checking and giving it its name"
	case api.StatePaused:
		return "Paused"
	case api.StateWaiting, api.StateFailed:
		if s.Problem != nil {
			return s.Problem.Title
		}
		return ""
	case api.StateComplete:
		if s.Shared {
			return "Complete · offered to peers"
		}
		return "Complete"
	}
	t := a.transfer()
	if t == nil {
		return ""
	}
	var from []string
	if s.EdgeRate > 0 || t.claims > 0 {
		from = append(from, "the edge")
	}
	if s.Peers > 0 {
		from = append(from, plural(s.Peers, "peer"))
	}
	line := "Waiting for the first bytes"
	switch {
	case len(from) > 0:
		line = "From " + strings.Join(from, " and ")
	case s.VerifiedBytes > 0:
		line = "Waiting for bytes"
	}
	if s.EdgeSilent {
		line += " · the edge does not answer"
	}
	if s.Limit > 0 {
		line += " · limited by your " + api.FormatBytes(s.Limit) + "/s setting"
	}
	return line
}

// limitInForce is the limit that keeps the download from being faster, in bytes a second; 0: none does. The limit for all downloads
// does so to each of them, whatever its part of it is.
func (a *actor) limitInForce(rate int64) int64 {
	own, all := a.rec.Request.RateLimit, a.cfg.Settings().DownloadLimit
	switch {
	case own > 0 && rate > own*9/10:
		return own
	case all > 0 && a.cfg.Limit.Slows():
		return all
	}
	return 0
}

// why says what limits the speed; nothing while nothing is downloaded.
func (a *actor) why(s api.Download) api.Phrase {
	t := a.transfer()
	switch {
	case t == nil:
		return api.Phrase{}
	case s.Limit > 0:
		return api.Say(api.SayWhyLimit, "rate", number(s.Limit))
	case t.edgeErr != nil && t.counted.Delivering == 0:
		return api.Say(api.SayWhyNobody)
	case t.swarm == nil:
		return api.Say(api.SayWhyNoPeers)
	case t.counted.Behind:
		return api.Say(api.SayWhyBehind)
	case s.Peers == 0:
		return api.Say(api.SayWhyNoneYet)
	case t.allowance >= hybrid.Unlimited:
		return api.Say(api.SayWhyAll)
	case t.allowance < 1:
		return api.Say(api.SayWhySpared)
	default:
		return api.Say(api.SayWhyHeldBack, "rate", number(int64(t.allowance)))
	}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func (a *actor) detail() api.Detail {
	s := a.snapshot()
	d := api.Detail{Download: s, Timeline: a.rec.Timeline, WhySay: a.why(s)}
	if d.WhySay.Code != "" {
		d.Why = d.WhySay.English()
	}
	t := a.transfer()
	switch {
	case t != nil:
		for _, h := range t.source.Stats() {
			d.Sources = append(d.Sources, api.Source{Kind: "edge", Name: h.Name, Received: h.Bytes, Rate: h.Rate, State: h.State})
		}
		if t.swarm != nil {
			d.Sources = append(d.Sources, t.swarm.Sources()...)
		}
		d.Pieces, d.PieceLength = t.pieceMap(), t.geo.unit
	case a.shared != nil:
		d.Sources = a.shared.Sources()
	}
	return d
}

const longestMap = 4096

// pieceMap is one letter a piece, sampled if there are too many.
func (t *transfer) pieceMap() string {
	n := len(t.origin)
	out := make([]byte, min(n, longestMap))
	for k := range out {
		i := k * n / len(out)
		out[k] = t.origin[i]
		if out[k] == api.PieceMissing && t.pieces[i].Outstanding > 0 {
			out[k] = api.PiecePeers
		}
	}
	return string(out)
}

func nameFromURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	path := strings.TrimRight(u.Path, "/")
	if i := strings.LastIndexByte(path, '/'); i >= 0 && path[i+1:] != "" {
		return path[i+1:]
	}
	return u.Host
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
