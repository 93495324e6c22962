package linkfile

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/control/protocol/bencode"
)

var root = strings.Repeat("ab", 32)

const meta4 = `<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <file name="isos/debian.iso">
    <publisher name="Debian"/><size>659554304</size>
    <hash type="md5">d41d8cd98f00b204e9800998ecf8427e</hash>
    <hash type="sha-256">%s</hash>
    <url priority="2" location="de">https://b.example/debian.iso</url>
    <url>ftp://c.example/debian.iso</url>
    <url priority="1">
      https://a.example/debian.iso
    </url>
  </file>
  <file name="readme.txt"><url>http://a.example/readme.txt</url></file>
</metalink>`

// What an older program writes: other names, and the best mirror has the highest preference.
const metalink3 = `<metalink version="3.0" xmlns="http://www.metalinker.org/"><files><file name="f.iso"><size>7</size>
  <verification><hash type="sha1">da39a3ee5e6b4b0d3255bfef95601890afd80709</hash></verification>
  <resources><url type="http" preference="50">http://b.example/f.iso</url><url type="http" preference="90">http://a.example/f.iso</url>
  <url type="rsync" preference="100">rsync://c.example/f.iso</url></resources></file></files></metalink>`

func TestParse(t *testing.T) {
	bits := strings.Repeat("\xab", 32)
	leaf := func(size int) bencode.Dict {
		return bencode.Dict{"": bencode.Dict{"length": size, "pieces root": bits}}
	}
	tests := []struct {
		name, file string
		want       []File
	}{
		{"Metalink 4", fmt.Sprintf(meta4, root), []File{
			{Path: []string{"isos", "debian.iso"}, Size: 659554304, Publisher: "Debian", Checksum: "sha-256:" + root, URLs: []string{"https://a.example/debian.iso", "https://b.example/debian.iso"}},
			{Path: []string{"readme.txt"}, Size: -1, URLs: []string{"http://a.example/readme.txt"}}}},
		{"Metalink 3", metalink3, []File{{Path: []string{"f.iso"}, Size: 7, Checksum: "sha-1:da39a3ee5e6b4b0d3255bfef95601890afd80709", URLs: []string{"http://a.example/f.iso", "http://b.example/f.iso"}}}},
		{"one file, version 1", encode(bencode.Dict{"info": bencode.Dict{"name": "a.iso", "length": 5}, "url-list": "https://a.example/files/"}),
			[]File{{Path: []string{"a.iso"}, Size: 5, URLs: []string{"https://a.example/files/a.iso"}}}},
		{"one file, hybrid", encode(bencode.Dict{"info": bencode.Dict{"name": "a b.iso", "length": 5, "pieces": "x", "file tree": bencode.Dict{"a b.iso": leaf(5)}}, "url-list": []any{"https://a.example/x", "udp://b.example"}}),
			[]File{{Path: []string{"a b.iso"}, Size: 5, Checksum: "merkle-sha-256:" + root, URLs: []string{"https://a.example/x"}}}},
		{"a folder, version 2", encode(bencode.Dict{"info": bencode.Dict{"name": "pack", "file tree": bencode.Dict{"a": leaf(1), "sub": bencode.Dict{"b 2": leaf(2)}}}, "url-list": "https://a.example/"}),
			[]File{{Path: []string{"pack", "a"}, Size: 1, Checksum: "merkle-sha-256:" + root, URLs: []string{"https://a.example/pack/a"}},
				{Path: []string{"pack", "sub", "b 2"}, Size: 2, Checksum: "merkle-sha-256:" + root, URLs: []string{"https://a.example/pack/sub/b%202"}}}},
		{"a folder, version 1, padded", encode(bencode.Dict{"info": bencode.Dict{"name": "pack", "files": []any{
			bencode.Dict{"length": 3, "path": []any{"a"}}, bencode.Dict{"attr": "p", "length": 9, "path": []any{".pad", "9"}}}}, "url-list": "https://a.example"}),
			[]File{{Path: []string{"pack", "a"}, Size: 3, URLs: []string{"https://a.example/pack/a"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse([]byte(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// What our own publishing tool signs names its edges.
func TestASignedManifest(t *testing.T) {
	raw, err := os.ReadFile("../manifest/testdata/published.torrent")
	if err != nil {
		t.Fatal(err)
	}
	files, err := Parse(raw)
	if err != nil || len(files) != 1 || files[0].Publisher == "" || !strings.HasPrefix(files[0].Checksum, "sha-256:") || len(files[0].URLs) == 0 {
		t.Errorf("Parse() = %+v, %v", files, err)
	}
}

func encode(d bencode.Dict) string { return string(bencode.Encode(d)) }

func TestRefusals(t *testing.T) {
	many := strings.Repeat(`<file name="a"><url>https://a.example/a</url></file>`, maxFiles+1)
	in := func(body string) string {
		return `<metalink xmlns="urn:ietf:params:xml:ns:metalink">` + body + `</metalink>`
	}
	tests := []struct{ name, file, says string }{
		{"nothing", "", "neither a Metalink nor a torrent"},
		{"a picture", "\x89PNG", "neither a Metalink nor a torrent"},
		{"a page", "<html></html>", "not a Metalink"},
		{"broken XML", "<metalink><file", "cannot be read as a Metalink"},
		{"an entity", `<!DOCTYPE x [<!ENTITY a "b">]>` + in(`<file name="&a;"/>`), "cannot be read as a Metalink"},
		{"no web server", in(`<file name="a"><url>ftp://a.example/a</url></file>`), "no file on a web server"},
		{"no name", in(`<file><url>https://a.example/a</url></file>`), "without a usable name"},
		{"negative size", in(`<file name="a"><size>-1</size></file>`), "negative size"},
		{"a checksum that is none", in(`<file name="a"><hash type="sha-256">12</hash></file>`), "checksum of the kind sha-256"},
		{"too many", in(many), "more than 1000 files"},
		{"too long", "<" + strings.Repeat(" ", maxMetalink), "larger than 4 MiB"},
		{"not canonical", "d1:b0:1:a0:e", "cannot be read as a torrent"},
		{"no info", "de", "describes no files"},
		{"no seed", encode(bencode.Dict{"announce": "udp://t.example", "info": bencode.Dict{"name": "a", "length": 5}}), "names no web server"},
		{"no size", encode(bencode.Dict{"info": bencode.Dict{"name": "a"}, "url-list": "https://a.example/"}), "describes no files"},
		{"negative length", encode(bencode.Dict{"info": bencode.Dict{"name": "a", "length": -5}, "url-list": "https://a.example/"}), "without a usable name or size"},
		{"a signature that is none", encode(bencode.Dict{"info": bencode.Dict{"name": "a"}, "tributary": bencode.Dict{}}), "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files, err := Parse([]byte(tt.file))
			if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Parse() = %v, %v; want %q", files, err, tt.says)
			}
		})
	}
}

// FuzzParse gives the parser whatever a site may offer: files that can be asked for, or a sentence.
func FuzzParse(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(meta4, root)))
	f.Add([]byte(metalink3))
	f.Add([]byte(encode(bencode.Dict{"info": bencode.Dict{"name": "pack", "files": []any{bencode.Dict{"length": 3, "path": []any{"a"}}}}, "url-list": "https://a.example"})))
	f.Add([]byte("d4:infod9:file treed1:ad0:d6:lengthi0eeee4:name1:ae8:url-list9:http://a/e"))
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := Parse(data)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok || err.Error() == "" {
				t.Errorf("Parse() = %v, which is not a sentence", err)
			}
			return
		}
		for _, file := range files {
			if len(file.URLs) == 0 || len(file.Path) == 0 || file.Size < -1 {
				t.Errorf("Parse() gives %+v", file)
			}
			for _, u := range file.URLs {
				if !isWeb(u) {
					t.Errorf("Parse() gives the address %q", u)
				}
			}
		}
	})
}
