package macos_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"debug/macho"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/installer/machine/machinetest"
)

// contents is every file that a package installs, with its mode; all belong to root.
var contents = map[string]string{
	"./Library/LaunchAgents/io.tributary.user.plist":        "644",
	"./Library/LaunchDaemons/io.tributary.tributaryd.plist": "644",
	"./usr/local/bin/tributaryctl":                          "755",
	"./usr/local/libexec/tributary/LICENSE":                 "644",
	"./usr/local/libexec/tributary/install-source":          "644",
	"./usr/local/libexec/tributary/tributaryd":              "755",
	"./usr/local/libexec/tributary/uninstall":               "755",
	"./usr/local/share/man/man1/tributaryctl.1":             "644",
	"./usr/local/share/man/man8/tributaryd.8":               "644",
}

func TestPackage(t *testing.T) {
	if !machinetest.Full() {
		t.Skip("builds the package for macOS, with a program from the npm registry; set FULL=1")
	}
	pkg := build(t)
	if again := build(t); !bytes.Equal(pkg, again) {
		t.Error("the same commit gives other bytes")
	}
	parts := unpack(t, pkg)
	for _, part := range []string{"Distribution", "tributary.pkg/PackageInfo"} {
		if err := xml.Unmarshal(parts[part], new(struct{})); err != nil || !bytes.Contains(parts[part], []byte(`"0.1.0"`)) || bytes.Contains(parts[part], []byte("@")) {
			t.Errorf("%s: %v: %s", part, err, parts[part])
		}
	}
	if !bytes.HasPrefix(parts["tributary.pkg/Bom"], []byte("BOMStore")) {
		t.Error("the Bom is none")
	}

	files := cpio(t, parts["tributary.pkg/Payload"])
	modes := map[string]string{}
	for name, f := range files {
		if f.uid != 0 || f.gid != 0 {
			t.Errorf("%s belongs to %d:%d", name, f.uid, f.gid)
		}
		if f.mode>>12 == 0o10 { // a regular file, see inode(7)
			modes[name] = fmt.Sprintf("%o", f.mode&0o7777)
		}
	}
	if diff := cmp.Diff(contents, modes); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if want := fmt.Sprintf(`numberOfFiles="%d"`, len(files)); !bytes.Contains(parts["tributary.pkg/PackageInfo"], []byte(want)) {
		t.Errorf("PackageInfo lacks %s", want)
	}
	for name := range contents {
		if strings.HasSuffix(name, ".plist") {
			wantProgram(t, name, files)
		}
	}
	for _, name := range []string{"./usr/local/bin/tributaryctl", "./usr/local/libexec/tributary/tributaryd"} {
		wantSigned(t, name, files[name].content)
	}
	scripts := cpio(t, parts["tributary.pkg/Scripts"])
	for _, name := range []string{"./preinstall", "./postinstall", "./account"} {
		if scripts[name].mode != 0o100755 || !bytes.HasPrefix(scripts[name].content, []byte("#!/bin/sh\n")) {
			t.Errorf("%s has mode %o", name, scripts[name].mode)
		}
	}
}

// build makes the package for one architecture.
func build(t *testing.T) []byte {
	t.Helper()
	out := t.TempDir()
	cmd := exec.Command("./build", "arm64")
	cmd.Env = append(os.Environ(), "OUT="+out, "VERSION=0.1.0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	pkg, err := os.ReadFile(filepath.Join(out, "tributary-0.1.0-arm64.pkg"))
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// unpack returns the files of a xar archive, whose header is 28 bytes (see xar.h), followed by a table of contents.
func unpack(t *testing.T, pkg []byte) map[string][]byte {
	t.Helper()
	if string(pkg[:4]) != "xar!" || binary.BigEndian.Uint16(pkg[4:]) != 28 {
		t.Fatalf("the package begins with %q", pkg[:6])
	}
	length := binary.BigEndian.Uint64(pkg[8:])
	table, err := zlib.NewReader(bytes.NewReader(pkg[28 : 28+length]))
	if err != nil {
		t.Fatal(err)
	}
	type file struct {
		Name string `xml:"name"`
		Data struct {
			Length int `xml:"length"`
			Offset int `xml:"offset"`
		} `xml:"data"`
		Inner []file `xml:"file"`
	}
	var toc struct {
		Files []file `xml:"toc>file"`
	}
	if err := xml.NewDecoder(table).Decode(&toc); err != nil {
		t.Fatal(err)
	}
	heap := pkg[28+length:]
	parts := map[string][]byte{}
	var add func(prefix string, files []file)
	add = func(prefix string, files []file) {
		for _, f := range files {
			parts[prefix+f.Name] = heap[f.Data.Offset : f.Data.Offset+f.Data.Length]
			add(prefix+f.Name+"/", f.Inner)
		}
	}
	add("", toc.Files)
	return parts
}

// entry is a file of a cpio archive.
type entry struct {
	mode, uid, gid int
	content        []byte
}

// cpio returns the entries of a compressed archive in the form of odc: numbers in octal, see cpio(5).
func cpio(t *testing.T, packed []byte) map[string]entry {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]entry{}
	for {
		if string(rest[:6]) != "070707" {
			t.Fatalf("an entry begins with %q", rest[:6])
		}
		number := func(from, digits int) int {
			n, err := strconv.ParseInt(string(rest[from:from+digits]), 8, 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
		const head = 76
		name := string(rest[head : head+number(59, 6)-1])
		if name == "TRAILER!!!" {
			return entries
		}
		begin := head + len(name) + 1
		end := begin + number(65, 11)
		entries[name] = entry{mode: number(18, 6), uid: number(24, 6), gid: number(30, 6), content: rest[begin:end]}
		rest = rest[end:]
	}
}

// wantProgram expects a property list of launchd to be well formed and to start a program that is in the package.
func wantProgram(t *testing.T, name string, files map[string]entry) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(files[name].content))
	var words []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			words = append(words, strings.TrimSpace(string(text)))
		}
	}
	list := strings.Join(words, " ")
	_, after, _ := strings.Cut(list, "ProgramArguments ")
	program, arguments, _ := strings.Cut(after, " ")
	if _, there := files["."+program]; !there || !strings.HasPrefix(arguments, "run ") || !strings.Contains(list, strings.TrimSuffix(filepath.Base(name), ".plist")) {
		t.Errorf("%s starts %q with %q", name, program, arguments)
	}
}

// wantSigned expects a program for the architecture with a signature, without which Apple's own chips start nothing.
func wantSigned(t *testing.T, name string, content []byte) {
	t.Helper()
	const codeSignature = 0x1d // LC_CODE_SIGNATURE of mach-o/loader.h
	program, err := macho.NewFile(bytes.NewReader(content))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	for _, load := range program.Loads {
		if program.ByteOrder.Uint32(load.Raw()) == codeSignature && program.Cpu == macho.CpuArm64 {
			return
		}
	}
	t.Errorf("%s is for %v and not signed", name, program.Cpu)
}
