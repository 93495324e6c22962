package arena

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/app/scenario"
)

// contestants are all that can play, ours first.
var contestants = []contestant{
	ours,
	{name: "curl", needs: "curl", join: joinPlain(curl)},
	{name: "aria2-http", needs: "aria2c", join: joinPlain(ariaHTTP)},
	{name: "wget2", needs: "wget2", join: joinPlain(wget)},
	{name: "aria2-bt", peers: true, needs: "aria2c", join: joinSwarm(ariaBT)},
	{name: "libtorrent", peers: true, needs: debianPython, join: joinSwarm(libtorrent)},
	{name: Alone, alone: true, join: joinOurs},
}

// Alone is our program with a network for itself: one member, the edge, and no peers. It is what a crowd's slope is
// taken against.
const Alone = "alone"

// debianPython is the interpreter for which Debian packages libtorrent, whatever else is called python3.
const debianPython = "/usr/bin/python3"

// Contestants returns all names.
func Contestants() []string {
	var names []string
	for _, c := range contestants {
		names = append(names, c.name)
	}
	return names
}

func find(name string) (contestant, error) {
	i := slices.IndexFunc(contestants, func(c contestant) bool { return c.name == name })
	if i < 0 {
		return contestant{}, fmt.Errorf("there is no contestant %q; there are %s", name, strings.Join(Contestants(), ", "))
	}
	return contestants[i], nil
}

// Present says why a contestant cannot play on this machine, or nil.
func Present(name string) error {
	c, err := find(name)
	if err != nil || c.needs == "" {
		return err
	}
	if _, err := exec.LookPath(c.needs); err != nil {
		return fmt.Errorf("%s is not installed: %w", name, err)
	}
	if name == "libtorrent" {
		if err := exec.Command(debianPython, "-c", "import libtorrent").Run(); err != nil { //nolint:noctx // milliseconds
			return errors.New("libtorrent for Debian's Python is not installed (package python3-libtorrent)")
		}
	}
	return nil
}

// order is what a rival is told.
type order struct {
	st     *stage
	folder string // of this member
	file   string // where the object goes, or is
	shares bool
}

// plainPlayer runs a program that ends when it has the file.
type plainPlayer struct {
	order
	at   fleet.Place
	args func(order) []string
	used time.Duration // of processor time
}

func joinPlain(args func(order) []string) func(context.Context, *stage, scenario.Member, fleet.Place) (player, error) {
	return func(_ context.Context, st *stage, m scenario.Member, at fleet.Place) (player, error) {
		o, err := newOrder(st, m)
		return &plainPlayer{order: o, at: at, args: args}, err
	}
}

func newOrder(st *stage, m scenario.Member) (order, error) {
	folder := filepath.Join(st.folder, m.Name)
	return order{st, folder, filepath.Join(folder, filepath.Base(st.object.path)), m.Shares}, os.Mkdir(folder, 0o700)
}

func (p *plainPlayer) fetch(ctx context.Context) (fetched, error) {
	args := p.args(p.order)
	cmd := p.at.Command(ctx, args[0], args[1:]...)
	out, err := cmd.CombinedOutput()
	p.used = cpuOf(cmd.ProcessState)
	if err != nil {
		return fetched{}, fmt.Errorf("%s: %w: %s", args[0], err, out)
	}
	return fetched{path: p.file}, nil
}

func (p *plainPlayer) held() string                { return "" } // such programs offer nothing
func (p *plainPlayer) pid() int                    { return 0 }
func (p *plainPlayer) kill()                       {} // ends with the download or the laboratory
func (p *plainPlayer) cpu() (time.Duration, error) { return p.used, nil }

// cpuOf is the processor time of a program that has ended; 0 if it did not even start.
func cpuOf(state *os.ProcessState) time.Duration {
	if state == nil {
		return 0
	}
	return state.UserTime() + state.SystemTime()
}

func curl(o order) []string {
	return []string{"curl", "-sS", "--fail", "--cacert", o.st.control.CA(), "-o", o.file, o.st.object.url}
}

