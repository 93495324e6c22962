// Package wire holds the messages of a session between a service and a connection node, generated from
// control.proto, which says what each means. It must never hold behaviour: whoever receives a message
// checks it.
package wire
