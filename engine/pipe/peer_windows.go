package pipe

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/windows"
)

// Peer is who opened the other end of a pipe.
type Peer struct {
	SID string // of the user, as S-1-5-...
	// Administrator says that an administrator's rights are in force: the system itself, or an elevated process.
	Administrator bool
}

// Peer asks the system who connected to this end, which Accept returned. It was fixed when the other end dialled, and
// cannot be forged; the process there need not be one that our account may look at.
func (c *Conn) Peer() (Peer, error) {
	var peer Peer
	err := c.AsPeer(func() (err error) {
		// This handle needs no right to open the token, which a service's account would not have.
		peer, err = describe(windows.GetCurrentThreadToken())
		return err
	})
	if err != nil {
		return Peer{}, fmt.Errorf("identify the other end of the pipe: %w", err)
	}
	return peer, nil
}

func describe(token windows.Token) (Peer, error) {
	user, err := token.GetTokenUser()
	if err != nil {
		return Peer{}, err
	}
	groups, err := token.GetTokenGroups()
	if err != nil {
		return Peer{}, err
	}
	peer := Peer{SID: user.User.Sid.String(), Administrator: user.User.Sid.IsWellKnown(windows.WinLocalSystemSid)}
	for _, group := range groups.AllGroups() {
		// An administrator's ordinary processes carry the group only to be denied things.
		enabled := group.Attributes&windows.SE_GROUP_ENABLED != 0 && group.Attributes&windows.SE_GROUP_USE_FOR_DENY_ONLY == 0
		if enabled && group.Sid.IsWellKnown(windows.WinBuiltinAdministratorsSid) {
			peer.Administrator = true
		}
	}
	return peer, nil
}

// procImpersonate is missing in x/sys/windows.
var procImpersonate = windows.NewLazySystemDLL("advapi32.dll").NewProc("ImpersonateNamedPipeClient")

// AsPeer runs act on a thread that has the rights of who connected to this end instead of ours. With a peer that has
// dialled with Identify, whatever act opens is refused. act must not start goroutines: they would have our rights.
func (c *Conn) AsPeer(act func() error) error {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		// A thread that cannot lay the borrowed rights down stays locked, and so ends with this goroutine.
		runtime.LockOSThread()
		var acted error
		err := raw.Control(func(handle uintptr) {
			if ok, _, fault := procImpersonate.Call(handle); ok == 0 {
				acted = fmt.Errorf("ImpersonateNamedPipeClient: %w", fault)
				return
			}
			acted = act()
			if windows.RevertToSelf() == nil {
				runtime.UnlockOSThread()
			}
		})
		if err != nil {
			acted = err
		}
		ended <- acted
	}()
	return <-ended
}
