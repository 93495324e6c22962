// Package api is the vocabulary that the service and its clients share: values that cross the local
// socket as JSON. It imports nothing of the project and must never hold behaviour beyond formatting
// and validation. Fields are only ever added; names and codes never change their meaning.
package api

import "time"

// State says what a download is doing. What the user wants is Want; State follows from it and events.
type State string

const (
	StateQueued      State = "queued"      // waits for its turn
	StateResolving   State = "resolving"   // asks the edge what the URL names
	StateDownloading State = "downloading" // bytes are arriving, or could
	StateFinishing   State = "finishing"   // all bytes are there; flushing, checking, renaming
	StateComplete    State = "complete"    // the file is at Path
	StatePaused      State = "paused"      // the user wants it to rest
	StateWaiting     State = "waiting"     // trouble that may pass; Problem says what and when it is tried again
	StateFailed      State = "failed"      // needs the user; Problem says what to do
)

// Want is what the user wants of a download.
type Want string

const (
	WantRun   Want = "run"
	WantPause Want = "pause"
)

// Verdict says how far the bytes can be trusted.
type Verdict string

const (
	VerdictPublisher  Verdict = "publisher"  // every piece verified against the publisher's signed manifest
	VerdictHash       Verdict = "hash"       // the whole file matches the checksum that the user gave
	VerdictUnverified Verdict = "unverified" // nothing to verify against
)

// Errand is what only its owner's session can do for a download of a machine's service, which has no right to any
// user's folder: it owns bytes, the session owns names. engine/client.Agent does errands.
type Errand struct {
	Kind ErrandKind `json:"kind"`
	Dir  string     `json:"dir"`            // absolute
	Part string     `json:"part"`           // the unfinished file in Dir
	Name string     `json:"name,omitempty"` // it has, or is to have in the end, or another if that is taken; empty: not known yet
}

// ErrandKind says what is to be done.
type ErrandKind string

const (
	ErrandHand ErrandKind = "hand" // open Part and hand it over
	ErrandName ErrandKind = "name" // all bytes are durable: give the file its name, and hand it over under that

	ErrandShare ErrandKind = "share" // complete, and may be given to peers: open Name and hand it over, to be read
)

// Download is a snapshot of one download. Rates are bytes a second over the last seconds.
type Download struct {
	ID        string  `json:"id"`
	URL       string  `json:"url"` // without user-info
	Name      string  `json:"name"`
	Path      string  `json:"path"` // where the file is, or will be
	State     State   `json:"state"`
	Want      Want    `json:"want"`
	Note      string  `json:"note"` // one line of plain words about what happens now
	Verdict   Verdict `json:"verdict"`
	Publisher string  `json:"publisher,omitempty"`
	ContentID string  `json:"content_id,omitempty"` // hex; empty for a plain download
	Mode      string  `json:"mode,omitempty"`       // the publisher's policy: speed or offload
	Priority  int     `json:"priority"`             // order in the queue, smaller first

	TotalBytes     int64 `json:"total_bytes"` // -1 while unknown
	VerifiedBytes  int64 `json:"verified_bytes"`
	DurableBytes   int64 `json:"durable_bytes"`
	BytesFromEdge  int64 `json:"bytes_from_edge"`  // verified
	BytesFromPeers int64 `json:"bytes_from_peers"` // verified
	BytesWasted    int64 `json:"bytes_wasted"`     // received, but double or wrong
	BytesUploaded  int64 `json:"bytes_uploaded"`   // payload sent to peers

	Rate       int64 `json:"rate"`
	EdgeRate   int64 `json:"edge_rate"`
	PeerRate   int64 `json:"peer_rate"`
	UploadRate int64 `json:"upload_rate"`
	ETASeconds int64 `json:"eta_seconds"`           // -1 while unknown
	Peers      int   `json:"peers"`                 // connected
	Edges      int   `json:"edges"`                 // in use
	Limit      int64 `json:"limit,omitempty"`       // the user's own, where it is what limits the rate; else 0
	EdgeSilent bool  `json:"edge_silent,omitempty"` // no edge answers at the moment

	Problem  *Problem   `json:"problem"`
	Part     string     `json:"part,omitempty"`   // of a machine's service: name of the unfinished file, beside Path
	Owner    string     `json:"owner,omitempty"`  // of a machine's service: the user whose download it is, a uid or SID
	Errand   *Errand    `json:"errand,omitempty"` // what its owner's session is asked to do
	SHA256   string     `json:"sha256,omitempty"` // hex, of the whole file, when complete
	Checksum string     `json:"checksum,omitempty"`
	Shared   bool       `json:"shared"` // complete and offered to peers
	Added    time.Time  `json:"added"`
	Started  *time.Time `json:"started"`
	Finished *time.Time `json:"finished"`
	Active   float64    `json:"active_seconds"` // time spent downloading, over all runs
}

