// Package arena plays scenarios in a laboratory: it builds the network, starts the real programs (ours, or one that a
// user would take instead), lets happen what the scenario says, and measures from outside. Bytes are counted at interfaces
// and in the edge's log; what a client says of itself is only compared with that. Every file is verified. It must never
// import what the programs are made of, and never correct a result: a run that is not worth anything is void, and says so.
package arena
