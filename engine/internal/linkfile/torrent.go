package linkfile

import (
	"encoding/hex"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/bencode"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
	"github.com/tributary-dl/tributary/engine/internal/manifest"
)

// torrent reads metainfo. Its files come over HTTP alone, so it must name web servers.
func torrent(data []byte) ([]File, error) {
	d, err := bencode.DecodeDict(data)
	if err != nil {
		return nil, refuse("The file cannot be read as a torrent: %s.", err)
	}
	if _, signed := d[protocol.TermsKey]; signed {
		return signedManifest(data)
	}
	info := d.Dict("info")
	if info == nil {
		return nil, refuse("The torrent describes no files.")
	}
	t := tree{name: info.String("name")}
	if t.name == "" {
		return nil, refuse("The torrent has no name.")
	}
	if layout := info.Dict("file tree"); layout != nil {
		err = t.version2(layout, nil)
	} else {
		err = t.version1(info)
	}
	if err != nil {
		return nil, err
	}
	seeds := webSeeds(d)
	if len(seeds) == 0 {
		return nil, refuse("This torrent names no web server, and Tributary takes nothing from BitTorrent's own peers. Look for an https link to the same file.")
	}
	for i := range t.files {
		t.files[i].URLs = t.addresses(seeds, t.files[i].Path)
		if !t.single {
			t.files[i].Path = append([]string{t.name}, t.files[i].Path...)
		}
	}
	return t.files, nil
}

// signedManifest reads one of our own, which says itself where the bytes are.
func signedManifest(data []byte) ([]File, error) {
	m, err := manifest.Parse(data)
	if err != nil {
		return nil, refuse("The publisher's description was refused: %s.", err)
	}
	if !m.Single {
		return nil, refuse("This description names a folder of several files, which this version cannot download as one.")
	}
	f := File{Path: []string{m.Name}, Size: m.Length, Publisher: m.Terms.Publisher}
	for _, edge := range m.Terms.Edges {
		if isWeb(edge) {
			f.URLs = append(f.URLs, edge)
		}
	}
	if len(f.URLs) == 0 {
		return nil, refuse("The publisher's description names no server. Look for a link to the file.")
	}
	if m.Terms.SHA256 != ([32]byte{}) {
		f.Checksum = "sha-256:" + hex.EncodeToString(m.Terms.SHA256[:])
	}
	return []File{f}, nil
}

// tree collects the files of a torrent.
type tree struct {
	name   string
	single bool // one file called name, not a folder
	files  []File
}

func (t *tree) add(f File) error {
	if len(t.files) == maxFiles {
		return refuse("The torrent names more than %d files.", maxFiles)
	}
	if f.Size < 0 || len(f.Path) == 0 || len(f.Path) > maxDepth {
		return refuse("The torrent has a file without a usable name or size.")
	}
	t.files = append(t.files, f)
	return nil
}

// version2 walks BEP 52's tree of files, where the empty key holds what a file is.
func (t *tree) version2(folder bencode.Dict, at []string) error {
	if len(at) > maxDepth {
		return refuse("The torrent's folders are too deep.")
	}
	for _, name := range slices.Sorted(maps.Keys(folder)) {
		entry := folder.Dict(name)
		if entry == nil {
			return refuse("The torrent's list of files is malformed.")
		}
		if name != "" {
			if err := t.version2(entry, append(at[:len(at):len(at)], name)); err != nil {
				return err
			}
			continue
		}
		size, ok := entry.Int("length")
		root := entry.Bytes("pieces root")
		if !ok || size > 0 && len(root) != merkle.Size {
			return refuse("The torrent has a file without a valid length or hash.")
		}
		f := File{Path: at, Size: size}
		if size > 0 {
			f.Checksum = "merkle-sha-256:" + hex.EncodeToString(root)
		}
		if err := t.add(f); err != nil {
			return err
		}
	}
	if len(at) == 0 {
		t.single = len(t.files) == 1 && len(t.files[0].Path) == 1 && t.files[0].Path[0] == t.name
	}
	return nil
}

// version1 reads the list of files of BEP 3. It has no checksum of a whole file.
func (t *tree) version1(info bencode.Dict) error {
	if size, ok := info.Int("length"); ok {
		t.single = true
		return t.add(File{Path: []string{t.name}, Size: size})
	}
	list := info.List("files")
	if len(list) == 0 {
		return refuse("The torrent describes no files.")
	}
	for _, item := range list {
		d, _ := item.(bencode.Dict)
		size, sized := d.Int("length")
		at, named := d.Strings("path")
		if !sized || !named {
			return refuse("The torrent's list of files is malformed.")
		}
		if strings.Contains(d.String("attr"), "p") { // BEP 47: padding between files
			continue
		}
		if err := t.add(File{Path: at, Size: size}); err != nil {
			return err
		}
	}
	return nil
}

// webSeeds reads BEP 19's url-list, one address or a list.
func webSeeds(d bencode.Dict) (seeds []string) {
	all, _ := d.Strings("url-list")
	if one := d.String("url-list"); one != "" {
		all = []string{one}
	}
	for _, s := range all {
		if isWeb(s) && len(seeds) < maxURLs {
			seeds = append(seeds, s)
		}
	}
	return seeds
}

// addresses are where a file is on each seed (BEP 19): the address itself of a single file unless it is a folder,
// otherwise the torrent's name and the path below it.
func (t *tree) addresses(seeds, at []string) (urls []string) {
	rest := url.URL{Path: path.Join(append([]string{t.name}, at...)...)}
	if t.single {
		rest.Path = t.name
	}
	for _, seed := range seeds {
		switch {
		case t.single && !strings.HasSuffix(seed, "/"):
			urls = append(urls, seed)
		default:
			urls = append(urls, strings.TrimSuffix(seed, "/")+"/"+rest.EscapedPath())
		}
	}
	return urls
}
