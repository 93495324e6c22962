//go:build linux

package linux_test

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/installer/machine/machinetest"
)

// The packages as they are given away: small enough, faultless to those who judge packages, and the same bytes wherever and
// however often they are built.
func TestPackages(t *testing.T) {
	if !machinetest.Full() {
		t.Skip("this builds all packages twice without a cache; set FULL=1 for it")
	}
	t.Parallel()
	here := filepath.Join(packages, "here")
	make := func(folder, out string, env ...string) {
		cmd := exec.Command("installer/linux/build")
		cmd.Dir, cmd.Env = folder, append(append(os.Environ(), "OUT="+out, "VERSION="+older), env...)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build the packages in %s: %v: %s", folder, err, said)
		}
	}
	make("../..", here)

	t.Run("are small", func(t *testing.T) {
		debs := sizes(t, here, "*.deb")
		t.Logf("sizes: %v", debs)
		if debs["tributary-service"] > largestDeb || debs["tributary-service"]+debs["tributary"] > largestDebs || len(debs) != 2 {
			t.Errorf("sizes %v; want at most %d for the service, %d in all", debs, largestDeb, largestDebs)
		}
	})
	t.Run("please lintian", func(t *testing.T) {
		debs, _ := filepath.Glob(filepath.Join(here, "*.deb")) // the pattern is right
		said, err := exec.Command("lintian", append([]string{"--fail-on", "error,warning", "--tag-display-limit", "0"}, debs...)...).CombinedOutput()
		t.Logf("%s", said)
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("have the libraries that the window links", func(t *testing.T) { comparesLibraries(t, here) })
	t.Run("can be installed on this Debian", func(t *testing.T) {
		debs, _ := filepath.Glob(filepath.Join(here, "*.deb")) // the pattern is right
		if said, err := exec.Command("apt-get", append([]string{"install", "--simulate"}, debs...)...).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, said)
		}
	})
	t.Run("are the same bytes when built elsewhere", func(t *testing.T) {
		elsewhere := filepath.Join(packages, "elsewhere")
		for _, words := range [][]string{
			{"clone", "--quiet", "--no-hardlinks", "../..", elsewhere},
			{"-C", elsewhere, "checkout", "--quiet", "--detach", head(t)},
		} {
			if said, err := exec.Command("git", words...).CombinedOutput(); err != nil {
				t.Fatalf("git %v: %v: %s", words, err, said)
			}
		}
		make(elsewhere, filepath.Join(elsewhere, "out"), "GOCACHE="+filepath.Join(packages, "cache"), "TZ=Asia/Tokyo", "LANG=de_DE.UTF-8")
		built, _ := filepath.Glob(filepath.Join(here, "*")) // the pattern is right
		for _, file := range built {
			one, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			other, err := os.ReadFile(filepath.Join(elsewhere, "out", filepath.Base(file)))
			if err != nil || !bytes.Equal(one, other) {
				t.Errorf("%s is another when built elsewhere (%v)", filepath.Base(file), err)
			}
		}
		t.Logf("compared %d packages", len(built))
	})
}

func head(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// comparesLibraries holds what the rpm says that it needs against what the window links. (What the .deb needs,
// dpkg-shlibdeps has found out.)
func comparesLibraries(t *testing.T, folder string) {
	debs, _ := filepath.Glob(filepath.Join(folder, "tributary_*.deb")) // the pattern is right
	rpms, _ := filepath.Glob(filepath.Join(folder, "tributary-0*.rpm"))
	if len(debs) != 1 || len(rpms) != 1 {
		t.Fatalf("packages of the window: %v, %v", debs, rpms)
	}
	root := t.TempDir()
	if said, err := exec.Command("dpkg-deb", "--extract", debs[0], root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	window, err := elf.Open(filepath.Join(root, "usr/bin/tributary"))
	if err != nil {
		t.Fatal(err)
	}
	defer window.Close()
	linked, err := window.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	// Parts of glibc come with libc.so.6.
	linked = slices.DeleteFunc(linked, func(l string) bool { return slices.Contains([]string{"libc.so.6", "libm.so.6", "libresolv.so.2"}, l) })
	slices.Sort(linked)
	said, err := exec.Command("rpm", "--query", "--requires", "--package", rpms[0]).Output()
	if err != nil {
		t.Fatal(err)
	}
	var needed []string
	for _, match := range regexp.MustCompile(`(?m)^(lib[^(]+\.so\.\d+)\(\)`).FindAllStringSubmatch(string(said), -1) {
		needed = append(needed, match[1])
	}
	slices.Sort(needed)
	if diff := cmp.Diff(linked, needed); diff != "" {
		t.Errorf("libraries (-linked by the window +needed by the rpm):\n%s", diff)
	}
}

// What desktops read is as their own tools want it.
func TestDesktopFiles(t *testing.T) {
	for _, check := range [][]string{
		{"desktop-file-validate", "desktop/io.tributary.Tributary.desktop", "desktop/tributary-tray.desktop"},
		{"appstreamcli", "validate", "--no-net", "desktop/io.tributary.Tributary.metainfo.xml"},
	} {
		if _, err := exec.LookPath(check[0]); err != nil {
			machinetest.Require(t, err)
		}
		if said, err := exec.Command(check[0], check[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v: %s", check, err, said)
		}
	}
}

// The manual pages that are written by hand name every flag of their programs.
func TestManualsNameEveryFlag(t *testing.T) {
	declared := regexp.MustCompile(`flag\.\w+Var\(&[\w.]+, "(\w+)"`)
	for _, program := range []string{"tributary", "tributary-tray"} {
		source, err := os.ReadFile("../../app/" + program + "/main.go")
		if err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile("desktop/" + program + ".1")
		if err != nil {
			t.Fatal(err)
		}
		flags := declared.FindAllStringSubmatch(string(source), -1)
		if len(flags) == 0 {
			t.Errorf("%s: no flag found in its source", program)
		}
		for _, flag := range flags {
			if !strings.Contains(string(page), `\-\-`+flag[1]) {
				t.Errorf("the manual page of %s does not name --%s", program, flag[1])
			}
		}
	}
}
