//go:build unix

package service

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// directory stands in for dscl: a folder is the directory of accounts, and each key of a record a file in it. Beside it
// are stand-ins for what makes folders, which only note what they were asked for.
const directory = `#!/bin/sh
db=%[1]s/db
[ "$1" = . ] || exit 99
case $2 in
-list) cd "$db$3" 2>/dev/null || exit 0; for record in *; do [ ! -e "$record/$4" ] || echo "$record   $(cat "$record/$4")"; done ;;
-read) cat "$db$3/$4" ;;
-create) mkdir -p "$db$3"; printf %%s "$5" >"$db$3/$4"; echo "$3 $4" >>%[1]s/made ;;
*) exit 99 ;;
esac
`

func standIns(t *testing.T) (folder, path string) {
	t.Helper()
	folder = t.TempDir()
	notes := "#!/bin/sh\necho \"$(basename \"$0\") $*\" >>" + folder + "/folders\n"
	programs := map[string]string{"dscl": fmt.Sprintf(strings.ReplaceAll(directory, "mkdir", "/bin/mkdir"), folder), "mkdir": notes, "install": notes}
	for name, text := range programs {
		file := filepath.Join(folder, "bin", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	return folder, filepath.Join(folder, "bin") + ":" + systemPath
}

func wantText(t *testing.T, file, want string) {
	t.Helper()
	if text, err := os.ReadFile(file); strings.TrimSpace(string(text)) != want {
		t.Errorf("%s holds %q, %v; want %q", file, text, err, want)
	}
}

// The account is made once, with a number that nobody has, and its folders are its own.
func TestAccountOnMacOS(t *testing.T) {
	folder, path := standIns(t)
	for record, number := range map[string]string{"Users/_old": "300", "Groups/_group": "301", "Users/alice": "501"} {
		dir := filepath.Join(folder, "db", record)
		key := map[bool]string{true: "UniqueID", false: "PrimaryGroupID"}[strings.HasPrefix(record, "Users")]
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, key), []byte(number), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	// An attempt before it died: the record is there, its number is not.
	if err := os.MkdirAll(filepath.Join(folder, "db/Users", accountName), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := makeAccount(path); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[string]string{"UniqueID": "302", "PrimaryGroupID": "302", "UserShell": "/usr/bin/false", "NFSHomeDirectory": "/var/empty", "IsHidden": "1"} {
		wantText(t, filepath.Join(folder, "db/Users", accountName, key), want)
	}
	wantText(t, filepath.Join(folder, "db/Groups", accountName, "PrimaryGroupID"), "302")
	if made, err := os.ReadFile(filepath.Join(folder, "made")); strings.Count(string(made), " UniqueID\n") != 1 {
		t.Errorf("the account was made more than once: %s, %v", made, err)
	}
	const support = "/Library/Application Support/Tributary"
	folders := "mkdir -p " + support + "/policy.d\n" +
		"install -d -m 0755 -o _tributary -g _tributary " + support + "/run\n" +
		"install -d -m 0700 -o _tributary -g _tributary " + support + "/state /Library/Logs/Tributary"
	wantText(t, filepath.Join(folder, "folders"), folders+"\n"+folders)
}

// Without a number that is free there is no account, and that is said.
func TestAccountOnMacOSWithoutANumber(t *testing.T) {
	folder, path := standIns(t)
	for number := 300; number < 400; number++ {
		dir := filepath.Join(folder, "db/Users", fmt.Sprint("_user", number))
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "UniqueID"), fmt.Append(nil, number), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := makeAccount(path); err == nil || !strings.Contains(err.Error(), "is taken") {
		t.Errorf("makeAccount: %v", err)
	}
}

// The system's service has an account before its property list names one; a user's has none, and looks into their home.
func TestLaunchdServiceHasAnAccount(t *testing.T) {
	d := launchdOf(t, &launcher{})
	d.account = func() error { return errors.New("no accounts today") }
	if err := d.Install(); err == nil || !strings.Contains(err.Error(), "no accounts today") {
		t.Errorf("install: %v", err)
	}
	if state, err := d.State(); state != StateNotInstalled || err != nil {
		t.Errorf("it is %q, %v", state, err)
	}
	if d.hidden = hiddenProgram(false, "/Users/alice/tributaryd"); d.Install() == nil {
		t.Error("a service is installed whose program its account cannot see")
	}
	for user, want := range map[bool]bool{false: true, true: false} {
		l, err := newLaunchd(user, "/opt/tributaryd", nil)
		if err != nil {
			t.Fatal(err)
		}
		if has := l.account != nil && strings.Contains(l.text, "<string>"+accountName+"</string>"); has != want || l.hidden != "" {
			t.Errorf("of a user: %v; with an account: %v", user, has)
		}
	}
}
