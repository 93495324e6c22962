package policy

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const xmlHead = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
`

const xmlPolicy = xmlHead + `<dict>
	<key>PayloadUUID</key> <string>x</string>
	<key>settings</key>
	<dict>
		<key>sharing</key> <string>lan</string>
		<key>upload_limit</key> <integer>5000000000</integer>
		<key>dir</key> <string>/Users/Shared/Größe</string>
	</dict>
	<key>lock</key> <array><string>sharing</string></array>
</dict>
</plist>
`

// The same policy in both forms; the binary one was written by Python's plistlib.
func TestPlistForms(t *testing.T) {
	binary, err := os.ReadFile("testdata/managed.plist")
	if err != nil {
		t.Fatal(err)
	}
	for form, tt := range map[string]struct {
		content []byte
		origin  string // of sharing
	}{"XML": {[]byte(xmlPolicy), "p.plist:8"}, "binary": {binary, "p.plist"}} {
		d, err := parsePlist("p.plist", tt.content)
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		decisions, err := d.decisions()
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		p := merge(decisions)
		if *p.Settings.Sharing != "lan" || *p.Settings.UploadLimit != 5_000_000_000 || *p.Settings.Dir != "/Users/Shared/Größe" || p.Origin["sharing"] != tt.origin {
			t.Errorf("%s decides %+v, sharing by %s", form, p, p.Origin["sharing"])
		}
		if diff := cmp.Diff(map[string]bool{"sharing": true}, p.Locked); diff != "" {
			t.Errorf("%s locks (-want +got):\n%s", form, diff)
		}
	}
}

func TestXMLPlistFaults(t *testing.T) {
	tests := []struct{ name, text, says string }{
		{"empty", "", "p:1:1: a plist element is missing"},
		{"JSON", "{}", `p:1:1: "{}" between the elements`},
		{"another root", "<dict/>", "p:1:1: <dict> where <plist> belongs"},
		{"no value", xmlHead + "</plist>", "p:3:1: a value is missing"},
		{"cut short", xmlHead + "<dict>\n<key>lock</key><array>", "p:5:23: unexpected EOF"},
		{"two values", xmlHead + "<dict/>\n<dict/></plist>", "p:5:1: <dict> after the end of the value"},
		{"a key without a value", xmlHead + "<dict>\n<key>lock</key></dict></plist>", `p:5:1: the value of "lock" is missing`},
		{"no key", xmlHead + "<dict>\n <string>x</string></dict></plist>", "p:5:2: <string> where <key> belongs"},
		{"unknown element", xmlHead + "<dict><key>lock</key>\n<list/></dict></plist>", "p:5:1: <list> is not part of a property list"},
		{"hexadecimal", xmlHead + "<dict><key>lock</key>\n<integer>0x1</integer></dict></plist>", `p:5:1: "0x1" is not an integer`},
		{"an element in a text", xmlHead + "<dict>\n<key><b/></key></dict></plist>", "p:5:1: <b> where only text belongs"},
		{"a date", xmlHead + "<dict><key>settings</key><dict><key>sharing</key>\n<date>2026-11-22T00:00:00Z</date></dict></dict></plist>", "p:5:1: sharing: a date where a string belongs"},
		{"too deep", xmlHead + strings.Repeat("<array>", 40), "p:4:232: it is nested more than 32 levels deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := parsePlist("p", []byte(tt.text))
			if err == nil {
				_, err = d.decisions()
			}
			if err == nil || !strings.HasPrefix(err.Error(), tt.says) {
				t.Errorf("parsePlist() = %v; want %s", err, tt.says)
			}
		})
	}
}

// Hostile binary lists end with a sentence, quickly: containers in themselves, shared so that they unfold to 2^30
// values, offsets beyond the file.
func TestBinaryPlistFaults(t *testing.T) {
	trailer := func(offsetSize, count, top, table string) string {
		return "000000000000" + offsetSize + "01" + "00000000000000" + count + "00000000000000" + top + "00000000000000" + table
	}
	magic := hex.EncodeToString([]byte(binaryMagic))
	tests := []struct{ name, hex, says string }{
		{"only a header", magic, "cut short"},
		{"a list in itself", magic + "a100" + "08" + trailer("01", "01", "00", "0a"), "nested more than"},
		{"shared lists", magic + "a20101" + "a20202" + "a20303" + "a20404" + "a20505" + "a20606" + "a20707" + "a20808" + "a20909" + "a20a0a" + "a20b0b" + "a20c0c" + "a20d0d" + "a20e0e" + "a20f0f" + "a0" +
			"080b0e1114171a1d202326292c2f3235" + trailer("01", "10", "00", "36"), "nested more than"},
		{"table beyond the file", magic + "08" + trailer("01", "01", "00", "ff"), "cut short"},
		{"top beyond the table", magic + "08" + "08" + trailer("01", "01", "05", "09"), "cut short"},
		{"object beyond the objects", magic + "08" + "ff" + trailer("01", "01", "00", "09"), "cut short"},
		{"text beyond the objects", magic + "5f13ffffffffffffffff" + "08" + trailer("01", "01", "00", "12"), "cut short"},
		{"key that is no text", magic + "d10101" + "09" + "080b" + trailer("01", "02", "00", "0c"), "true is the name of a value"},
		{"unknown kind", magic + "70" + "08" + trailer("01", "01", "00", "09"), "unknown kind"},
		{"offsets of no size", magic + "08" + "08" + trailer("00", "01", "00", "09"), "cut short"},
		{"a date", magic + "33" + "08" + trailer("01", "01", "00", "09"), "a date where an object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			content, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			d, err := parsePlist("p", content)
			if err == nil {
				_, err = d.decisions()
			}
			if err == nil || !strings.HasPrefix(err.Error(), "p: ") || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("parsePlist() = %v; want %q", err, tt.says)
			}
		})
	}
}

func FuzzPlist(f *testing.F) {
	binary, err := os.ReadFile("testdata/managed.plist")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(binary)
	f.Add([]byte(xmlPolicy))
	f.Fuzz(func(t *testing.T, content []byte) { checkParsed(t, parsePlist, content) })
}