// PathKind says how a peer is reached.
type PathKind string

const (
	PathLAN     PathKind = "lan"
	PathDirect  PathKind = "direct"
	PathIPv6    PathKind = "ipv6"
	PathRelayed PathKind = "relayed"
)

// Source is one row of the table of sources of a download.
type Source struct {
	Kind     string   `json:"kind"` // "edge" or "peer"
	Name     string   `json:"name"` // host of an edge; short name of a peer, valid for this session
	Path     PathKind `json:"path,omitempty"`
	Received int64    `json:"received"` // verified bytes taken from it
	Sent     int64    `json:"sent"`     // payload bytes given to it
	Wasted   int64    `json:"wasted"`
	Rate     int64    `json:"rate"`
	SendRate int64    `json:"send_rate"`
	State    string   `json:"state"` // plain words: "sending", "idle", "backing off until 12:03"
}

// Piece map letters, one byte a piece, see Detail.Pieces.
const (
	PieceMissing  = '.'
	PieceClaimed  = 'e' // an edge is asked for it
	PiecePeers    = 'p' // peers are asked for it
	PieceFromEdge = 'E' // verified
	PieceFromPeer = 'P' // verified
	PieceHad      = 'H' // verified before this run
)

// Detail is what the detail view of one download shows beside its snapshot.
type Detail struct {
	Download
	Sources     []Source   `json:"sources"`
	Pieces      string     `json:"pieces"` // one letter a piece, at most 4096; longer maps are sampled
	PieceLength int64      `json:"piece_length"`
	Timeline    []Happened `json:"timeline"` // the last 200
	Why         string     `json:"why"`      // what limits the speed
	WhySay      Phrase     `json:"why_say,omitzero"`
}

// Happened is one entry of a download's timeline.
type Happened struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
	Say  Phrase    `json:"say,omitzero"` // Text for other languages
}

// AddRequest asks for a download. Only URL is needed. Either all of it is taken or nothing changes.
type AddRequest struct {
	URL        string            `json:"url"`
	Mirrors    []string          `json:"mirrors,omitempty"` // further URLs of the same bytes
	Dir        string            `json:"dir,omitempty"`     // absolute; empty: the setting
	Out        string            `json:"out,omitempty"`     // file name; empty: what the server or the URL says
	Checksum   string            `json:"checksum,omitempty"`
	User       string            `json:"user,omitempty"` // basic authentication
	Password   string            `json:"password,omitempty"`
	Headers    map[string]string `json:"headers,omitempty"`
	Cookies    string            `json:"cookies,omitempty"` // a Cookie header's value
	Proxy      string            `json:"proxy,omitempty"`   // http, https or socks5 URL; empty: the setting
	Paused     bool              `json:"paused,omitempty"`
	Priority   int               `json:"priority,omitempty"`
	RateLimit  int64             `json:"rate_limit,omitempty"`  // bytes a second; 0: none
	Tries      int               `json:"tries,omitempty"`       // of the server in a row that bring nothing, after which it has failed; 0: the setting
	AllowLocal bool              `json:"allow_local,omitempty"` // redirects may lead to private addresses
	Part       string            `json:"part,omitempty"`        // to a machine's service: name in Dir of the empty file that comes with the request
}
