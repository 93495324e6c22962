package api

// Phrase names a sentence that stands in English beside it, so that a program can say it in the user's language. One
// that does not know the code shows the English.
type Phrase struct {
	Code string            `json:"code"`           // one of the Say constants; append-only
	Args map[string]string `json:"args,omitempty"` // sizes and rates are bytes, numbers digits
}

// Why sharing rests.
const (
	SayRestsMonth   = "rests_month"
	SayRestsHours   = "rests_hours"   // hours
	SayRestsBattery = "rests_battery" // percent
	SayRestsMetered = "rests_metered"
	SayRestsVPN     = "rests_vpn"
)
