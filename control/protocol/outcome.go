package protocol

// Outcome is how a download ended, as clients report it and the ledger keeps it; empty while it runs.
type Outcome string

// The outcomes of a report.
const (
	OutcomeRunning   Outcome = ""
	OutcomeCompleted Outcome = "completed"
	OutcomePaused    Outcome = "paused"
	OutcomeCancelled Outcome = "cancelled"
	OutcomeFailed    Outcome = "failed"
)

// Known says whether o is one of the outcomes above.
func (o Outcome) Known() bool {
	switch o {
	case OutcomeRunning, OutcomeCompleted, OutcomePaused, OutcomeCancelled, OutcomeFailed:
		return true
	}
	return false
}
