package scenario

// Figures are what goals can bound. All but wasted are taken outside the clients: at interfaces, in the edge's log, and
// with the clock of whoever asked for the file. Wasted is a client's own word, which wire_overhead bounds from outside.
var Figures = []string{
	"time_over_limit",     // last member's time ÷ the limit of arithmetic
	"time_over_crowd",     // last member's time ÷ the bound of a crowd under any policy, see Limits.Crowd
	"time_over_edge_only", // last member's time ÷ the last one's of curl on the same network
	"time_over_rivals",    // last member's time ÷ that of the fastest other program that brought everybody the file
	"p95_over_edge_only",  // 95th percentile of the members' times ÷ curl's
	"offload",             // 1 - payload that the edge sent ÷ payload that was wanted
	"offload_over_limit",  // offload ÷ the limit of arithmetic
	"wasted",              // received in vain ÷ payload
	"wire_overhead",       // bytes on the members' lines towards them ÷ payload - 1
	"edge_back_s",         // from an event until the edge sends at 90% of its line again
	"slope",               // last member's time ÷ that of one member alone
	"in_site",             // share of peers' bytes that stayed in a site
	"idle_use",            // rate of an upload that nothing disturbs ÷ the line
	"ping_growth_ms",      // 95th percentile of pings beside an upload - median of pings at rest
	"flow_up",             // rate of a TCP flow up beside an upload ÷ alone
	"flow_down",           // the same down
	"completed",           // members that stayed and have the file, verified, ÷ members that stayed
}
