// Package localapi serves the engine to programs of the same user, or of every user of a machine: HTTP/1.1 and JSON over a
// Unix socket or a Windows named pipe. It translates requests to calls of Service and errors to answers, and decides
// who may ask. It must never listen on a TCP port, answer a web page, or hold state of downloads.
//
//	GET    /v1/downloads                 every download, in queue order
//	POST   /v1/downloads                 api.AddRequest; answers the new api.Download
//	GET    /v1/downloads/{id}            api.Detail
//	DELETE /v1/downloads/{id}[?file=1]   forget it; with file=1 delete its finished file too
//	POST   /v1/downloads/{id}/pause
//	POST   /v1/downloads/{id}/resume
//	POST   /v1/downloads/{id}/cancel     drop the download and its part file
//	POST   /v1/downloads/{id}/move       api.MoveRequest
//	POST   /v1/downloads/{id}/file       api.FileRequest with the unfinished file, again; see below
//	POST   /v1/downloads/{id}/name       api.FileRequest with the finished file, which has got its name
//	POST   /v1/probe                     api.AddRequest; answers api.Probe and keeps nothing
//	POST   /v1/linkfile                  api.LinkFile; answers each api.LinkedFile that it names
//	GET    /v1/watch[?every=2s]          one api.Event a line (NDJSON), without end; changes at most so often
//	GET    /v1/status
//	GET    /v1/settings
//	PATCH  /v1/settings                  api.SettingsChange; answers the new api.Settings
//	GET    /v1/policy                    api.Effective of each setting
//	POST   /v1/policy/reload             read the administrator's policy anew
//	GET    /v1/sharing
//	DELETE /v1/sharing/{content}         stop offering an object
//	GET    /v1/held                      each api.Held, the newest first
//	GET    /v1/doctor
//	GET    /v1/diagnostics               the newest lines of the log
//
// A service for every user of a machine tells callers apart by what the system says of them, and routes.go says who may do
// what. It opens no file of a user's: the open file comes with POST /v1/downloads and the two calls above, over a
// Unix socket as a descriptor beside the first bytes of the request (SCM_RIGHTS), so that it needs no second
// connection, belongs to exactly one request, and its sender is who asks. What only the owner can delete afterwards
// is the answer to DELETE and cancel (api.Leftover).
//
// The password of a proxy goes in and never out: answers show a mask in its place. A refusal is an api.Error. GET changes nothing. POST and PATCH need a JSON content type, which a form
// on a web page cannot send.
package localapi
