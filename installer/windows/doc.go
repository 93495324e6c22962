// Package windows builds the installer for Windows, with the scripts beside it: `build` makes the MSI on Linux, `sign`
// signs it. Its tests install, upgrade and remove it for real under Wine, and run there what only Windows compiles.
package windows
