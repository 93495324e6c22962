package service

// systemdUnit is the template of our unit, in the small language of kardianos/service. The library's own
// waits two minutes before a restart, and never starts a user's service at login.
func systemdUnit(user bool) string {
	if user {
		return unitHead + "\n[Install]\nWantedBy=default.target\n"
	}
	return unitHead + unitHardening + "\n[Install]\nWantedBy=multi-user.target\n"
}

const unitHead = `[Unit]
Description={{Description}}
ConditionFileIsExecutable={{Path | cmdEscape}}

[Service]
ExecStart={{Path | cmdEscape}}{{range Arguments}} {{. | cmd}}{{end}}
Restart=on-failure
RestartSec=2s
TimeoutStopSec=30s
LimitNOFILE=65536
NoNewPrivileges=yes
`

// unitHardening is for the system's service only: a user's manager may not set most of it.
const unitHardening = `PrivateTmp=yes
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
LockPersonality=yes
`
