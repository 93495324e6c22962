// Package pipe is the named pipe of Windows as a net.Listener and a net.Conn, for the service's local API and its
// clients; on other systems it is empty. It knows who is at the other end, and lets the server open a file with that
// user's rights. It must never know what is said through the pipe, nor decide who may say it.
package pipe