func ariaHTTP(o order) []string {
	return []string{"aria2c", "-q", "-x16", "-s16", "--file-allocation=none", "--ca-certificate=" + o.st.control.CA(),
		"-d", o.folder, "-o", filepath.Base(o.file), o.st.object.url}
}

func wget(o order) []string {
	return []string{"wget2", "-q", "--ca-certificate=" + o.st.control.CA(), "-O", o.file, o.st.object.url}
}

// swarmPlayer runs a BitTorrent program, which prints a line that ends with the number of files and the path when it has
// verified all of it (as aria2 tells a hook), and goes on to share it.
type swarmPlayer struct {
	order
	at    fleet.Place
	args  func(order) []string
	mark  string
	holds bool

	mu      sync.Mutex
	cmd     *exec.Cmd
	over    chan struct{} // closed when the program has ended
	running sync.WaitGroup
}

func joinSwarm(args func(order) []string) func(context.Context, *stage, scenario.Member, fleet.Place) (player, error) {
	return func(ctx context.Context, st *stage, m scenario.Member, at fleet.Place) (player, error) {
		o, err := newOrder(st, m)
		if err != nil {
			return nil, err
		}
		p := &swarmPlayer{order: o, at: at, args: args, mark: " 1 " + o.file, holds: m.Holds}
		if !m.Holds {
			return p, nil
		}
		if err := copyFile(st.object.path, o.file); err != nil {
			return nil, err
		}
		_, err = p.fetch(ctx) // verifies what is there
		return p, err
	}
}

func (p *swarmPlayer) fetch(ctx context.Context) (fetched, error) {
	args := p.args(p.order)
	// The program outlives the download: it shares. kill ends it.
	cmd := p.at.Command(context.Background(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+p.st.control.CA())
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fetched{}, err
	}
	over := make(chan struct{})
	p.mu.Lock()
	err = cmd.Start()
	p.cmd, p.over = cmd, over
	p.mu.Unlock()
	if err != nil {
		return fetched{}, err
	}
	done, ended := make(chan struct{}), make(chan error, 1)
	p.running.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasSuffix(lines.Text(), p.mark) {
				close(done)
				break
			}
		}
		_, _ = io.Copy(io.Discard, out) // a program that cannot write stands still
		ended <- cmd.Wait()
		close(over)
	})
	select {
	case <-done:
		return fetched{path: p.file}, nil
	case err := <-ended:
		return fetched{}, fmt.Errorf("%s ended before it was done: %w: %s", args[0], err, complaint.String())
	case <-ctx.Done():
		return fetched{}, context.Cause(ctx)
	}
}

func (p *swarmPlayer) held() string {
	if p.holds {
		return p.file
	}
	return ""
}

func (p *swarmPlayer) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

func (p *swarmPlayer) kill() {
	p.mu.Lock()
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill() // its only error is that it has ended
	}
	p.mu.Unlock()
	p.running.Wait()
}

func (p *swarmPlayer) cpu() (time.Duration, error) {
	p.mu.Lock()
	cmd, over := p.cmd, p.over
	p.mu.Unlock()
	if cmd == nil || cmd.Process == nil {
		return 0, nil
	}
	used, err := fleet.CPUTime(cmd.Process.Pid)
	if !errors.Is(err, fs.ErrNotExist) {
		return used, err
	}
	<-over // it has just ended
	return cpuOf(cmd.ProcessState), nil
}

// seedScript is what libtorrent's users write: a session, a torrent, and a look at its state.
//
//go:embed libtorrent.py
var seedScript string

func libtorrent(o order) []string {
	return []string{debianPython, "-u", "-c", seedScript, o.st.torrent, o.file, yesNo(o.shares)}
}

func ariaBT(o order) []string {
	return []string{"aria2c", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false", "--seed-ratio=0", "--file-allocation=none",
		"--check-integrity=true", "--allow-overwrite=true", "--bt-hash-check-seed=true", "--ca-certificate=" + o.st.control.CA(),
		"--listen-port=6881", "--summary-interval=0", "--console-log-level=notice", "--show-console-readout=false",
		"--on-bt-download-complete=/bin/echo", "-x8", "-s8", "-d", o.folder, o.st.torrent}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}
