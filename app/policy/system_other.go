//go:build !windows && !darwin

package policy

// folder is where the administrator of this system puts policies.
const folder = "/etc/tributary/policy.d"

func systemDefaults() []source { return nil }

func systemPolicies() []source { return readFolder(folder) }
