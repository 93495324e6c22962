// Package linux holds the Linux packages of Tributary (see ../README.md), and tests that install, use, upgrade and remove
// them on a real systemd. It has no code of the product.
package linux
