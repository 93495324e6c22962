package linkfile

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"slices"
	"strings"
)

// document is a Metalink 4 (RFC 5854, section 4) or, below files, a Metalink 3.
type document struct {
	XMLName xml.Name
	Files   []xmlFile `xml:"file"`
	Old     []xmlFile `xml:"files>file"`
}

type xmlFile struct {
	Name      string `xml:"name,attr"`
	Size      *int64 `xml:"size"`
	Publisher struct {
		Name string `xml:"name,attr"`
	} `xml:"publisher"`
	Hashes    []xmlHash `xml:"hash"`
	OldHashes []xmlHash `xml:"verification>hash"`
	URLs      []xmlURL  `xml:"url"`
	OldURLs   []xmlURL  `xml:"resources>url"`
}

type xmlHash struct {
	Type string `xml:"type,attr"`
	Hex  string `xml:",chardata"`
}

type xmlURL struct {
	Priority   int    `xml:"priority,attr"`   // version 4: 1 is best
	Preference int    `xml:"preference,attr"` // version 3: 100 is best
	URL        string `xml:",chardata"`
}

// rank orders addresses: smaller is better; one without a rank comes last.
func (u xmlURL) rank() int {
	switch {
	case u.Priority > 0:
		return u.Priority
	case u.Preference > 0:
		return 101 - min(u.Preference, 100)
	}
	return 1_000_000
}

func metalink(text []byte) ([]File, error) {
	if len(text) > maxMetalink {
		return nil, refuse("The Metalink is larger than %d MiB.", maxMetalink>>20)
	}
	var d document
	if err := xml.NewDecoder(bytes.NewReader(text)).Decode(&d); err != nil {
		return nil, refuse("The file cannot be read as a Metalink: %s.", err)
	}
	if d.XMLName.Local != "metalink" {
		return nil, refuse("The file is XML, but not a Metalink.")
	}
	listed := slices.Concat(d.Files, d.Old)
	if len(listed) > maxFiles {
		return nil, refuse("The Metalink names more than %d files.", maxFiles)
	}
	var files []File
	for _, x := range listed {
		f, err := x.file()
		if err != nil {
			return nil, err
		}
		if len(f.URLs) > 0 {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, refuse("The Metalink names no file on a web server; Tributary downloads over https and http.")
	}
	return files, nil
}

func (x xmlFile) file() (File, error) {
	f := File{Path: components(x.Name), Size: -1, Publisher: strings.TrimSpace(x.Publisher.Name)}
	if len(f.Path) == 0 || len(f.Path) > maxDepth {
		return f, refuse("The Metalink has a file without a usable name.")
	}
	if x.Size != nil {
		if f.Size = *x.Size; f.Size < 0 {
			return f, refuse("The Metalink has a file of a negative size.")
		}
	}
	var err error
	if f.Checksum, err = strongest(slices.Concat(x.Hashes, x.OldHashes)); err != nil {
		return f, err
	}
	urls := slices.Concat(x.URLs, x.OldURLs)
	slices.SortStableFunc(urls, func(a, b xmlURL) int { return a.rank() - b.rank() })
	for _, u := range urls {
		if address := strings.TrimSpace(u.URL); isWeb(address) && len(f.URLs) < maxURLs && !slices.Contains(f.URLs, address) {
			f.URLs = append(f.URLs, address)
		}
	}
	return f, nil
}

// kinds of checksums with their length in bytes, the best for us first: SHA-256 is reckoned of each file anyway.
var kinds = []struct {
	name string
	size int
}{{"sha-256", 32}, {"sha-512", 64}, {"sha-1", 20}, {"md5", 16}}

// strongest picks the best checksum of a kind that is known. One that is malformed is refused: it was meant to protect.
func strongest(hashes []xmlHash) (string, error) {
	for _, kind := range kinds {
		for _, h := range hashes {
			if strings.ReplaceAll(strings.ToLower(h.Type), "-", "") != strings.ReplaceAll(kind.name, "-", "") {
				continue
			}
			sum, err := hex.DecodeString(strings.TrimSpace(h.Hex))
			if err != nil || len(sum) != kind.size {
				return "", refuse("The Metalink has a checksum of the kind %s that is none.", kind.name)
			}
			return kind.name + ":" + hex.EncodeToString(sum), nil
		}
	}
	return "", nil
}
