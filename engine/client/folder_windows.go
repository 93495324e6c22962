package client

import (
	"errors"
	"net"
	"os"
	"os/user"
)

// errNoHandover says that a service for every user cannot be used on Windows yet, where it is to open files itself with
// the rights of who calls.
var errNoHandover = errors.New("the service of this machine cannot be handed files on Windows yet; start your own with \"tributaryd run\"")

// self is this user as the service knows them.
func self() string {
	me, err := user.Current()
	if err != nil {
		return ""
	}
	return me.Uid
}

type ownFolder struct{ path string }

func makeFolder(string) (*ownFolder, error)                         { return nil, errNoHandover }
func openFolder(string) (*ownFolder, error)                         { return nil, errNoHandover }
func (*ownFolder) Close() error                                     { return nil }
func (*ownFolder) createPart(string) (*os.File, error)              { return nil, errNoHandover }
func (*ownFolder) openPart(string) (*os.File, error)                { return nil, errNoHandover }
func (*ownFolder) openFinished(string) (*os.File, error)            { return nil, errNoHandover }
func (*ownFolder) giveName(_ *os.File, _, _ string) (string, error) { return "", errNoHandover }
func (*ownFolder) removeOwn(string, int64) error                    { return errNoHandover }
func (*ownFolder) remove(string) error                              { return nil }
func carrying(net.Conn, *os.File) (net.Conn, error)                 { return nil, errNoHandover }
