// Package config turns flags and the customs of the operating system into one checked struct, read once at the start. It
// must never read or write the user's settings, which belong to the engine, nor the administrator's policy, which may
// change while the service runs; it knows nothing of ours but the words of engine/api.
package config
