package service

import "strings"

// unitMark is the first line of each unit that Install writes. A unit without it is somebody else's: a package's or an
// administrator's, and is never written to or removed.
const unitMark = `# Made by "tributaryd service install", which overwrites it; "tributaryd service uninstall" removes it.`

// systemdUnit is the unit that runs a program with arguments. The library's own waits two minutes before it starts the
// service again, never starts a user's service at login, and knows neither readiness nor hardening. It is finished
// text: the library's small template language knows no quoting for systemd.
func systemdUnit(user bool, program string, arguments []string) string {
	words := []string{quoteWord(program)}
	for _, argument := range arguments {
		words = append(words, quoteWord(argument))
	}
	head := unitMark + "\n" + unitHead + "ExecStart=" + strings.Join(words, " ") + "\n" + unitService
	if user {
		return head + "\n[Install]\nWantedBy=default.target\n"
	}
	return head + unitHardening + "\n[Install]\nWantedBy=multi-user.target\n"
}

// quoteWord writes a word of a command line so that systemd takes it as it is: between quotes, without specifiers (%) and
// variables ($); see systemd.service(5). Braces are escaped from the library, which sees templates in them.
func quoteWord(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "%", "%%", "$", "$$", "{", `\x7b`, "}", `\x7d`).Replace(word) + `"`
}

const unitHead = `[Unit]
Description=Tributary download service
After=network.target nss-lookup.target
StartLimitIntervalSec=60
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
`

// A malformed policy (78) or command line (2) does not get better by trying again.
const unitService = `ExecReload=kill -HUP $MAINPID
UMask=0077
Restart=on-failure
RestartSec=2s
RestartPreventExitStatus=2 78
TimeoutStopSec=30s
LimitNOFILE=65536
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
SystemCallArchitectures=native
`

// unitHardening is for the system's service only: a user's manager may not set most of it. The service gets an account
// of its own for as long as it runs, sees no home, and can become nobody else.
const unitHardening = `DynamicUser=yes
User=tributary
StateDirectory=tributary
StateDirectoryMode=0700
RuntimeDirectory=tributary
RuntimeDirectoryMode=0755
FileDescriptorStoreMax=512
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
`
