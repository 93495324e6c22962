package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// given returns what the user's ledger says was sent, as the command line shows it.
func (u *user) given(ctx context.Context) (bytes int64, peers int) {
	u.t.Helper()
	out, err := u.Ctl(ctx, "ledger", "--json")
	if err != nil {
		u.t.Fatal(err)
	}
	for lines := json.NewDecoder(strings.NewReader(string(out))); lines.More(); {
		var entry api.LedgerEntry
		if err := lines.Decode(&entry); err != nil {
			u.t.Fatalf("ledger --json printed %q: %v", out, err)
		}
		bytes, peers = bytes+entry.Bytes, max(peers, entry.Peers)
	}
	return bytes, peers
}

// Not a byte leaves once `sharing off` has returned, in the middle of an upload; every byte that left before
// is in the ledger, also after a kill.
func TestSharingOffInTheMiddleOfAnUpload(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(48 * mib)
	anna := w.seeder("anna", url, original, 6*mib)
	w.edge.slow(2 * mib)
	carla := w.user("carla")
	id := carla.add(w.ctx, url)
	carla.until(w.ctx, id, func(d api.Download) bool { return d.BytesFromPeers >= 6*mib })
	anna.share(w.ctx, api.SharingOff)
	before, peers := anna.given(w.ctx)
	w.edge.slow(6 * mib)
	d := carla.completes(w.ctx, id, original)
	after, _ := anna.given(w.ctx)
	if after != before {
		t.Errorf("%d bytes left after sharing was switched off", after-before)
	}
	if peers != 1 || before < d.BytesFromPeers {
		t.Errorf("the ledger has %d bytes to %d peers; carla took %d from her", before, peers, d.BytesFromPeers)
	}
	if before > original.size {
		t.Errorf("the ledger has %d bytes of a file of %d", before, original.size)
	}
	anna.Kill() // carla's edge took longer than the ledger needs to be written
	anna.start()
	if got, _ := anna.given(w.ctx); got != before {
		t.Errorf("after a kill the ledger has %d bytes; want %d", got, before)
	}
}

// One limit holds for all who take from us, and a change of it is felt within a second.
func TestUploadLimitHoldsForAllPeersTogether(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(96 * mib)
	anna := w.seeder("anna", url, original, 2*mib)
	w.edge.slow(mib / 2)
	for _, name := range []string{"carla", "dora"} {
		u := w.user(name)
		u.until(w.ctx, u.add(w.ctx, url), func(d api.Download) bool { return d.BytesFromPeers > 0 })
	}
	measure := func(limit int64) {
		t.Helper()
		anna.limitUploads(w.ctx, limit)
		time.Sleep(time.Second) // this and the next one are what is measured, not waits for something
		began := time.Now()
		before, _ := anna.given(w.ctx)
		time.Sleep(3 * time.Second)
		after, _ := anna.given(w.ctx)
		rate := float64(after-before) / time.Since(began).Seconds()
		if rate < 0.6*float64(limit) || rate > 1.25*float64(limit) {
			t.Errorf("two peers took %.1f MiB/s; the limit is %d MiB/s", rate/mib, limit/mib)
		}
	}
	measure(2 * mib)
	measure(8 * mib)
	measure(2 * mib)
}

