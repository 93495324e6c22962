package arena

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/app/lab"
)

// tracker is a BitTorrent tracker (BEP 3, compact answers as in BEP 23) for one torrent: how rivals find each other.
// It tells everybody of everybody, often, which is the best that a rival can wish for.
type tracker struct {
	url    string
	server *http.Server

	mu    sync.Mutex
	peers map[netip.AddrPort]bool

	serving sync.WaitGroup
}

// announceEvery is how soon a client shall ask again, in seconds. Public trackers say half an hour.
const announceEvery = 5

func openTracker(at *lab.Host) (*tracker, error) {
	l, err := at.Listen(0)
	if err != nil {
		return nil, fmt.Errorf("open tracker: %w", err)
	}
	t := &tracker{url: "http://" + l.Addr().String() + "/announce", peers: map[netip.AddrPort]bool{}}
	t.server = &http.Server{Handler: http.HandlerFunc(t.announce), ReadHeaderTimeout: 10 * time.Second}
	t.serving.Go(func() { _ = t.server.Serve(l) }) // ends with close
	return t, nil
}

func (t *tracker) close() {
	_ = t.server.Close() // its only error is the listener's, which is gone either way
	t.serving.Wait()
}

func (t *tracker) announce(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	addr, err := netip.ParseAddr(host)
	port, portErr := strconv.ParseUint(r.URL.Query().Get("port"), 10, 16)
	if err != nil || portErr != nil {
		http.Error(w, "no address", http.StatusBadRequest)
		return
	}
	_, _ = w.Write(t.answer(netip.AddrPortFrom(addr, uint16(port)), r.URL.Query().Get("event") == "stopped")) // who is gone asks again
}

// answer takes note of who asks and tells it of all others.
func (t *tracker) answer(who netip.AddrPort, leaves bool) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	var others bytes.Buffer
	for p := range t.peers {
		if p != who {
			others.Write(p.Addr().AsSlice())
			_ = binary.Write(&others, binary.BigEndian, p.Port())
		}
	}
	if t.peers[who] = true; leaves {
		delete(t.peers, who)
	}
	return fmt.Appendf(nil, "d8:intervali%de12:min intervali%de5:peers%d:%se", announceEvery, announceEvery, others.Len(), others.Bytes())
}

// openTracker starts a tracker at the edge and writes a torrent that names it.
func (st *stage) openTracker() (err error) {
	if st.tracker, err = openTracker(st.edge); err != nil {
		return err
	}
	path, err := st.control.Torrent()
	if err != nil {
		return err
	}
	torrent, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	st.torrent = st.object.path + ".torrent"
	return os.WriteFile(st.torrent, announcing(torrent, st.tracker.url), 0o600)
}

// announcing puts a tracker into a torrent that has none. The keys of a dictionary are sorted, and no key of ours comes
// before "announce".
func announcing(torrent []byte, url string) []byte {
	return append(fmt.Appendf(nil, "d8:announce%d:%s", len(url), url), torrent[1:]...)
}
