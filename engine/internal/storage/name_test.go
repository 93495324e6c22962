package storage

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/tributary-dl/tributary/control/protocol/filename"
)

func TestSafeName(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, want := range map[string]string{
		"movie.mkv":                      "movie.mkv",
		"":                               "download",
		".":                              "download",
		"..":                             "download",
		"///":                            "download",
		"\x00\x01":                       "download",
		". . .":                          "download",
		"../../etc/passwd":               "passwd",
		`..\..\boot.ini`:                 "boot.ini",
		`C:\Users\a\b.txt`:               "b.txt",
		"C:b.txt":                        "C_b.txt",
		"/abs/olute":                     "olute",
		"folder/":                        "folder",
		" .profile. ":                    "profile",
		`a<b>c:d"e|f?g*h`:                "a_b_c_d_e_f_g_h",
		"a\r\nb\tc":                      "abc",
		"a\u00a0b":                       "a b",
		"fdp\u202eexe.txt":               "fdpexe.txt", // would be shown as "fdptxt.exe"
		"a\u200bb\ufeff":                 "ab",
		"line\u2028two":                  "linetwo",
		"\xff\xfe.bin":                   "_.bin",
		"e\u0301.txt":                    "\u00e9.txt",
		"CON":                            "_CON",
		"con.txt":                        "_con.txt",
		"nul .tar.gz":                    "_nul .tar.gz",
		"LPT9.x":                         "_LPT9.x",
		"COM\u00b2":                      "_COM\u00b2",
		"CONIN$":                         "_CONIN$",
		"COM10.txt":                      "COM10.txt",
		"CONSOLE":                        "CONSOLE",
		long + ".tar":                    long[:196] + ".tar",
		long + "." + long:                long[:200],
		strings.Repeat("é", 99):          strings.Repeat("é", 99),
		strings.Repeat("é", 120) + ".ab": strings.Repeat("é", 98) + ".ab",
		long[:195] + ". . " + long:       long[:195] + ". . x",
	} {
		if got := SafeName(name); got != want {
			t.Errorf("SafeName(%q) = %q; want %q", name, got, want)
		}
	}
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"a.txt", "../x", "CON", "\u202e", strings.Repeat("é.", 150), "a\x00b", " . ", "nul.\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := SafeName(name)
		switch {
		case got == "" || len(got) > filename.MaxBytes || !utf8.ValidString(got):
			t.Errorf("SafeName(%q) = %q", name, got)
		case strings.ContainsAny(got, `<>:"/\|?*`) || strings.IndexFunc(got, unicode.IsControl) >= 0:
			t.Errorf("SafeName(%q) = %q has reserved characters", name, got)
		case strings.Trim(got, ". ") != got || !filepath.IsLocal(got) || filename.IsDevice(got):
			t.Errorf("SafeName(%q) = %q is special", name, got)
		case !norm.NFC.IsNormalString(got):
			t.Errorf("SafeName(%q) = %q is not NFC", name, got)
		case SafeName(got) != got:
			t.Errorf("SafeName(%q) = %q, and of that %q", name, got, SafeName(got))
		}
	})
}

func TestNumbered(t *testing.T) {
	for name, want := range map[string]string{
		"a.zip": "a (2).zip", "a": "a (2)", ".profile": ".profile (2)", "a.tar.xz": "a (2).tar.xz",
		"a.b.c": "a.b (2).c", "A.TAR.GZ": "A (2).TAR.GZ", ".tar.gz": ".tar.gz (2)",
	} {
		if got := numbered(name, 2); got != want {
			t.Errorf("numbered(%q) = %q; want %q", name, got, want)
		}
	}
}

func TestBitmap(t *testing.T) {
	var b Bitmap
	if b.last() != -1 || b.Has(0) || b.Has(-1) || b.Count() != 0 {
		t.Error("the empty set is not empty")
	}
	for _, i := range []int{0, 9, 23} {
		b.set(i)
	}
	b.clear(9)
	b.clear(1000)
	if string(b) != "\x80\x00\x01" || b.last() != 23 || b.Count() != 2 || !b.Has(23) || b.Has(24) {
		t.Errorf("%08b, last %d, count %d", b, b.last(), b.Count())
	}
}
