package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"iter"
	"runtime"
	"strings"
	"sync"
	"time"
	"unicode"
)

var (
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
	//go:embed page.tmpl
	pageTemplate string

	// page is parsed when it is wanted: the start of every command would wait for it.
	page = sync.OnceValue(func() *template.Template {
		return template.Must(template.New("page").Funcs(template.FuncMap{"thousands": thousands[int]}).Parse(pageTemplate))
	})

	// securityPolicy allows the page its own style, script and thumbnails, and nothing from anywhere else.
	securityPolicy = fmt.Sprintf("default-src 'none'; img-src data:; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'",
		sourceHash(pageStyle), sourceHash(pageScript))
)

func sourceHash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// A pageHead is what the template's head shows.
type pageHead struct {
	Headline, Title, When string
	DryRun                bool
	Total                 int
	Sections              []*section
	SecurityPolicy        string
	Style                 template.CSS
	Script                template.JS
}

// A pageRow is what the template shows of one person.
type pageRow struct {
	Row
	Face     template.HTML // an <img> made of our own bytes; empty without a thumbnail
	Initials string
	Columns  []column
	Facts    []string // for Zoom's support, and about the file
}

type column struct{ Name, Value string }

// writeHTML writes a page on which each outcome has a section, what needs a person first. Rows come in any order and may
// be many, so each section grows in a temporary file of its own.
func writeHTML(w io.Writer, r Report, dir string) (err error) {
	sections := newSections(dir)
	defer func() { err = errors.Join(err, sections.remove()) }()
	names := columnNames(r.Columns)
	rows := concurrently(r.Rows, runtime.GOMAXPROCS(0), func(row Row) pageRow { return newPageRow(row, names) })
	for row := range rows {
		if err := sections.add(row); err != nil {
			return err
		}
	}
	head := newPageHead(r, sections)
	if err := page().ExecuteTemplate(w, "head", head); err != nil {
		return err
	}
	for _, s := range head.Sections {
		if err := s.copyTo(w); err != nil {
			return err
		}
	}
	return page().ExecuteTemplate(w, "foot", head)
}

func newPageHead(r Report, sections *sections) pageHead {
	head := pageHead{
		Title: visible(r.Title), DryRun: r.DryRun, Sections: sections.list(),
		SecurityPolicy: securityPolicy, Style: template.CSS(pageStyle), Script: template.JS(pageScript),
	}
	if !r.Time.IsZero() {
		head.When = r.Time.Format("2 January 2006, 15:04 MST")
	}
	counts := map[Outcome]int{}
	for _, s := range head.Sections {
		counts[s.Outcome] = s.Count
		head.Total += s.Count
	}
	head.Headline = headline(r.DryRun, head.Total, counts)
	return head
}

// headline is the run in one line.
func headline(dryRun bool, total int, counts map[Outcome]int) string {
	failed, pending := counts[Failed], counts[Pending]
	switch {
	case dryRun:
		return "Who will get which face"
	case total == 0:
		return "There was nobody to give a picture"
	case failed > 0 && pending > 0:
		return fmt.Sprintf("%s of %s failed, %s still to be sent", thousands(failed), pictures(total), thousands(pending))
	case failed > 0:
		return fmt.Sprintf("%s of %s failed", thousands(failed), pictures(total))
	case pending > 0:
		return fmt.Sprintf("%s of %s still to be sent", thousands(pending), pictures(total))
	case counts[Uploaded] == 0:
		return "Everybody already had the right picture"
	}
	return "Everybody has the right picture"
}

func pictures(n int) string {
	if n == 1 {
		return "1 picture"
	}
	return thousands(n) + " pictures"
}

// newPageRow prepares a row, which takes most of the time: it decodes the picture.
func newPageRow(row Row, names []string) pageRow {
	p := pageRow{Row: row, Face: face(row.Open), Initials: initials(row.User), Facts: facts(row)}
	for i, name := range names {
		if value := row.extra(i); value != "" {
			p.Columns = append(p.Columns, column{visible(name), visible(value)})
		}
	}
	p.User, p.File, p.Reason, p.Advice = visible(row.User), visible(row.File), visible(row.Reason), visible(row.Advice)
	return p
}

// face is the thumbnail as an element, or nothing. It bypasses the template's escaping, which would write each "+" of
// Base64 as five characters; Base64 has none that could end the attribute.
func face(open func() ([]byte, error)) template.HTML {
	if open == nil {
		return ""
	}
	small, err := thumbnail(open)
	if err != nil {
		return ""
	}
	return template.HTML(fmt.Sprintf(`<img class="face" alt="" width="64" height="64" loading="lazy" decoding="async" src="data:image/jpeg;base64,%s">`,
		base64.StdEncoding.EncodeToString(small)))
}

// initials are the first letters of the first two words of a user's name: "AL" for ada.lovelace@example.com.
func initials(user string) string {
	name, _, _ := strings.Cut(user, "@")
	var letters []rune
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		letters = append(letters, unicode.ToUpper([]rune(word)[0]))
	}
	return string(letters[:min(2, len(letters))])
}

func facts(row Row) []string {
	var facts []string
	add := func(present bool, format string, args ...any) {
		if present {
			facts = append(facts, visible(fmt.Sprintf(format, args...)))
		}
	}
	add(row.Width > 0 && row.Height > 0, "%d × %d pixels", row.Width, row.Height)
	add(row.Size > 0, "%s bytes", thousands(row.Size))
	add(!row.When.IsZero(), "sent %s", row.When.UTC().Format(time.DateTime+" UTC"))
	add(row.Status != 0, "status %d", row.Status)
	add(row.Code != 0, "code %d", row.Code)
	add(row.Attempts > 1, "%d attempts", row.Attempts)
	add(row.TrackingID != "", "tracking ID %s", row.TrackingID)
	return facts
}

// thousands writes n in groups of three digits.
func thousands[N int | int64](n N) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// concurrently applies f to several rows at a time and yields the results in the rows' order. It ranges over rows on the
// caller's goroutine and is never further ahead than it has workers.
func concurrently[T any](rows iter.Seq[Row], workers int, f func(Row) T) iter.Seq[T] {
	return func(yield func(T) bool) {
		var running sync.WaitGroup
		defer running.Wait() // nothing of the caller's is used once this has returned
		var results []chan T // of the rows under way, oldest first
		for row := range rows {
			if len(results) == workers {
				if !yield(<-results[0]) {
					return
				}
				results = results[1:]
			}
			result := make(chan T, 1)
			running.Go(func() { result <- f(row) })
			results = append(results, result)
		}
		for _, result := range results {
			if !yield(<-result) {
				return
			}
		}
	}
}
