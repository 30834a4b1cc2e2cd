package report

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// team is a small run with one person of each outcome and all that a row can hold.
func team() Report {
	rows := []Row{
		{User: "ada@example.com", File: "ada.jpg", Outcome: Uploaded, Status: 201, Attempts: 2, TrackingID: "T1",
			SHA256: strings.Repeat("ab", 32), ContentType: "image/jpeg", Size: 30031, Width: 512, Height: 384, When: noon,
			Extra: []string{"Engines", "Zoë"}},
		{User: "grace@example.com", File: "grace.png", Outcome: Failed, Reason: "User does not exist: grace@example.com.",
			Advice: "check the user ID or email address", Status: 404, Code: 1001, Attempts: 1, Extra: []string{"Navy"}},
		{User: "joan@example.com", File: "joan.png", Outcome: Unchanged},
		{User: "alan@example.com", File: "alan.png", Outcome: Pending, Reason: "the daily limit was reached"},
	}
	return Report{Title: "examples/team", Time: noon, Columns: []string{"department", "status"}, Rows: slices.Values(rows),
		Counts: map[Outcome]int{Uploaded: 1, Failed: 1, Unchanged: 1, Pending: 1}}
}

// write writes r and returns what the file holds.
func write(t testing.TB, name string, r Report) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := Write(path, r); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if left := names(t, filepath.Dir(path)); !slices.Equal(left, []string{name}) {
		t.Errorf("the folder holds %q", left)
	}
	return string(data)
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// stripes is a picture whose left and right thirds are red and whose middle is green.
func stripes(width, height int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := color.RGBA{R: 200, A: 255}
			if x >= width/3 && x < width-width/3 {
				c = color.RGBA{G: 180, A: 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func opens(data []byte) func() ([]byte, error) { return func() ([]byte, error) { return data, nil } }

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"folder.csv", "old.html"} {
		if err := os.Mkdir(in(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(in("old.csv"), []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	before := names(t, dir)
	for path, want := range map[string]string{
		in("new.csv"):         "",
		in("new.JSONL"):       "",
		in("new.Html"):        "",
		in("old.csv"):         "",
		in("report.txt"):      "must end in .csv, .jsonl or .html",
		in("report"):          "must end in .csv, .jsonl or .html",
		in("folder.csv"):      "this is a folder",
		in("missing/new.csv"): "takes no file",
	} {
		switch err := Check(path); {
		case want == "" && err != nil:
			t.Errorf("%s: %v", path, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "report "+path)):
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if after := names(t, dir); !slices.Equal(before, after) {
		t.Errorf("the folder held %q and now %q", before, after)
	}
	if data, err := os.ReadFile(in("old.csv")); err != nil || string(data) != "old" {
		t.Errorf("the old report is now %q, %v", data, err)
	}
}

func TestWriteReplacesAsAWhole(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"r.csv", "r.jsonl", "r.html"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		r := team()
		rows := r.Rows
		var during []byte
		r.Rows = func(yield func(Row) bool) {
			rows(yield)
			during, _ = os.ReadFile(path)
		}
		if err := Write(path, r); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(during) != "old" || !strings.Contains(string(after), "ada@example.com") {
			t.Errorf("%s held %q while it was written, %d bytes after", name, during, len(after))
		}
		if left := names(t, filepath.Dir(path)); !slices.Equal(left, []string{name}) {
			t.Errorf("the folder holds %q", left)
		}
	}
}

func TestWriteFailureLeavesTheOldReport(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.html")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := team()
	r.Counts = nil
	r.Rows = slices.Values([]Row{{User: "ada"}}) // of no outcome
	err := Write(path, r)
	if err == nil || !strings.Contains(err.Error(), `ada has the unknown outcome ""`) {
		t.Errorf("error %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "old" {
		t.Errorf("the old report is now %q", data)
	}
	if left := names(t, filepath.Dir(path)); !slices.Equal(left, []string{"r.html"}) {
		t.Errorf("the folder holds %q", left)
	}
}

func TestWriteSaysWhereTheReportIsIfItCannotReplace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.csv")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil { // no rename replaces this
		t.Fatal(err)
	}
	err := Write(path, team())
	if err == nil {
		t.Fatal("no error")
	}
	_, kept, _ := strings.Cut(err.Error(), "the new report is in ")
	if data, readErr := os.ReadFile(kept); readErr != nil || !strings.Contains(string(data), "ada@example.com") || filepath.Ext(kept) != ".csv" {
		t.Errorf("%v; %v", err, readErr)
	}
}

func TestWriteComparesWithTheRunsCounts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"r.csv", "r.jsonl", "r.html"} {
		path := filepath.Join(t.TempDir(), name)
		r := team()
		r.Counts = maps.Clone(r.Counts)
		r.Counts[Uploaded]++
		err := Write(path, r)
		if err == nil || !strings.Contains(err.Error(), "lists 1 as uploaded, but the run counted 2") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("it is not there: %v", err)
		}
	}
}

// hostile texts, each with what must be nowhere in a report.
var hostile = []struct{ text, absent string }{
	{`<script>alert(1)</script>`, "<script>alert"},
	{`"><img src=x onerror=alert(1)>`, "<img src=x"},
	{"\x1b[2J\x1b]0;owned\a", "\x1b"},
	{"\u009b2J", "\u009b"},
	{"user\u202Egpj.exe", "\u202e"},
	{"\u2066isolate", "\u2066"},
	{"bad\xffbyte", "\xff"},
}

func hostileReport() Report {
	var rows []Row
	for _, h := range hostile {
		rows = append(rows, Row{User: h.text, File: h.text, Outcome: Failed, Reason: h.text, Advice: h.text, TrackingID: h.text,
			SHA256: h.text, ContentType: h.text, Extra: []string{h.text}})
	}
	return Report{Title: hostile[0].text + hostile[4].text, Columns: []string{hostile[1].text + hostile[2].text}, Rows: slices.Values(rows)}
}

func TestHostileTextIsTamed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"r.csv", "r.jsonl", "r.html"} {
		content := write(t, name, hostileReport())
		for _, h := range hostile {
			if strings.HasPrefix(h.absent, "<") && name == "r.csv" {
				continue // text like any other
			}
			if strings.Contains(content, h.absent) {
				t.Errorf("%s holds %q", name, h.absent)
			}
		}
		if !strings.Contains(content, "isolate") || !strings.Contains(content, "owned") {
			t.Errorf("%s lost a text", name)
		}
	}
}

func TestVisibleKeepsWhatScriptsNeed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Zoë\tO’Neil\nAda": "Zoë\tO’Neil\nAda",
		"می\u200cخواهم":    "می\u200cخواهم",
		"👩\u200d💻":         "👩\u200d💻",
		"a\x1b[31m":        `a\x1b[31m`,
		"\u202eb":          `\u202eb`,
		"\u200e":           `\u200e`,
		"bad\xff":          "bad\uFFFD",
	} {
		if got := visible(text); got != want {
			t.Errorf("visible(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestColumnNamesAreDistinct(t *testing.T) {
	t.Parallel()
	got := columnNames([]string{"status", "team", "", "team", "", "team_2"}, csvHeader...)
	want := []string{"status_2", "team", "column", "team_2", "column_2", "team_2_2"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

var errGone = errors.New("gone")

func repeated(n int, row func(i int) Row) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for i := range n {
			if !yield(row(i)) {
				return
			}
		}
	}
}
