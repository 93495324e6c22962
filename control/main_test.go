package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/tributary-dl/tributary/control/internal/ca"
	"github.com/tributary-dl/tributary/control/internal/serve"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// server is a `tributary-control serve` that runs in the test's process.
type server struct {
	serve.Ready
	stop context.CancelFunc
	exit chan int
}

func startServer(t *testing.T, data string, more ...string) *server {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s := &server{stop: stop, exit: make(chan int, 1)}
	lines, stdout := io.Pipe()
	go func() {
		args := append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, more...)
		s.exit <- run(ctx, args, stdout, t.Output())
		stdout.Close()
	}()
	t.Cleanup(stop)
	if err := json.NewDecoder(lines).Decode(&s.Ready); err != nil {
		t.Fatalf("ready line: %v", err)
	}
	return s
}

// command runs another command to its end.
func command(t *testing.T, args ...string) (stdout string, exit int) {
	t.Helper()
	var out bytes.Buffer
	exit = run(t.Context(), args, &out, t.Output())
	return out.String(), exit
}

func TestServePublishDownloadReport(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data)
	file := filepath.Join(t.TempDir(), "film.bin")
	content := bytes.Repeat([]byte("tributary "), 100_000)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	urls, exit := command(t, "publish", "--data", data, file)
	if want := s.Edge + "/film.bin\n"; exit != exitDone || urls != want {
		t.Fatalf("publish: %d, %q; want %q", exit, urls, want)
	}
	roots, err := ca.Pool(data)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	answer, err := client.Get(strings.TrimSpace(urls))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || !bytes.Equal(got, content) || answer.ProtoMajor != 2 {
		t.Errorf("download over %s: %d bytes, %v; want the file over HTTP/2", answer.Proto, len(got), err)
	}
	reportOf(t, s, roots) // a client's word, while the edge's log is being written

	out, exit := command(t, "report", "--data", data, "--format", "json")
	if exit != exitDone || !strings.Contains(out, `"peer_bytes_reported": 600000`) {
		t.Errorf("report of a running server: %d\n%s", exit, out)
	}
	s.stop()
	if exit := <-s.exit; exit != exitDone {
		t.Errorf("serve ended with %d", exit)
	}
	path := filepath.Join(t.TempDir(), "report.csv")
	if _, exit := command(t, "report", "--data", data, "--format", "csv", "--out", path); exit != exitDone {
		t.Fatalf("report: %d", exit)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), ",film.bin,1,0,1,0,0,0,1000000,400000,600000,") {
		t.Errorf("report: %v\n%s", err, text)
	}
	again, exit := command(t, "publish", "--data", data, file)
	if exit != exitDone || again != urls {
		t.Errorf("publish without a server: %d, %q", exit, again)
	}
}

func TestDownloadUnderWayMayFinish(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data, "--edge-rate", "8000000")
	file := filepath.Join(t.TempDir(), "film.bin")
	const size = 8_000_000 // a second at that rate, well within the grace
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	urls, exit := command(t, "publish", "--data", data, file)
	if exit != exitDone {
		t.Fatalf("publish: %d", exit)
	}
	roots, err := ca.Pool(data)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	answer, err := client.Get(strings.TrimSpace(urls))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	s.stop()
	if n, err := io.Copy(io.Discard, answer.Body); n != size || err != nil {
		t.Errorf("got %d bytes, %v; want the whole file", n, err)
	}
	if exit := <-s.exit; exit != exitDone {
		t.Errorf("serve ended with %d", exit)
	}
	if _, err := client.Get(strings.TrimSpace(urls)); err == nil {
		t.Error("the server still answers")
	}
}

