package report

import (
	"encoding/csv"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func readCSV(t *testing.T, content string) []map[string]string {
	t.Helper()
	content, ok := strings.CutPrefix(content, "\uFEFF")
	if !ok {
		t.Error("no byte order mark: Excel will take it for Latin-1")
	}
	records, err := csv.NewReader(strings.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func TestCSV(t *testing.T) {
	t.Parallel()
	rows := readCSV(t, write(t, "r.csv", team()))
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	want := map[string]string{"user": "ada@example.com", "file": "ada.jpg", "outcome": "uploaded", "reason": "", "advice": "",
		"status": "201", "code": "", "attempts": "2", "tracking_id": "T1", "sha256": strings.Repeat("ab", 32), "type": "image/jpeg",
		"size": "30031", "width": "512", "height": "384", "uploaded_at": "2026-11-25T12:00:00Z", "department": "Engines", "status_2": "Zoë"}
	if !reflect.DeepEqual(rows[0], want) {
		t.Errorf("row is\n%v, want\n%v", rows[0], want)
	}
	if got := rows[1]; got["code"] != "1001" || got["advice"] == "" || got["department"] != "Navy" || got["status_2"] != "" || got["uploaded_at"] != "" {
		t.Errorf("row is %v", got)
	}
}

func TestCSVRunsNoFormula(t *testing.T) {
	t.Parallel()
	cells := []string{`=cmd|' /C calc'!A0`, "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\n=1", "  =1", "＝1+1", "-abcDEF"}
	r := Report{Columns: []string{"=1+1"}, Rows: repeated(len(cells), func(i int) Row {
		return Row{User: cells[i], File: cells[i], Outcome: Failed, Reason: cells[i], Advice: cells[i], TrackingID: cells[i], Extra: cells[i : i+1]}
	})}
	rows := readCSV(t, write(t, "r.csv", r))
	if len(rows) != len(cells) {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows {
		for _, name := range []string{"user", "file", "reason", "advice", "tracking_id", "'=1+1"} {
			if got := row[name]; !strings.HasPrefix(strings.TrimLeft(got, " "), "'") || !strings.HasSuffix(got, cells[i][2:]) {
				t.Errorf("%s is %q of %q", name, got, cells[i])
			}
		}
	}
	if got := inert(visible("\r=1")); got != `\r=1` {
		t.Errorf("a carriage return became %q", got)
	}
	// Where a spreadsheet splits at semicolons or tabs, another cell begins within ours.
	for cell, want := range map[string]string{
		"x;=1+1": "x;'=1+1", "a; @SUM(1)": "a; '@SUM(1)", "x\t=1": "x\t'=1", "x\n=1": "x\n'=1", `x;"=1"`: `x;"'=1"`, "\u00a0=1": "\u00a0'=1", "\t=1": "'\t'=1", ";;-1": ";;'-1",
	} {
		if got := inert(cell); got != want {
			t.Errorf("%q became %q, want %q", cell, got, want)
		}
	}
	for _, harmless := range []string{"", "ada@example.com", "a=b", "'quoted", "KDcuGIm1QgePTO8WbOqwIQ", " spaced", "a; b\tc-d", "Zoë;1"} {
		if got := inert(harmless); got != harmless {
			t.Errorf("%q became %q", harmless, got)
		}
	}
}

func TestJSONL(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(write(t, "r.jsonl", team()), "\n")
	want := []string{
		`{"user":"ada@example.com","file":"ada.jpg","outcome":"uploaded","status":201,"attempts":2,"tracking_id":"T1","sha256":"` + strings.Repeat("ab", 32) +
			`","type":"image/jpeg","size":30031,"width":512,"height":384,"uploaded_at":"2026-11-25T12:00:00Z","columns":{"department":"Engines","status":"Zoë"}}` + "\n",
		`{"user":"grace@example.com","file":"grace.png","outcome":"failed","reason":"User does not exist: grace@example.com.","advice":"check the user ID or email address",` +
			`"status":404,"code":1001,"attempts":1,"columns":{"department":"Navy"}}` + "\n",
		`{"user":"joan@example.com","file":"joan.png","outcome":"unchanged"}` + "\n",
		`{"user":"alan@example.com","file":"alan.png","outcome":"pending","reason":"the daily limit was reached"}` + "\n",
		"",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("lines are\n%s, want\n%s", lines, want)
	}
}

func TestJSONLKeepsEveryCharacter(t *testing.T) {
	t.Parallel()
	text := "\x1b[2J\u009b\u202e\U000E0001 =1+1 Zoë 👩\u200d💻\n<b>"
	content := write(t, "r.jsonl", Report{Rows: slices.Values([]Row{{User: text, Outcome: Failed}})})
	var row struct{ User string }
	if err := json.Unmarshal([]byte(content), &row); err != nil || row.User != text {
		t.Errorf("%q became %q, %v", text, row.User, err)
	}
	if strings.Count(content, "\n") != 1 || !strings.Contains(content, "Zoë 👩") {
		t.Errorf("the line is %q", content)
	}
}