// One limit holds for all downloads, from edge and peers together.
func TestDownloadLimitHoldsForAllDownloadsTogether(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(96 * mib)
	w.seeder("anna", url, original, 32*mib)
	other := newFile(t, w.folder, "other.bin", 96*mib, 2)
	others, err := w.control.Publish(w.ctx, "", other.path)
	if err != nil {
		t.Fatal(err)
	}
	carla := w.user("carla")
	limit := func(n int64) {
		t.Helper()
		if _, err := carla.SetSettings(w.ctx, api.SettingsPatch{DownloadLimit: &n}); err != nil {
			t.Fatal(err)
		}
	}
	limit(2 * mib)
	ids := []string{carla.add(w.ctx, url), carla.add(w.ctx, others[0])}
	for _, id := range ids {
		carla.until(w.ctx, id, func(d api.Download) bool { return d.VerifiedBytes > 0 })
	}
	received := func() (sum int64) {
		t.Helper()
		for _, id := range ids {
			d, err := carla.Download(w.ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range d.Sources {
				sum += s.Received
			}
		}
		return sum
	}
	for _, rate := range []int64{2 * mib, 8 * mib, 2 * mib} {
		limit(rate)
		time.Sleep(time.Second) // this and the next one are what is measured, not waits for something
		began, before := time.Now(), received()
		time.Sleep(3 * time.Second)
		got := float64(received()-before) / time.Since(began).Seconds()
		if got < 0.6*float64(rate) || got > 1.25*float64(rate) {
			t.Errorf("two downloads took %.1f MiB/s; the limit is %d MiB/s", got/mib, rate/mib)
		}
	}
}

// The publisher's number of copies holds whatever the user would give.
func TestPublisherLimitsCopies(t *testing.T) {
	w := newWorld(t)
	policy := filepath.Join(w.folder, "policy.json")
	if err := os.WriteFile(policy, []byte(`{"mode":"speed","peers":true,"uploads_per_object":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	original := newFile(t, w.folder, "file.bin", 16*mib, 1)
	urls, err := w.control.Publish(w.ctx, policy, original.path)
	if err != nil {
		t.Fatal(err)
	}
	anna := w.seeder("anna", urls[0], original, 16*mib)
	w.edge.slow(2 * mib)
	var others []*user
	var ids []string
	for _, name := range []string{"carla", "dora", "emil"} {
		u := w.user(name)
		others, ids = append(others, u), append(ids, u.add(w.ctx, urls[0]))
	}
	for i, u := range others {
		u.completes(w.ctx, ids[i], original)
	}
	blocks := int64(len(others) * 64 << 10) // that were under way when it was reached
	if got, _ := anna.given(w.ctx); got == 0 || got > original.size+blocks {
		t.Errorf("anna gave %d bytes of a file of %d; want one copy at most", got, original.size)
	}
}

// What the user entrusts to us for a server shows nowhere, and others cannot read our files.
func TestSecretsStaySecret(t *testing.T) {
	w := newWorld(t)
	u := w.user("carla")
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch user, password, _ := r.BasicAuth(); {
		case r.URL.Path == "/moved":
			http.Redirect(rw, r, "http://localhost:1/elsewhere", http.StatusFound)
		case r.URL.Path == "/refused" || user != "carla" || password == "":
			rw.WriteHeader(http.StatusUnauthorized)
		default:
			http.ServeContent(rw, r, "file", time.Time{}, strings.NewReader("content"))
		}
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	const password, header, cookie, typed, token = "pw-0a1b2c", "header-3d4e5f", "cookie-6a7b8c", "typed-9d0e1f", "token-2a3b4c"
	requests := []api.AddRequest{
		{URL: "http://" + host + "/file", User: "carla", Password: password},
		{URL: "http://carla:" + typed + "@" + host + "/file"},
		{URL: "http://" + host + "/refused", User: "carla", Password: password},
		{URL: "http://carla:" + typed + "@" + host + "/moved"},
		{URL: "http://carla:" + typed + "@127.0.0.1:1/nobody", Mirrors: []string{"http://carla:" + typed + "@127.0.0.1:2/nobody"}},
	}
	var seen []string
	for i, r := range requests {
		r.Dir, r.Headers, r.Cookies = u.folder, map[string]string{"X-Key": header}, cookie
		d, err := u.Add(w.ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		d = u.until(w.ctx, d.ID, func(d api.Download) bool { return d.State == api.StateComplete || d.Problem != nil })
		if (d.State == api.StateComplete) != (i < 2) {
			t.Errorf("%s is %s: %+v", d.URL, d.State, d.Problem)
		}
		out, err := u.Ctl(w.ctx, "show", d.ID, "--json")
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, string(out))
	}
	for _, bad := range []api.AddRequest{
		{URL: "http://carla:" + typed + "@ho st/"}, {URL: "ftp://carla:" + typed + "@" + host + "/"}, {URL: "http://carla:" + typed + "@:x/"},
		{URL: "http://" + host + "/file", Mirrors: []string{"http://carla:" + typed + "@"}},
	} {
		_, err := u.Add(w.ctx, bad)
		if err == nil {
			t.Errorf("%s was taken", bad.URL)
			continue
		}
		seen = append(seen, err.Error())
	}
	if _, err := u.Add(w.ctx, api.AddRequest{URL: "http://" + host + "/file?token=" + token, Dir: u.folder, User: "carla", Password: password}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list", "--json"}, {"doctor", "--json"}, {"policy", "explain"}} {
		out, err := u.Ctl(w.ctx, args...)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, strings.ReplaceAll(string(out), "?token="+token, "")) // the user's own URL is shown to the user
	}
	seen = append(seen, u.Log()...)
	for _, secret := range []string{password, header, cookie, typed, token} {
		for _, text := range seen {
			if strings.Contains(text, secret) {
				t.Errorf("%q shows in %q", secret, text)
			}
		}
	}
	for name, want := range map[string]os.FileMode{".": 0o700, "state.db": 0o600, "device.json": 0o600, "tributaryd.log": 0o600} {
		info, err := os.Stat(filepath.Join(u.options.Data, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o; want %o", name, info.Mode().Perm(), want)
		}
	}
}
