// Package app_test holds the repository itself to its design: who may import whom, which library has which
// door, and what a package must say of itself. It reads the sources of all platforms and build tags, which
// no build does.
package app_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tributary-dl/tributary/"

// borders says what a package, and everything below it, never imports. A pattern ends with / when it means
// everything below; the standard library and foreign modules are named in full.
var borders = []struct {
	from  string
	never []string
	why   string
	// tests of from may do it all the same, because they build what from only sees through an interface.
	butTests bool
}{
	{"app/daemon", []string{"ui", "fyne.io/"}, "a service must start without a display", false},
	{"app/tributaryd", []string{"ui", "fyne.io/", "app/desktop"}, "a service must start without a display", false},
	{"app/tributaryctl", []string{"ui", "fyne.io/", "engine/internal/", "control/", "app/daemon", "app/service"},
		"the command line knows the service only through the local API", false},
	{"app/service", []string{"engine", "control"}, "the service manager's affairs have nothing to do with downloads", false},
	{"app/desktop", []string{"engine/internal/", "engine/localapi"}, "window and tray know the service only through the local API", false},
	{"app/config", []string{"app/", "engine/client", "engine/internal/", "engine/localapi", "control", "ui"},
		"configuration is read before anything of ours exists", false},
	{"app/manners", []string{"app/", "engine", "control", "ui"}, "manners belong to no program", false},
	{"app/fleet", []string{"engine/internal/", "engine/localapi", "control", "ui"}, "what is shown of the programs is shown of the real thing", false},
	{"app/scenario", []string{"app/arena", "app/fleet", "engine", "control", "ui", "os/exec", "net"},
		"a scenario is data and arithmetic", false},
	{"app/arena", []string{"engine/internal/", "engine/localapi", "control", "ui"}, "what is measured is the real programs", false},
	{"engine", []string{"app", "ui", "fyne.io/", "control/internal/"}, "the engine knows nothing of who shows it, or of the inside of a control plane", false},
	{"engine/api", []string{"app", "control", "engine/", "ui"}, "the shared words depend on nobody", false},
	{"engine/localapi", []string{"ui", "engine/internal/", "control"}, "the API translates; it sees the engine through its own Service interface", false},
	{"engine/client", []string{"ui", "control", "engine/internal/", "engine/localapi", "net/http"}, "clients stay small: they must link neither the service nor TLS", true},
	{"engine/ownfile", []string{"app", "control", "engine/", "ui", "net"}, "a file is opened for whoever asks, and nothing else is done", true},
	{"engine/pipe", []string{"app", "control", "engine/", "ui", "net/http"}, "a pipe carries bytes and does not know which", true},
	{"app/desktop/tray", []string{"net/http", "crypto/", "app/config"}, "the tray runs all day and must stay small", true},
	{"engine/internal/download", []string{"github.com/anacrolix/", "github.com/pion/", "go.etcd.io/bbolt", "net/http"},
		"a download decides; sources, peers and disk are behind interfaces", true},
	{"engine/internal/manifest", []string{"net", "net/http", "os", "engine/internal/storage"}, "parsing hostile input is a pure function", true},
	{"engine/internal/linkfile", []string{"net", "net/http", "os", "engine/internal/storage"}, "parsing hostile input is a pure function", true},
	{"engine/internal/hybrid", []string{"net", "net/http", "os", "io", "sync"}, "the scheduler is a pure function of a view", true},
	{"engine/internal/budget", []string{"os", "net", "net/http"}, "what may be sent is decided without I/O", true},
	{"engine/internal/edge", []string{"github.com/anacrolix/"}, "an edge is HTTP and nothing else", false},
	{"engine/internal/swarm", []string{"github.com/pion/", "go.etcd.io/bbolt"}, "the piece engine is given its connections and its storage", false},
	{"engine/internal/storage", []string{"net", "net/http"}, "files have nothing to do with the network", false},
	{"engine/internal/store", []string{"net", "net/http"}, "files have nothing to do with the network", false},
	{"engine/internal/peerlink", []string{"github.com/anacrolix/"}, "a link carries bytes and does not know which", false},
	{"engine/internal/session", []string{"github.com/anacrolix/", "github.com/pion/"}, "the session signals; it connects nobody itself", false},
	{"control/protocol", []string{"app", "engine", "ui", "control/internal/", "net/http"}, "the protocol is formats and signatures, shared by both sides", false},
	{"control/internal", []string{"engine", "ui", "app"}, "a control plane runs without a client's code", true},
	{"ui", []string{"engine/internal/", "engine/localapi", "control"}, "views see the service through an interface that ui declares", false},
	{"ui/model", []string{"fyne.io/"}, "the model is pure, so that it can be tested without a toolkit", false},
}

