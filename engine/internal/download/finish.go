package download

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/control/protocol/merkle"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// finishIfDone ends the transfer when nothing is missing.
func (a *actor) finishIfDone(t *transfer) bool {
	if t != a.transfer() || t.act.stopping() || t.left > 0 || t.streaming || a.state != api.StateDownloading {
		return false
	}
	a.finish(t)
	return true
}

// finish flushes, checks and renames, in a worker. The swarm stays: others may still want what we have.
func (a *actor) finish(t *transfer) {
	act := t.act
	a.setState(api.StateFinishing)
	a.look(t, time.Now())
	a.publishIfDue(true)
	d, file, unit := a.handle, a.file, t.geo.unit
	rec := a.rec
	known := "" // the publisher's SHA-256, proved by the pieces
	if a.manifest != nil && a.manifest.Terms != nil && a.manifest.Terms.SHA256 != ([32]byte{}) {
		known = hex.EncodeToString(a.manifest.Terms.SHA256[:])
	}
	journal := a.cfg.Journal
	a.goWorker(func() {
		sum, problem, err := check(act.ctx, file, unit, rec.Request.Checksum, known)
		path := ""
		if err == nil && problem == nil {
			path, err = file.Finish(act.ctx, func(ident storage.Identity) error {
				rec := rec
				rec.File, rec.SHA256 = &ident, sum
				return <-journal.Save(rec.ID, rec.encode())
			})
		}
		d.post(func(a *actor) { a.finished(act, path, sum, problem, err) })
	})
}

func (a *actor) finished(act *activity, path, sum string, problem *api.Problem, err error) {
	if a.act != act {
		return
	}
	switch {
	case path != "":
		a.complete(path, sum, a.file.Identity())
		if !act.stopping() {
			a.keepSharing(act)
			a.isComplete()
		}
	case act.stopping(): // the next start checks again
	case errors.Is(err, storage.ErrOwnerNames):
		a.awaitName(sum)
	case problem != nil:
		a.trouble(*problem, 0, false)
		a.discardPart()
		a.save()
	default:
		a.trouble(diskTrouble(err))
	}
}

// complete records that the file has its name; nothing takes that back.
func (a *actor) complete(path, sum string, ident storage.Identity) {
	now := time.Now()
	a.rec.Complete, a.rec.Finished, a.rec.SHA256 = true, &now, sum
	a.rec.Path, a.rec.Name = path, filepath.Base(path)
	a.rec.File = &ident
	a.problem = nil
	a.rec.happened(api.SayComplete, "edge_bytes", number(a.rec.FromEdge), "peer_bytes", number(a.rec.FromPeers))
	a.log.Info("download complete", "path", path, "edge", a.rec.FromEdge, "peers", a.rec.FromPeers, "wasted", a.rec.Wasted)
}

// keepSharing ends the activity but not its swarm: peers may still want what we have.
func (a *actor) keepSharing(act *activity) {
	act.cancel()
	a.waitForWorkers() // edge requests that peers have overtaken
	t := act.transfer
	t.settle(a)
	a.act = nil
	a.rec.Active += time.Since(act.began)
	if a.shared, a.sharedAt = t.swarm, t.counted; t.swarm != nil {
		t.swarm.Seek(false)
	}
	a.report(t.swarm, "completed", "")
}

// isComplete is the rest after everything.
func (a *actor) isComplete() {
	a.admitted = false
	a.setState(api.StateComplete)
	a.updateSharing()
	a.pace()
	a.save()
	a.publishIfDue(true)
}

// check compares the whole file with the checksum that the user gave. It returns the file's SHA-256, from the
// publisher where the pieces have proved it.
func check(ctx context.Context, file *storage.Object, unit int64, asked, known string) (sum string, p *api.Problem, err error) {
	kind, want, _ := strings.Cut(asked, ":")
	if known != "" && (asked == "" || kind == "sha-256") {
		if asked != "" && !strings.EqualFold(want, known) {
			problem := checksumProblem(asked, "sha-256:"+known)
			return known, &problem, nil
		}
		return known, nil, nil
	}
	sha := sha256.New()
	var other checksum
	w := io.Writer(sha)
	if asked != "" && kind != "sha-256" {
		if other, err = hashOf(kind); err != nil {
			return "", nil, err
		}
		w = io.MultiWriter(sha, other)
	}
	if err := readAll(ctx, file, unit, w); err != nil {
		return "", nil, err
	}
	sum = hex.EncodeToString(sha.Sum(nil))
	got := sum
	if other != nil {
		got = hex.EncodeToString(other.Sum(nil))
	}
	if asked != "" && !strings.EqualFold(want, got) {
		problem := checksumProblem(asked, kind+":"+got)
		return sum, &problem, nil
	}
	return sum, nil, nil
}

// checksum is what hash.Hash and a tree of hashes have in common.
type checksum interface {
	io.Writer
	Sum(b []byte) []byte
	Size() int
}

// treeSum is the root of BEP 52's tree over a whole file, which torrents name.
type treeSum struct{ merkle.Hasher }

func (t *treeSum) Size() int { return merkle.Size }

// Sum ends the sum: it can be asked for once.
func (t *treeSum) Sum(b []byte) []byte {
	root := t.Root(1)
	return append(b, root[:]...)
}

func hashOf(kind string) (checksum, error) {
	switch kind {
	case "md5":
		return md5.New(), nil
	case "sha-1":
		return sha1.New(), nil
	case "sha-256":
		return sha256.New(), nil
	case "sha-512":
		return sha512.New(), nil
	case "merkle-sha-256":
		return &treeSum{}, nil
	}
	return nil, fmt.Errorf("checksums of kind %q are not known", kind)
}

// NormalizeChecksum checks a user's checksum and writes it as KIND:hex. A bare number of hex digits tells its
// own kind.
func NormalizeChecksum(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "" {
		return "", nil
	}
	kind, digits, found := strings.Cut(s, ":")
	if !found {
		kind, digits = map[int]string{32: "md5", 40: "sha-1", 64: "sha-256", 128: "sha-512"}[len(s)], s
	}
	switch kind {
	case "sha1", "sha256", "sha512":
		kind = "sha-" + kind[3:]
	}
	h, err := hashOf(kind)
	raw, hexErr := hex.DecodeString(digits)
	if err != nil || hexErr != nil || len(raw) != h.Size() {
		return "", fmt.Errorf("%q is not a checksum; write it as sha-256:HEX (also md5, sha-1, sha-512)", s)
	}
	return kind + ":" + digits, nil
}
