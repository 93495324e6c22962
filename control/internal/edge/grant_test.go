package edge

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/internal/allowance"
	"github.com/tributary-dl/tributary/control/internal/publish"
	"github.com/tributary-dl/tributary/control/protocol"
)

func newDevice(n int) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(fmt.Sprintf("%032d", n)))
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (l *lab) ask(body []byte) (*http.Response, []byte) {
	l.t.Helper()
	return l.do(l.h2, "POST", protocol.GrantPath, bytes.NewReader(body), "Content-Type: application/json")
}

func TestGrantIsForThisDeviceAndObjectOnly(t *testing.T) {
	l := start(t, nil)
	o := l.publish("a.bin", content(100), nil)
	device := newDevice(1)
	now := time.Now()
	resp, body := l.ask(encode(t, protocol.NewGrantRequest(o.ID, device, now)))
	answered := time.Now() // a grant begins with the second it is given in, which may be the next after now
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	sealed := decode[protocol.GrantAnswer](t, body).Grant
	keys, err := publish.OpenKeys(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	g, err := protocol.OpenGrant(sealed, keys.Grant.Public().(ed25519.PublicKey), now)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := protocol.KeyFrom(device.Public().(ed25519.PublicKey))
	if g.Content != o.ID || g.Device != key || g.Expires.Sub(g.NotBefore) != time.Hour || g.Expires.After(answered.Add(time.Hour)) || g.ID == [16]byte{} {
		t.Errorf("grant %+v", g)
	}
	if s := l.edge.Stats(); s.GrantsGiven != 1 || s.GrantsRefused != 0 {
		t.Errorf("stats %+v", s)
	}

	// A request with the grant is logged under the device; one with a grant for other content is not.
	other := l.publish("b.bin", content(200), nil)
	header := protocol.GrantHeader + ": " + base64.StdEncoding.EncodeToString(sealed)
	l.get("/a.bin", header)
	l.get("/b.bin", header)
	l.get("/a.bin", protocol.GrantHeader+": nonsense")
	l.stop()
	f, err := os.Open(LogPath(l.dir))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	devices := map[string][]string{}
	ReadLog(f, func(e Entry) error { devices[e.Content] = append(devices[e.Content], e.Device); return nil })
	if got := fmt.Sprintf("%q %q", devices[o.ID.String()], devices[other.ID.String()]); got != fmt.Sprintf(`[%q ""] [""]`, key.GUID()) {
		t.Errorf("devices in the log: %s", got)
	}
}

func TestGrantRefusals(t *testing.T) {
	l := start(t, nil)
	o := l.publish("a.bin", content(100), nil)
	edgeOnly := l.publish("edge-only.bin", content(101), func(o *publish.Options) { o.Policy.Peers = false })
	ended := l.publish("ended.bin", content(102), func(o *publish.Options) { o.NotAfter = time.Now().Add(-time.Hour) })
	now := time.Now()
	request := func(id protocol.ContentID, at time.Time, bend func(*protocol.GrantRequest)) []byte {
		r := protocol.NewGrantRequest(id, newDevice(1), at)
		if bend != nil {
			bend(&r)
		}
		return encode(t, r)
	}
	for what, c := range map[string]struct {
		body   []byte
		status int
	}{
		"nothing":                  {nil, 400},
		"not JSON":                 {[]byte("grant, please"), 400},
		"a list":                   {[]byte("[]"), 400},
		"empty object":             {[]byte("{}"), 400},
		"more than 4 KiB":          {[]byte(`{"content":"` + strings.Repeat("a", 5000) + `"}`), 400},
		"content that is no ID":    {request(o.ID, now, func(r *protocol.GrantRequest) { r.Content = "../../x" }), 400},
		"content not signed":       {request(o.ID, now, func(r *protocol.GrantRequest) { r.Content = edgeOnly.ID.String() }), 400},
		"another's device":         {request(o.ID, now, func(r *protocol.GrantRequest) { r.Device = newDevice(2).Public().(ed25519.PublicKey) }), 400},
		"short device key":         {request(o.ID, now, func(r *protocol.GrantRequest) { r.Device = r.Device[:31] }), 400},
		"no signature":             {request(o.ID, now, func(r *protocol.GrantRequest) { r.Signature = nil }), 400},
		"a clock that is behind":   {request(o.ID, now.Add(-time.Hour), nil), 400},
		"a clock that is ahead":    {request(o.ID, now.Add(time.Hour), nil), 400},
		"an unknown object":        {request(protocol.ContentID{1}, now, nil), 404},
		"an object without peers":  {request(edgeOnly.ID, now, nil), 403},
		"an object past its terms": {request(ended.ID, now, nil), 403},
	} {
		resp, body := l.ask(c.body)
		if resp.StatusCode != c.status || decode[map[string]string](t, body)["error"] == "" {
			t.Errorf("%s: %s, %s; want %d and a sentence", what, resp.Status, body, c.status)
		}
	}
	if s := l.edge.Stats(); s.GrantsGiven != 0 || s.GrantsRefused != 15 {
		t.Errorf("stats %+v", s)
	}
}

func TestGreedyDeviceIsAskedToWait(t *testing.T) {
	l := start(t, nil)
	l.edge.byDevice = allowance.New(0.1, 3)
	o := l.publish("a.bin", content(100), nil)
	for i := range 5 {
		resp, _ := l.ask(encode(t, protocol.NewGrantRequest(o.ID, newDevice(1), time.Now())))
		want := 200
		if i >= 3 {
			want = 429
			if wait, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 10 {
				t.Errorf("Retry-After %q; want up to 10 s", resp.Header.Get("Retry-After"))
			}
		}
		if resp.StatusCode != want {
			t.Errorf("request %d: %s; want %d", i, resp.Status, want)
		}
	}
	if resp, _ := l.ask(encode(t, protocol.NewGrantRequest(o.ID, newDevice(2), time.Now()))); resp.StatusCode != http.StatusOK {
		t.Errorf("another device: %s", resp.Status)
	}
}