// doors names the few packages that may import a library. Tests are held to it too: whoever tests through
// another door depends on the library all the same.
var doors = []struct {
	library string
	doors   []string
	why     string
}{
	{"github.com/anacrolix/", []string{"engine/internal/swarm"}, "the piece engine can be replaced behind one seam"},
	{"github.com/pion/ice/", []string{"engine/internal/peerlink"}, "moving to another version of ICE is two import lines"},
	{"github.com/pion/stun", []string{"engine/internal/peerlink", "control/internal/stun"}, "STUN messages from the network are checked in one place on each side"},
	{"github.com/pion/transport/", []string{"engine/internal/peerlink"}, "the virtual network belongs to the NAT matrix"},
	{"github.com/quic-go/", []string{"engine/internal/peerlink"}, "peers alone speak QUIC"},
	{"github.com/quic-go/quic-go/http3", nil, "edges speak HTTP/1.1 and HTTP/2; the peers' socket carries no other protocol"},
	{"go.etcd.io/bbolt", []string{"engine/internal/store", "control/internal/ledger"}, "what survives a restart has one owner on each side"},
	{"github.com/kardianos/service", []string{"app/service"}, "its defects are put right in one place"},
	{"github.com/coder/websocket", []string{"engine/internal/session", "control/internal/node", "control", "control/load"}, "a WebSocket is how a session travels, and nothing else"},
	{"github.com/oschwald/maxminddb-golang/", []string{"control/internal/selection", "control/internal/serve"}, "networks are looked up where peers are chosen"},
	{"github.com/spf13/", []string{"app/tributaryctl", "app/tributaryd", "app/manual", "app/manners", "control"}, "only command lines parse words"},
	{"fyne.io/", []string{"ui", "app/desktop", "app/tributary", "app/tributary-tray"}, "only the window and the tray need a display"},
}

// topLevel are the folders of the repository. A new one is a decision, not an accident.
var topLevel = []string{"app", "assets", "control", "engine", "installer", "ui"}

// clocks are what reads or waits for the time. Durations and instants as values are fine anywhere.
var clocks = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTicker", "NewTimer"}

// longestMain is how many lines a program's main.go may have: it wires, and decides nothing.
const longestMain = 50

// source is one Go file of the module.
type source struct {
	path    string // from the root, with slashes
	pkg     string // its folder
	isTest  bool
	imports []string // ours without the module's name
	name    string   // of the package clause
	doc     *ast.CommentGroup
	lines   int
}

func TestBorders(t *testing.T) {
	for _, file := range sources(t) {
		for _, border := range borders {
			if !below(file.pkg, border.from) || file.isTest && border.butTests {
				continue
			}
			for _, imported := range file.imports {
				for _, never := range border.never {
					// A package may always import what is below itself.
					if matches(imported, never) && !below(imported, border.from) {
						t.Errorf("%s imports %s: %s", file.path, imported, border.why)
					}
				}
			}
		}
	}
}

func TestEachLibraryHasItsDoors(t *testing.T) {
	for _, file := range sources(t) {
		for _, door := range doors {
			if slices.ContainsFunc(door.doors, func(d string) bool { return below(file.pkg, d) && !(d == "control" && file.pkg != d) }) {
				continue
			}
			for _, imported := range file.imports {
				if matches(imported, door.library) {
					t.Errorf("%s imports %s, which only %v may: %s", file.path, imported, door.doors, door.why)
				}
			}
		}
	}
}

