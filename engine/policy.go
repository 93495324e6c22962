package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// Policy is what an administrator has decided. Its maps are not changed once the engine has them.
type Policy struct {
	Settings   api.SettingsPatch
	ControlURL string            // of the control plane; "" leaves it to each manifest
	Locked     map[string]bool   // by JSON name of the setting
	Origin     map[string]string // by JSON name: the file and line that decided
	Notes      map[string]string // by JSON name: who else wanted to decide
}

// ReloadPolicy reads anew what an administrator has decided and keeps to it. A policy that cannot be read changes
// nothing: the last good one holds, and the status says so until a reload succeeds.
func (e *Engine) ReloadPolicy(context.Context) error {
	if e.cfg.LoadPolicy == nil {
		return &api.Error{Code: api.ErrInvalid, Message: "this service has no policy to read"}
	}
	err := e.readPolicy()
	if err == nil {
		e.tellDownloads()
	}
	return err
}

func (e *Engine) readPolicy() error {
	e.changing.Lock()
	defer e.changing.Unlock()
	p, err := e.cfg.LoadPolicy()
	if err != nil {
		e.keepPolicy(err)
		return &api.Error{Code: api.ErrInvalid, Message: "the policy cannot be read, so the last good one still holds: " + err.Error()}
	}
	e.mu.Lock()
	control := e.policy.ControlURL
	e.policy, e.policyProblem = p, nil
	e.apply()
	e.mu.Unlock()
	e.log.Info("read the administrator's policy", "locked", len(p.Locked), "decided", len(p.Origin))
	e.warnOfPolicy(p)
	if p.ControlURL != control {
		e.log.Warn("the administrator's control plane is used from the next start of the service on", "url", p.ControlURL)
	}
	e.tellPeers()
	return nil
}

// keepPolicy notes why the last good policy still holds.
func (e *Engine) keepPolicy(why error) {
	problem := &api.Problem{Code: api.CodePolicy, Severity: api.SeverityWarning, Since: time.Now(),
		Title:  "The administrator's policy cannot be read",
		Text:   why.Error() + ". The last good policy still holds.",
		Remedy: "Mend it; the service reads it again by itself. \"tributaryctl policy check\" tells whether it is right."}
	e.mu.Lock()
	if e.policyProblem != nil {
		problem.Since = e.policyProblem.Since
	}
	told := e.policyProblem != nil && e.policyProblem.Text == problem.Text
	e.policyProblem = problem
	e.mu.Unlock()
	if !told {
		e.log.Error("the administrator's policy cannot be read; the last good one still holds", "err", why)
	}
}

func (e *Engine) warnOfPolicy(p Policy) {
	for name, note := range p.Notes {
		e.log.Warn("policies disagree about a locked setting", "setting", name, "decided", p.Origin[name], "but", note)
	}
}

// controlURL is the control plane that is used instead of those that manifests name: the administrator's if it is
// locked, then the command line's, then the administrator's.
func controlURL(c Config) string {
	if c.Control == "" || c.Policy.ControlURL != "" && c.Policy.Locked[settingControl] {
		return c.Policy.ControlURL
	}
	return c.Control
}

// settingControl is the name of the one setting that only an administrator has.
const settingControl = "control_url"

// controlInForce explains the control plane like a setting. e.mu is held.
func (e *Engine) controlInForce() api.Effective {
	c := api.Effective{Name: settingControl, Value: e.control, Origin: "default", Locked: e.policy.Locked[settingControl]}
	switch e.control {
	case "":
	case e.policy.ControlURL:
		c.Origin = e.policy.Origin[settingControl]
	default:
		c.Origin = "command line"
	}
	if e.policy.ControlURL != "" && e.control != e.policy.ControlURL {
		c.Note = fmt.Sprintf("%s says %s", e.policy.Origin[settingControl], e.policy.ControlURL)
	}
	return c
}
