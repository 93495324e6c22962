// Package edge is an HTTP server as a source of bytes: ranges, several connections, mirrors, validators,
// back-off. It serves plain downloads, from whatever stands on the web, and hybrid ones, where the bytes
// are checked against a manifest by the caller.
//
// A Client holds the connections. Client.Resolve learns what a URL names; Client.Source reads it. A Source
// chooses among mirrors and tells what each of them does; when to try again is the caller's decision, and
// every error carries what that decision needs.
//
// # Which addresses may be dialled
//
// A public address may not lead to a private one (loopback, private, link-local, shared, multicast,
// unspecified), or a web page could make this service talk to the router. The resolved address is checked
// at every dial. It may be private only if
//
//   - Request.AllowLocal is set, or the user typed such an address or localhost: then everywhere;
//   - the user typed that very host name (as URL or Mirror) and its first address was private already: an
//     intranet. A name that was public once stays public.
//
// So a redirect, a Link header or a manifest never leads into the user's network. Behind a proxy the
// proxy resolves names, and its own address is exempt; literal private addresses are refused all the same.
//
// # Who sees the user's secrets
//
// Password, cookies and headers go to the host and port for which they were given, also when it moves from
// http to https, and nowhere else. Nothing in errors, statistics or logs contains user-info or a query.
//
// The package must never import the piece engine, ICE or the database, verify hashes, or touch files.
package edge
