package report

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/html"
)

func parse(t testing.TB, content string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// all finds the elements of that name within node.
func all(node *html.Node, name string) []*html.Node {
	var found []*html.Node
	for n := range node.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// text is what a reader sees of node, with single spaces.
func text(node *html.Node) string {
	var b strings.Builder
	for n := range node.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestPageShowsEverybodyFailuresFirst(t *testing.T) {
	t.Parallel()
	doc := parse(t, write(t, "r.html", team()))
	var got []string
	for _, section := range all(doc, "section") {
		got = append(got, text(section))
	}
	want := []string{
		"Failed 1 G grace@example.com grace.png department Navy Failed User does not exist: grace@example.com. " +
			"What to do: check the user ID or email address status 404 · code 1001",
		"Pending 1 A alan@example.com alan.png Pending the daily limit was reached",
		"Uploaded 1 A ada@example.com ada.jpg department Engines status Zoë Uploaded 512 × 384 pixels · 30,031 bytes · " +
			"sent 2026-11-25 12:00:00 UTC · status 201 · 2 attempts · tracking ID T1",
		"Unchanged 1 J joan@example.com joan.png Unchanged",
	}
	if !slices.Equal(got, want) {
		t.Errorf("sections are\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := text(all(doc, "fieldset")[0]); got != "Show 4 All 1 Failed 1 Pending 1 Uploaded 1 Unchanged" {
		t.Errorf("filters are %q", got)
	}
	if got := text(all(doc, "h1")[0]); got != "1 of 4 pictures failed, 1 still to be sent" {
		t.Errorf("headline is %q", got)
	}
}

func TestPageFiltersAreRules(t *testing.T) {
	t.Parallel()
	for _, outcome := range outcomes {
		if rule := fmt.Sprintf("body:has(#show-%s:checked) section:not(.%[1]s)", outcome); !strings.Contains(pageStyle, rule) {
			t.Errorf("the style has no %q", rule)
		}
		if outcome.Name() == "" {
			t.Errorf("%s has no heading", outcome)
		}
	}
}

func TestHeadline(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		dryRun bool
		counts map[Outcome]int
		want   string
	}{
		{true, map[Outcome]int{Planned: 2, Refused: 1}, "Who will get which face"},
		{false, nil, "There was nobody to give a picture"},
		{false, map[Outcome]int{Failed: 1234, Pending: 1, Uploaded: 1}, "1,234 of 1,236 pictures failed, 1 still to be sent"},
		{false, map[Outcome]int{Failed: 1, Unchanged: 1}, "1 of 2 pictures failed"},
		{false, map[Outcome]int{Pending: 1}, "1 of 1 picture still to be sent"},
		{false, map[Outcome]int{Pending: 3, Uploaded: 1}, "3 of 4 pictures still to be sent"},
		{false, map[Outcome]int{Unchanged: 3}, "Everybody already had the right picture"},
		{false, map[Outcome]int{Unchanged: 3, Uploaded: 1}, "Everybody has the right picture"},
	} {
		total := 0
		for _, n := range tt.counts {
			total += n
		}
		if got := headline(tt.dryRun, total, tt.counts); got != tt.want {
			t.Errorf("headline of %v is %q, want %q", tt.counts, got, tt.want)
		}
	}
}

// ownElements are all that a page is made of; what a hostile text smuggles in would be another, or have other attributes.
var (
	ownElements = strings.Fields("html head meta title link style body header p bdi h1 div fieldset legend label input b span " +
		"main section h2 ul li img h3 dl dt dd footer script")
	ownAttributes = strings.Fields("lang charset http-equiv content name rel href class id type checked hidden autocomplete spellcheck " +
		"placeholder role aria-label aria-labelledby alt width height loading decoding src")
)

func checkElements(content string) error {
	doc, err := html.Parse(strings.NewReader(content))
	if err != nil {
		return err
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if !slices.Contains(ownElements, n.Data) {
			return fmt.Errorf("a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if !slices.Contains(ownAttributes, a.Key) {
				return fmt.Errorf("a <%s %s>", n.Data, a.Key)
			}
			if (a.Key == "src" || a.Key == "href") && !strings.HasPrefix(a.Val, "data:") {
				return fmt.Errorf("a <%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	if scripts := len(all(doc, "script")); scripts != 1 {
		return fmt.Errorf("%d scripts", scripts)
	}
	return nil
}

func TestPageIsSelfContained(t *testing.T) {
	t.Parallel()
	r := hostileReport()
	rows := r.Rows
	r.Rows = func(yield func(Row) bool) {
		for row := range rows {
			row.Open = opens(asPNG(t, stripes(20, 20)))
			yield(row)
		}
	}
	content := write(t, "r.html", r)
	if err := checkElements(content); err != nil {
		t.Errorf("the page has %v", err)
	}
	for _, smuggled := range []string{"<script>alert(1)</script>", "<i onclick=x>", "<p onclick=x>", "<img src=//example.com>", "<p style=x>"} {
		if checkElements(strings.Replace(content, "</main>", smuggled+"</main>", 1)) == nil {
			t.Errorf("%s goes unnoticed", smuggled)
		}
	}
	if found := regexp.MustCompile(`(?i)url\(|@import|https?:|//[a-z]`).FindString(pageStyle); found != "" {
		t.Errorf("the style has %q", found)
	}
}

func TestPageAllowsItsOwnStyleAndScriptOnly(t *testing.T) {
	t.Parallel()
	doc := parse(t, write(t, "r.html", team()))
	var policy string
	for _, meta := range all(doc, "meta") {
		if attr(meta, "http-equiv") == "Content-Security-Policy" {
			policy = attr(meta, "content")
		}
	}
	want := fmt.Sprintf("default-src 'none'; img-src data:; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'",
		sourceHash(all(doc, "style")[0].FirstChild.Data), sourceHash(all(doc, "script")[0].FirstChild.Data))
	if policy != want {
		t.Errorf("policy is %s, want %s", policy, want)
	}
}

func TestPageWithoutPicture(t *testing.T) {
	t.Parallel()
	opens := map[string]func() ([]byte, error){
		"none":    nil,
		"gone":    func() ([]byte, error) { return nil, errGone },
		"damaged": opens([]byte("\xff\xd8\xff")),
		"panics":  func() ([]byte, error) { panic("hostile") },
		"good":    opens(asPNG(t, stripes(20, 20))),
	}
	for name, open := range opens {
		r := Report{Rows: slices.Values([]Row{{User: "ada.b-lovelace@example.com", Outcome: Planned, Open: open}})}
		row := all(parse(t, write(t, "r.html", r)), "li")[0]
		if images := len(all(row, "img")); images == 1 != (name == "good") {
			t.Errorf("%s: %d images", name, images)
		}
		if strings.HasPrefix(text(row), "AB ") != (name != "good") {
			t.Errorf("%s: %s", name, text(row))
		}
	}
}

func TestInitials(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]string{"ada@example.com": "A", "ada.lovelace@example.com": "AL", "a_b-c": "AB", "émile@x": "É", "@": "", "": "", "7of9": "7"} {
		if got := initials(user); got != want {
			t.Errorf("initials of %q are %q, want %q", user, got, want)
		}
	}
}

func TestPageHasNoReportOfNobody(t *testing.T) {
	t.Parallel()
	content := write(t, "r.html", Report{Rows: func(func(Row) bool) {}})
	if !strings.Contains(content, "There was nobody") || strings.Contains(content, "<section") {
		t.Error(content)
	}
}

// The first row takes longest; the others may not overtake it, nor run further ahead than there are workers.
func TestConcurrentlyKeepsTheOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, workers = 50, 4
		var running, most atomic.Int64
		work := func(row Row) int64 {
			now := running.Add(1)
			defer running.Add(-1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			time.Sleep(time.Duration(n-row.Size) * time.Second)
			return row.Size
		}
		rows := repeated(n, func(i int) Row { return Row{Size: int64(i)} })
		next := int64(0)
		for size := range concurrently(rows, workers, work) {
			if size != next {
				t.Fatalf("row %d came when it was the turn of %d", size, next)
			}
			next++
		}
		if next != n || most.Load() != workers {
			t.Errorf("%d rows, %d at a time", next, most.Load())
		}
	})
}

func TestConcurrentlyEndsWithTheLoop(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ended, begun := 0, 0
	rows := repeated(100, func(int) Row { mu.Lock(); begun++; mu.Unlock(); return Row{} })
	for range concurrently(rows, 3, func(Row) int { runtime.Gosched(); mu.Lock(); ended++; mu.Unlock(); return 0 }) {
		break
	}
	if mu.TryLock(); ended == 0 || ended > 4 || begun > 4 {
		t.Errorf("%d rows begun, %d ended", begun, ended)
	}
}

// crowd is a run of n people with drawn faces as wide as that.
func crowd(t testing.TB, n, width int) Report {
	var pictures [][]byte
	for i := range 16 {
		pictures = append(pictures, asJPEG(t, avatar(i, width, width*5/4)))
	}
	mix := []Outcome{Uploaded, Uploaded, Uploaded, Unchanged, Uploaded, Unchanged, Uploaded, Failed, Uploaded, Pending}
	return Report{Title: "staff.csv", Time: noon, Columns: []string{"name", "department"}, Rows: repeated(n, func(i int) Row {
		row := Row{User: fmt.Sprintf("person.%05d@example.com", i), File: fmt.Sprintf("pictures/person.%05d.jpg", i), Outcome: mix[i%len(mix)],
			Size: 31337, Width: width, Height: width * 5 / 4, Attempts: 1, Extra: []string{fmt.Sprintf("Person Number %d", i), "Research"}, Open: opens(pictures[i%16])}
		switch row.Outcome {
		case Uploaded:
			row.Status, row.TrackingID, row.When = 201, fmt.Sprintf("WEB_%08x", i*7919), noon
		case Failed:
			row.Status, row.Code, row.TrackingID = 404, 1001, fmt.Sprintf("WEB_%08x", i*7919)
			row.Reason, row.Advice = "User does not exist: "+row.User+".", "check the user ID or email address"
		case Pending:
			row.Reason = "the daily limit was reached"
		}
		return row
	})}
}

// heapUse is the most that the heap held at twenty points of the run, above what it held before.
func heapUse(t *testing.T, n int) uint64 {
	t.Helper()
	r := crowd(t, n, 64)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most, i := heap(), uint64(0), 0
	rows := r.Rows
	r.Rows = func(yield func(Row) bool) {
		for row := range rows {
			if i++; i%(n/20) == 0 {
				most = max(most, heap())
			}
			if i%5 != 0 {
				row.Open = nil // for the race detector's sake, which makes thumbnails slowly
			}
			if !yield(row) {
				return
			}
		}
	}
	if err := Write(filepath.Join(t.TempDir(), "r.html"), r); err != nil {
		t.Fatal(err)
	}
	return most - min(most, before)
}

// It is not parallel: others would use the heap too.
func TestPageMemoryIsFlat(t *testing.T) {
	few, many := heapUse(t, 200), heapUse(t, 5000)
	t.Logf("heap in use: %d KiB with 200 rows, %d KiB with 5000", few>>10, many>>10)
	if many > few+4<<20 {
		t.Errorf("5000 rows hold %d KiB, 200 rows %d KiB", many>>10, few>>10)
	}
}

func BenchmarkPage5000(b *testing.B) {
	r := crowd(b, 5000, 512)
	path := filepath.Join(b.TempDir(), "r.html")
	for b.Loop() {
		if err := Write(path, r); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/5000, "bytes/row")
}
