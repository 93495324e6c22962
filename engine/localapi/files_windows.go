package localapi

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/ownfile"
	"github.com/tributary-dl/tributary/engine/pipe"
)

// receiving returns the connection as one through which files are named and not sent: they do not travel through pipes.
func receiving(c net.Conn) fileConn { return pipeConn{c} }

type pipeConn struct{ net.Conn }

// takeFile opens the file that the caller has made, with the caller's rights and for this moment alone; what stays is
// the open file. Callers that do not let us act for them, as all do whose call needs no file, are refused.
func (c pipeConn) takeFile(dir, name string, finished bool) (file *os.File, err error) {
	end, ok := c.Conn.(*pipe.Conn)
	if !ok || name == "" { // of a test; without a file
		return nil, nil
	}
	if name != filepath.Base(name) || !filepath.IsLocal(name) {
		return nil, &api.Error{Code: api.ErrInvalid, Message: fmt.Sprintf("%q is not a name for a file", name)}
	}
	mode := ownfile.Change
	if finished { // whoever holds a program open for writing keeps it from being run
		mode = ownfile.Read
	}
	err = end.AsPeer(func() error {
		file, err = ownfile.Open(filepath.Join(dir, name), mode)
		return err
	})
	if err != nil {
		return nil, &api.Error{Code: api.ErrInvalid, Message: "the service cannot take your file over: " + err.Error()}
	}
	return file, nil
}
