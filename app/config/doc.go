// Package config turns flags, the administrator's policy files and the customs of the operating system
// into one checked struct, read once at the start. It must never read or write the user's settings, which
// belong to the engine, and knows nothing of ours but the words of engine/api.
package config
