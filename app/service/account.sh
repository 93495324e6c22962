#!/bin/sh
# Makes the account and the folders of the service on macOS. Each step may be repeated: an upgrade does. The package runs it
# after it is installed, and "tributaryd service install" runs it, too.
set -e
account=_tributary

# free prints a number between 300 and 400 that neither a user nor a group has: below 500 the login window shows nobody.
free() {
	taken=$(dscl . -list /Users UniqueID; dscl . -list /Groups PrimaryGroupID)
	number=300
	while printf '%s\n' "$taken" | grep -q " $number\$"; do number=$((number + 1)); done
	[ "$number" -lt 400 ] && echo "$number"
}

if ! dscl . -read "/Users/$account" UniqueID >/dev/null 2>&1; then
	number=$(free) || { echo "every number from 300 to 399 is taken; the service's account needs one" >&2; exit 1; }
	dscl . -create "/Groups/$account" PrimaryGroupID "$number"
	dscl . -create "/Users/$account" PrimaryGroupID "$number"
	dscl . -create "/Users/$account" RealName "Tributary download service"
	dscl . -create "/Users/$account" UserShell /usr/bin/false
	dscl . -create "/Users/$account" NFSHomeDirectory /var/empty
	dscl . -create "/Users/$account" IsHidden 1
	# The number comes last: what was interrupted before is made anew.
	dscl . -create "/Users/$account" UniqueID "$number"
fi
support="/Library/Application Support/Tributary"
mkdir -p "$support/policy.d"
# The socket's folder outlives a restart of the computer, which /var/run does not. Everybody may connect there.
install -d -m 0755 -o "$account" -g "$account" "$support/run"
install -d -m 0700 -o "$account" -g "$account" "$support/state" /Library/Logs/Tributary
