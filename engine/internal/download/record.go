package download

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// Record is what survives a restart. The state database is readable by its owner only: it may hold the
// user's passwords for servers.
type Record struct {
	ID       string
	Request  api.AddRequest
	Want     api.Want
	Complete bool
	Problem  *api.Problem // set: failed, waits for the user
	Owner    string       // the user who opens and names the file; empty: we do
	Part     string       // with an owner: what the unfinished file is called in Request.Dir
	Name     string
	Path     string
	Started  *time.Time
	Finished *time.Time
	Added    time.Time
	Active   time.Duration // spent downloading

	// What the URL named when it was first resolved.
	Manifest   []byte         `json:"-"` // raw, stored beside the record; nil: a plain download
	Resource   *edge.Resource // of a plain download: size, validator, mirrors
	File       *storage.Identity
	Validators map[string]edge.Validator // what each mirror said of its bytes, by URL
	Restarts   int                       // times that the file on the server had changed
	Vain       int                       // tries of the edge in a row that brought nothing
	Suspect    bool                      // the part file was changed: hash all of it when it is opened next

	FromEdge, FromPeers, Wasted, Uploaded int64 // bytes
	SHA256                                string
	NotShared                             bool // withdrawn by the user
	ReportID                              [16]byte
	ReportSeq                             uint32
	Timeline                              []api.Happened
}

// ParseRecord reads what Download saved.
func ParseRecord(raw []byte) (r Record, err error) {
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("record of a download: %w", err)
	}
	return r, nil
}

// encode writes the record for the state database. Nothing in it can fail to be JSON.
func (r *Record) encode() []byte {
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return raw
}

// named tells that all bytes were there and the file was about to get its name, or has it.
func (r *Record) named() bool {
	return r.File != nil && r.File.Stage != storage.StagePart && r.Resource != nil
}

const timelineLength = 200

// happened writes down what a phrase says; args are as api.Say takes them.
func (r *Record) happened(code string, args ...string) {
	say := api.Say(code, args...)
	r.note(say, say.English())
}

// happenedTo writes down a phrase about a problem.
func (r *Record) happenedTo(code string, p *api.Problem) {
	say := api.Say(code)
	if p.Say.Code == "" { // a rare one, which is told in English alone
		say.Of = &api.Phrase{Code: p.Text}
		r.note(api.Phrase{}, say.English())
		return
	}
	say.Of = &p.Say
	r.note(say, say.English())
}

func (r *Record) note(say api.Phrase, text string) {
	r.Timeline = append(r.Timeline, api.Happened{Time: time.Now(), Text: text, Say: say})
	if n := len(r.Timeline) - timelineLength; n > 0 {
		r.Timeline = append(r.Timeline[:0:0], r.Timeline[n:]...)
	}
}

// reconcile makes the counts of bytes agree with what the file has. After a power cut or a failed flush the
// record may be older than the file, or pieces that were counted may be gone. Where it is not known from whom bytes
// came they count as the edge's, so that peers are never credited with too much.
func (r *Record) reconcile(had int64) {
	missing := r.FromEdge + r.FromPeers - had
	if missing <= 0 {
		r.FromEdge -= missing
		return
	}
	fromPeers := min(missing, r.FromPeers)
	r.FromPeers -= fromPeers
	r.FromEdge -= missing - fromPeers
	r.Wasted += missing
}
