package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/policy"
	"github.com/tributary-dl/tributary/engine/api"
)

func (a *app) policyCommand() *cobra.Command {
	explain := &cobra.Command{
		Use:   "explain",
		Short: "Show each setting, its value, who set it and whether it is locked",
		Long: `explain shows the value of each setting that is in force and who set it: the default, the user, the
command line of the service, or the administrator with file and line. If a changed policy could not be
read, it says so on standard error, and shows what the last good one has decided.`,
		Example: "  tributaryctl policy explain",
		Args:    takes(0, 0),
		RunE:    func(c *cobra.Command, _ []string) error { return a.explainPolicy(c) },
	}
	reload := &cobra.Command{
		Use:   "reload",
		Short: "Let the service read the administrator's policy again, now",
		Long: `reload lets the service read the policy again without waiting until it notices a change. It fails (exit
code 1) if the policy is malformed; the last good one then still holds.`,
		Args: takes(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return a.client.ReloadPolicy(c.Context()) },
	}
	check := &cobra.Command{
		Use:   "check [FILE...]",
		Short: "Say whether policy files are right, without a service",
		Long: `check reads policies, files or folders of *.json and *.plist, as the service would, and says what is wrong
with file, line and column. Without a FILE it reads the policies of this computer. It fails (exit code 1)
if one is malformed; that several disagree about a locked setting is told, but no failure.`,
		Example: "  tributaryctl policy check 10-site.json && sudo cp 10-site.json /etc/tributary/policy.d/",
		Args:    takes(0, -1),
		RunE:    func(_ *cobra.Command, paths []string) error { return a.checkPolicies(paths) },
	}
	return group("policy", "Show and check what an administrator has decided", explain, reload, check)
}

func (a *app) explainPolicy(c *cobra.Command) error {
	all, err := a.client.Policy(c.Context())
	if err != nil {
		return err
	}
	status, err := a.client.Status(c.Context())
	if err != nil {
		return err
	}
	if a.json {
		err = printEach(a, all)
	} else {
		t := a.table("SETTING", "VALUE", "SET BY", "LOCKED")
		for _, e := range all {
			t.row(e.Name, orDash(quote(e.Value)), setBy(e.Origin), yesNo(e.Locked))
		}
		err = t.Flush()
	}
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Note != "" && !a.json {
			a.printf("%s: %s\n", e.Name, quote(e.Note))
		}
	}
	for _, p := range status.Problems {
		if p.Code == api.CodePolicy {
			fmt.Fprintf(a.Err, "tributaryctl: %s: %s %s\n", p.Title, quote(p.Text), p.Remedy)
		}
	}
	return nil
}

// setBy says who stands behind the origin of a setting.
func setBy(origin string) string {
	switch origin {
	case "default", "user", "command line":
		return origin
	}
	return "administrator, " + quote(origin)
}

// checked is what check says of one policy.
type checked struct {
	Path    string `json:"path"` // "" for this computer's
	OK      bool   `json:"ok"`
	Decided int    `json:"decided"` // settings that have a value or a lock
	Locked  int    `json:"locked"`
	Fault   string `json:"fault,omitempty"`
}

func (a *app) checkPolicies(paths []string) error {
	readers := []*policy.Reader{{System: true}}
	if len(paths) > 0 {
		readers = nil
		for _, path := range paths {
			readers = append(readers, &policy.Reader{Paths: []string{path}})
		}
	}
	var bad error
	for _, r := range readers {
		p, err := r.Load()
		result := checked{OK: err == nil, Decided: len(p.Origin), Locked: len(p.Locked)}
		if len(r.Paths) > 0 {
			result.Path = r.Paths[0]
		}
		if err != nil {
			result.Fault, bad = err.Error(), errTold
		}
		if err := a.printChecked(result); err != nil {
			return err
		}
	}
	if bad != nil {
		return bad
	}
	together, err := (&policy.Reader{Paths: paths, System: len(paths) == 0}).Load()
	if err != nil { // it has just been right
		return errors.Join(errors.New("the policies changed meanwhile"), err)
	}
	for _, conflict := range together.Conflicts() {
		fmt.Fprintf(a.Err, "tributaryctl: %s\n", quote(conflict))
	}
	return nil
}

func (a *app) printChecked(c checked) error {
	if a.json {
		return a.printJSON(c)
	}
	if !c.OK {
		a.printf("%s\n", quote(c.Fault))
		return nil
	}
	name := "the policy of this computer"
	if c.Path != "" {
		name = quote(c.Path)
	}
	a.printf("%s: ok, decides %d settings and locks %d\n", name, c.Decided, c.Locked)
	return nil
}