// reportOf logs in as a device over the same port and reports that it has downloaded the film.
func reportOf(t *testing.T, s *server, roots *x509.CertPool) {
	t.Helper()
	_, key, _ := ed25519.GenerateKey(nil)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, s.Control+protocol.SessionPath, &websocket.DialOptions{
		Subprotocols: []string{protocol.Subprotocol},
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: roots, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close(websocket.StatusNormalClosure, "")
	say := func(m *wire.ClientMessage) *wire.NodeMessage {
		t.Helper()
		data, err := proto.Marshal(m)
		if err == nil {
			err = ws.Write(ctx, websocket.MessageBinary, data)
		}
		if err == nil {
			_, data, err = ws.Read(ctx)
		}
		answer := &wire.NodeMessage{}
		if err == nil {
			err = proto.Unmarshal(data, answer)
		}
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	welcome := say(&wire.ClientMessage{Body: &wire.ClientMessage_Login{Login: &wire.Login{Version: 1, SecondaryGuids: [][]byte{make([]byte, 16)}}}}).GetWelcome()
	if len(welcome.GetStun()) != 2 || welcome.Stun[0] != s.STUN {
		t.Errorf("welcome = %v; want it to tell of %s", welcome, s.STUN)
	}
	content := contentOf(t, s, roots)
	recorded := say(&wire.ClientMessage{Body: &wire.ClientMessage_Report{Report: &wire.Report{
		Content: content[:], Download: make([]byte, 16), Sequence: 1, TotalBytes: 1_000_000, EdgeBytes: 400_000, PeerBytes: 600_000, Outcome: "completed",
	}}})
	if recorded.GetRecorded() == nil {
		t.Errorf("answer to a report: %v", recorded)
	}
}

// contentOf asks the edge for the film's content ID: it is in the address of the manifest.
func contentOf(t *testing.T, s *server, roots *x509.CertPool) protocol.ContentID {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	answer, err := client.Head(s.Edge + "/film.bin")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	for _, link := range answer.Header.Values("Link") {
		if _, after, ok := strings.Cut(link, protocol.ManifestPath); ok {
			hex, _, _ := strings.Cut(after, ".")
			if content, err := protocol.ParseContentID(hex); err == nil {
				return content
			}
		}
	}
	t.Fatalf("no manifest in %v", answer.Header)
	return protocol.ContentID{}
}

func TestKeysLast(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	first, exit := command(t, "keys", "--data", data)
	var keys map[string]string
	if err := json.Unmarshal([]byte(first), &keys); exit != exitDone || err != nil || len(keys["publisher"]) != 64 || len(keys["grant"]) != 64 {
		t.Fatalf("keys: %d, %v, %q", exit, err, first)
	}
	if second, _ := command(t, "keys", "--data", data); second != first {
		t.Errorf("keys: %q; want %q again", second, first)
	}
}

func TestExitCodes(t *testing.T) {
	data := t.TempDir()
	policy := filepath.Join(data, "policy.json")
	if err := os.WriteFile(policy, []byte(`{"mode":"speed","seed_forever":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args string
		exit int
	}{
		{"", exitDone},
		{"--help", exitDone},
		{"serve --help", exitDone},
		{"bogus", exitUsage},
		{"version", exitDone},
		{"--version", exitDone},
		{"help bogus", exitUsage},
		{"completion bash", exitDone},
		{"completion tcsh", exitUsage},
		{"serve", exitUsage},
		{"serve --data DIR", exitUsage},
		{"serve --data DIR --listen :1 extra", exitUsage},
		{"serve --data DIR --listen :1 --cert x", exitUsage},
		{"serve --data DIR --listen :1 --edge-rate fast", exitUsage},
		{"serve --data DIR --listen :1 --edge-rate -1", exitUsage},
		{"serve --data DIR --listen :1 --log-level loud", exitUsage},
		{"serve --data DIR --listen nonsense", exitUsage},
		{"serve --data DIR --listen :99999", exitUsage},
		{"serve --data DIR --listen :1 --stun nonsense", exitUsage},
		{"serve --data DIR --listen 192.0.2.1:1", exitError}, // not ours
		{"publish --data DIR", exitUsage},
		{"publish --data DIR --not-after soon x", exitUsage},
		{"publish --data DIR --not-after 2020-01-31T00:00:00Z x", exitUsage},
		{"publish --data DIR --piece-length 1000 x", exitUsage},
		{"publish --data DIR --mirror http://x/ x", exitUsage},
		{"publish --data DIR --policy POLICY x", exitError},
		{"publish --data DIR none", exitError},
		{"withdraw --data DIR", exitUsage},
		{"withdraw x", exitUsage},
		{"withdraw --data DIR none", exitError},
		{"list", exitUsage},
		{"list --data DIR extra", exitUsage},
		{"report", exitUsage},
		{"report --data DIR --format pdf", exitUsage},
		{"report --data DIR/none", exitError},
		{"keys --data DIR --bogus", exitUsage},
	} {
		args := strings.Fields(strings.NewReplacer("DIR", data, "POLICY", policy).Replace(test.args))
		if _, exit := command(t, args...); exit != test.exit {
			t.Errorf("tributary-control %s: exit code %d; want %d", test.args, exit, test.exit)
		}
	}
}

func TestTheEndOfAnOffer(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	tests := []struct{ text, says string }{
		{"", ""},
		{"2026-01-31T12:00:01Z", ""},
		{"2026-01-31T13:30:00+01:00", ""},
		{"tomorrow", `"tomorrow" is not a time; write it as 2027-01-31T12:00:00Z`},
		{"2026-02-30", `"2026-02-30" is not a time; write it as 2027-01-31T12:00:00Z`},
		{"2020-12-31T23:59:59Z", "2020-12-31T23:59:59Z is over, so nobody could take the offer; give a time to come, like 2027-01-31T12:00:00Z"},
	}
	for _, tt := range tests {
		end, err := parseEnd(tt.text, now)
		if (err == nil) != (tt.says == "") || err != nil && err.Error() != tt.says || err == nil && end.IsZero() != (tt.text == "") {
			t.Errorf("parseEnd(%q) = %v, %v; want %q", tt.text, end, err, tt.says)
		}
	}
}

func TestListShowsWhatIsOffered(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if out, exit := command(t, "list", "--data", data); exit != exitError || out != "" {
		t.Errorf("list of no folder: exit code %d, %q", exit, out)
	}
	s := startServer(t, data)
	if out, exit := command(t, "list", "--data", data); exit != exitDone || out != "Nothing has been published.\n" {
		t.Errorf("list: exit code %d, %q", exit, out)
	}
	file := filepath.Join(t.TempDir(), "film.bin")
	for i, more := range [][]string{nil, {"--not-after", "2100-01-31T00:00:00Z"}} {
		if err := os.WriteFile(file, bytes.Repeat([]byte{byte(i)}, 1000+i), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, exit := command(t, append([]string{"publish", "--data", data, file}, more...)...); exit != exitDone {
			t.Fatalf("publish: exit code %d", exit)
		}
	}
	out, exit := command(t, "list", "--data", data, "--json")
	states := map[string]listed{}
	for line := range strings.Lines(out) {
		var l listed
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		states[l.State] = l
	}
	if old, now := states[stateReplaced], states[stateOffered]; exit != exitDone || len(states) != 2 || old.Size != 1000 || now.Size != 1001 || now.URL != s.Edge+"/film.bin" {
		t.Errorf("list: exit code %d, %s", exit, out)
	}
	later, err := listObjects(data, time.Date(2101, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || !slices.ContainsFunc(later, func(l listed) bool { return l.State == stateEnded && l.Size == 1001 }) {
		t.Errorf("after its end: %+v, %v", later, err)
	}
	if out, _ := command(t, "list", "--data", data); !strings.Contains(out, "  1001   ") || !strings.Contains(out, "2100-01-31T00:00:00Z  offered") {
		t.Errorf("list prints %q", out)
	}
}

// What is withdrawn is named like what is published, and one wrong name changes nothing.
func TestWithdraw(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data)
	file := filepath.Join(t.TempDir(), "film.bin")
	if err := os.WriteFile(file, make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, exit := command(t, "publish", "--data", data, file); exit != exitDone {
		t.Fatalf("publish: exit code %d", exit)
	}
	state := func() string {
		list, err := listObjects(data, time.Now())
		if err != nil || len(list) != 1 {
			t.Fatalf("list: %+v, %v", list, err)
		}
		return list[0].State
	}
	if out, exit := command(t, "withdraw", "--data", data, "film.bin", "film.bni"); exit != exitError || out != "" || state() != stateOffered {
		t.Errorf("withdraw with a wrong name: exit code %d, %q, %s", exit, out, state())
	}
	if out, exit := command(t, "withdraw", "--data", data, "film.bin"); exit != exitDone || out != s.Edge+"/film.bin is offered no more.\n" || state() != stateWithdrawn {
		t.Errorf("withdraw: exit code %d, %q, %s", exit, out, state())
	}
}

// A time to come is taken, and what is wrong with a flag is said with its name.
func TestPublishNamesTheFlag(t *testing.T) {
	for args, says := range map[string]string{
		"--piece-length 1000 x":        "--piece-length: 1000 is not a power of two from 16384 (16 KiB) to 16777216 (16 MiB)",
		"--mirror http://x.example/ x": `--mirror: "http://x.example/" is not an absolute https URL`,
		"--not-after never x":          `--not-after: "never" is not a time; write it as `,
	} {
		var out, problems bytes.Buffer
		words := append([]string{"publish", "--data", t.TempDir()}, strings.Fields(args)...)
		if exit := run(t.Context(), words, &out, &problems); exit != exitUsage || !strings.HasPrefix(problems.String(), "tributary-control: "+says) {
			t.Errorf("publish %s: exit code %d, %q; want %q", args, exit, problems.String(), says)
		}
	}
}

func TestMirrorsThatNameAFolder(t *testing.T) {
	got := mirrorsOf([]string{"https://a.example/pub/", "https://b.example/x"}, "/tmp/my film.iso")
	if len(got) != 2 || got[0] != "https://a.example/pub/my%20film.iso" || got[1] != "https://b.example/x" {
		t.Errorf("mirrors = %q", got)
	}
}
