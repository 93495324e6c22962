// Package arena plays scenarios in a laboratory: it builds the network, starts the real programs (ours, or one that a
// user would take instead), lets happen what the scenario says, and measures from outside. Bytes are counted at interfaces
// and in the edge's log; what a client says of itself is only compared with that. Every file is verified. It must never
// import what the programs are made of, and never correct a result: a run that is not worth anything is void, and says so.
//
// Besides scenario.Figures, a result has last_s, median_s and p95_s of the members' times; processor, the share of all the
// machine's processors that was busy, with whatever else it does; and the processor time that was spent by the programs
// themselves: cpu_s by those of all members, cpu_each_s by one of them, cpu_ms_per_mb for each MB that was
// wanted, edge_cpu_s by the edge with its control plane. The kernel's work for the network is in all of these.
package arena
