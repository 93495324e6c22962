package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/protocol"
)

var film, song = protocol.ContentID{1}, protocol.ContentID{2}

func example() Report {
	var b Builder
	for _, a := range []ledger.Account{
		{Content: film, Outcome: protocol.OutcomeCompleted, Edge: 250, Peers: 750, Wasted: 5},
		{Content: film, Outcome: protocol.OutcomeCompleted, Edge: 1000, Uploaded: 750},
		{Content: film, Outcome: protocol.OutcomeFailed, Edge: 100},
		{Content: song, Outcome: protocol.OutcomeRunning, Peers: 50},
		{Content: song, Outcome: protocol.OutcomePaused},
	} {
		b.Account(a)
	}
	b.Past(ledger.Past{Content: film, Outcomes: map[protocol.Outcome]int{protocol.OutcomeCompleted: 40, protocol.OutcomeFailed: 2}, Wasted: 7, Uploaded: 8})
	b.Served(film, 1300)
	b.Served(film, 60)
	return b.Report(time.Unix(1_800_000_000, 0).UTC(), func(c protocol.ContentID) string {
		if c == film {
			return "=film <1>"
		}
		return ""
	})
}

func TestTotals(t *testing.T) {
	r := example()
	want := Totals{Started: 45, Completed: 42, Failed: 3, Summed: 42, EdgeLogged: 1360, Edge: 1350, Peers: 750, Wasted: 12, Uploaded: 758}
	if len(r.Objects) != 2 || r.Objects[0].Totals != want {
		t.Errorf("objects = %+v", r.Objects)
	}
	if got := r.Objects[0].Offload(); got < 0.357 || got > 0.358 {
		t.Errorf("offload = %v; want 750 of 2100", got)
	}
	if all := r.All; all.Started != 47 || all.Running != 1 || all.Paused != 1 || all.Peers != 800 {
		t.Errorf("all = %+v", all)
	}
	if (Totals{}).Offload() != 0 {
		t.Error("the offload of nothing must be 0")
	}
}

func TestEveryFormatTellsTheSame(t *testing.T) {
	texts := make(map[Format]string)
	for _, format := range Formats {
		var out bytes.Buffer
		if err := example().Write(&out, format); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		texts[format] = out.String()
	}
	var decoded struct {
		All     map[string]any
		Objects []map[string]any
	}
	if err := json.Unmarshal([]byte(texts[JSON]), &decoded); err != nil || len(decoded.Objects) != 2 ||
		decoded.All["peer_bytes_reported"] != 800.0 || decoded.Objects[0]["name"] != "=film <1>" || decoded.Objects[0]["completed"] != 42.0 || decoded.All["summed"] != 42.0 {
		t.Errorf("JSON: %v\n%s", err, texts[JSON])
	}
	rows, err := csv.NewReader(strings.NewReader(texts[CSV])).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][1] != "'=film <1>" || rows[1][8] != "1360" || rows[1][14] != "42" {
		t.Errorf("CSV: %v %q", err, rows)
	}
	if !strings.Contains(texts[HTML], "=film &lt;1&gt;") || strings.Contains(texts[HTML], "<1>") || !strings.Contains(texts[HTML], "35.7%") ||
		!strings.Contains(texts[HTML], "Of 42 of these") {
		t.Errorf("HTML:\n%s", texts[HTML])
	}
	if !strings.Contains(texts[Table], "1.4 kB") || !strings.Contains(texts[Table], song.String()[:16]) || !strings.Contains(texts[Table], "Of 42 of these") {
		t.Errorf("table:\n%s", texts[Table])
	}
	if err := example().Write(&bytes.Buffer{}, "pdf"); err == nil {
		t.Error("an unknown format was written")
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 5_300_000_000: "5.3 GB", 1<<64 - 1: "18.4 EB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s; want %s", n, got, want)
		}
	}
}
