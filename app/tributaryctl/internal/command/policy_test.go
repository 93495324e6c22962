package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/command"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

// A policy that cannot be read is no failure of explain: it shows what holds, and says on standard error why.
func TestExplainNamesABrokenPolicy(t *testing.T) {
	for _, line := range []string{"policy explain", "policy explain --json"} {
		fake := three()
		fake.StatusNow.Problems = []api.Problem{{Code: api.CodePolicy, Title: "The policy cannot be read", Text: "p.json:3:1: \x1b[2J.", Remedy: "Mend it."}, {Code: api.CodeInternal, Title: "other"}}
		got := ctl(t, fake, strings.Fields(line)...)
		if got.code != command.ExitDone || !strings.Contains(got.out, "sharing") || got.err != "tributaryctl: The policy cannot be read: p.json:3:1: ?[2J. Mend it.\n" {
			t.Errorf("%s: exit %d, out %q, err %q", line, got.code, got.out, got.err)
		}
	}
}

func TestReloadThatFails(t *testing.T) {
	fake := localapitest.NewFake()
	fake.Refuse(&api.Error{Code: api.ErrInvalid, Message: "the policy cannot be read"})
	if got := ctl(t, fake, "policy", "reload"); got.code != command.ExitFailed || got.err != "tributaryctl: the policy cannot be read\n" {
		t.Errorf("exit %d, err %q", got.code, got.err)
	}
}

// check needs no service, tells each file's fault, and names disagreements.
func TestCheckPolicies(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"10.json":  `{"settings": {"sharing": "lan"}}`,
		"20.json":  `{"settings": {"sharing": "off"}, "lock": ["sharing"]}`,
		"bad.json": "{\n\"lock\": [\"shaering\"]}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	tests := []struct {
		line     string
		code     int
		out, err string
	}{
		{"policy check 10.json", command.ExitDone, "10.json: ok, decides 1 settings and locks 0\n", ""},
		{"policy check 10.json 20.json", command.ExitDone, "10.json: ok, decides 1 settings and locks 0\n20.json: ok, decides 1 settings and locks 1\n",
			"tributaryctl: sharing is decided by 20.json:1, but 10.json:1 says lan; the last one read holds\n"},
		{"policy check bad.json 10.json", command.ExitFailed, "bad.json:2:10: lock: there is no setting \"shaering\"; did you mean \"sharing\"?\n10.json: ok, decides 1 settings and locks 0\n", ""},
		{"policy check none.json", command.ExitFailed, "none.json: cannot stat it: no such file or directory\n", ""},
		{"policy check bad.json --json", command.ExitFailed,
			`{"path":"bad.json","ok":false,"decided":0,"locked":0,"fault":"bad.json:2:10: lock: there is no setting \"shaering\"; did you mean \"sharing\"?"}` + "\n", ""},
	}
	for _, tt := range tests {
		got := ctlAt(t.Context(), "nowhere", nil, strings.Fields(tt.line)...)
		if got.code != tt.code || got.out != tt.out || got.err != tt.err {
			t.Errorf("%s: exit %d, out %q, err %q; want %d, %q, %q", tt.line, got.code, got.out, got.err, tt.code, tt.out, tt.err)
		}
	}
}