// A rule that forbids what does not exist any more protects nothing.
func TestRulesNameWhatExists(t *testing.T) {
	known := map[string]bool{}
	for _, file := range sources(t) {
		for dir := file.pkg; dir != "."; dir = path.Dir(dir) {
			known[dir] = true
		}
	}
	planned := []string{"app/desktop", "app/tributary", "app/tributary-tray", "ui", "ui/model"} // written after the service
	for _, border := range borders {
		if !known[border.from] && !slices.Contains(planned, border.from) {
			t.Errorf("there is a border around %s, but no such package", border.from)
		}
	}
	for _, door := range doors {
		for _, d := range door.doors {
			if !known[d] && !slices.Contains(planned, d) {
				t.Errorf("%s is the door of %s, but there is no such package", d, door.library)
			}
		}
	}
}

func TestMainsOnlyWire(t *testing.T) {
	for _, file := range sources(t) {
		if strings.HasPrefix(file.pkg, "app/tributary") && file.name == "main" && path.Base(file.path) == "main.go" && file.lines >= longestMain {
			t.Errorf("%s has %d lines: a main only wires, in fewer than %d", file.path, file.lines, longestMain)
		}
	}
}

func TestTheSchedulerHasNoClock(t *testing.T) {
	const scheduler = "engine/internal/hybrid"
	for _, file := range sources(t) {
		if file.pkg != scheduler || file.isTest {
			continue
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file.path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(syntax, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := selector.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, selector.Sel.Name) {
				t.Errorf("%s uses time.%s: the scheduler is told the time, so that tables can drive it", file.path, selector.Sel.Name)
			}
			return true
		})
	}
}

func TestTopLevelIsFixed(t *testing.T) {
	for _, file := range sources(t) {
		top, _, nested := strings.Cut(file.path, "/")
		if !nested || !slices.Contains(topLevel, top) {
			t.Errorf("%s is not in one of %v: the top level says what the product is made of", file.path, topLevel)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string]bool{}
	for _, file := range sources(t) {
		if !file.isTest {
			documented[file.pkg] = documented[file.pkg] || file.doc != nil
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment: say what it is, and what it must never do", pkg)
		}
	}
}

// Kits for tests (packages whose name ends in "test") stay out of programs.
func TestKitsStayInTests(t *testing.T) {
	for _, file := range sources(t) {
		if file.isTest || strings.HasSuffix(file.pkg, "test") {
			continue
		}
		for _, imported := range file.imports {
			if strings.HasSuffix(imported, "test") || imported == "testing" {
				t.Errorf("%s imports %s: that is for tests, and would be part of a program", file.path, imported)
			}
		}
	}
}

// below says whether a package is dir or in it.
func below(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

// matches says whether an import falls under a pattern: a path and what is below it, or with a / at the
// end only what is below. Of the standard library only the package itself is meant.
func matches(imported, pattern string) bool {
	if strings.HasSuffix(pattern, "/") {
		return strings.HasPrefix(imported, pattern)
	}
	if standard := !strings.Contains(pattern, ".") && !slices.Contains(topLevel, strings.Split(pattern, "/")[0]); standard {
		return imported == pattern
	}
	return below(imported, pattern)
}

// sources parses every Go file of the module, whatever it is built for. Folders with a go.mod of their own
// are other modules.
func sources(t *testing.T) []source {
	t.Helper()
	var files []source
	root := ".."
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipFolder(name, filepath.ToSlash(relative))
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		file, err := parse(name, filepath.ToSlash(relative))
		files = append(files, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d files found: this test looks in the wrong place", len(files))
	}
	return files
}

func skipFolder(name, relative string) error {
	base := path.Base(relative)
	if relative == "." {
		return nil
	}
	if base == "testdata" || strings.HasPrefix(base, ".") || relative == "bin" || relative == "build" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func parse(name, relative string) (source, error) {
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, name, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, err
	}
	file := source{
		path:   relative,
		pkg:    path.Dir(relative),
		isTest: strings.HasSuffix(relative, "_test.go"),
		name:   syntax.Name.Name,
		doc:    syntax.Doc,
		lines:  strings.Count(string(text), "\n"),
	}
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, err
		}
		file.imports = append(file.imports, strings.TrimPrefix(imported, module))
	}
	return file, nil
}
