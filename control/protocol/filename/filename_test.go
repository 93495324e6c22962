package filename

import (
	"strings"
	"testing"
)

func TestCheckTakesOrdinaryNames(t *testing.T) {
	for _, name := range []string{
		"a", "ubuntu-26.04-desktop-amd64.iso", "two words.txt", "Größe.pdf", "日本語.zip", "a..b", "COM10", "COMMON.txt",
		"CONSOLE", "console.txt", "NULL", "LPT", "COMLPT1", "LPTCOM1", "$x", "x~1", "a'b", "#1 100%.bin", strings.Repeat("a", MaxBytes),
	} {
		if err := Check(name); err != nil {
			t.Errorf("Check(%q) = %v; want nil", name, err)
		}
	}
}

func TestCheckRefusesWhatSomeSystemMisreads(t *testing.T) {
	for _, name := range []string{
		"", ".", "..", "...", ".hidden", "a.", " a", "a ", "a/b", `a\b`, "a:b", "C:", "a<b", "a>b", `a"b`, "a|b", "a?b", "a*b",
		"a\x00b", "a\nb", "a\x7fb", "a\u0085b", "a\u2028b", "gpj\u202eexe.scr", "a\u200eb", "\xff", "a\xc3", "e\u0301", "\u212b",
		"CON", "con", "Con.txt", "CON .txt", "nul.tar.gz", "AUX", "prn", "COM1", "com0.x", "LPT9", "COM¹", "lpt³.txt", "CONIN$", "conout$.a",
		strings.Repeat("a", MaxBytes+1),
	} {
		if Check(name) == nil {
			t.Errorf("Check(%q) = nil; want an error", name)
		}
	}
}

func TestFoldJoinsNamesThatAFileSystemTakesForOne(t *testing.T) {
	for _, same := range [][2]string{{"README", "readme"}, {"Straße", "STRASSE"}, {"ÄÖ", "äö"}, {"Σ", "ς"}} {
		if Fold(same[0]) != Fold(same[1]) {
			t.Errorf("Fold(%q) = %q, Fold(%q) = %q; want the same", same[0], Fold(same[0]), same[1], Fold(same[1]))
		}
	}
	if Fold("a") == Fold("b") {
		t.Error("Fold joins different names")
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"a", "CON.x", "e\u0301", "..", "ß"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if Check(name) == nil && (strings.ContainsAny(name, "/\\\x00:") || name == ".." || len(name) > MaxBytes) {
			t.Errorf("Check lets %q pass", name)
		}
		Fold(name)
	})
}
