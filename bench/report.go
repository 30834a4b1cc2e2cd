package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
)

// A report is what a run found, as it is printed and as it is saved.
type report struct {
	Machine string   `json:"machine"`
	Rounds  int      `json:"rounds"`
	Seconds float64  `json:"seconds"`
	Goals   []goal   `json:"goals"`
	Wire    []cell   `json:"wire"`
	Notes   []note   `json:"notes"`    // measured, without a goal
	LeftOut []string `json:"left_out"` // not measured, and why
}

// A goal is a line of the table: a measure, what it is to be, and what this run saw.
type goal struct {
	Measure string `json:"measure"`
	Goal    string `json:"goal"`
	Parts   []part `json:"parts"`
	Pass    bool   `json:"pass"`
}

// A part is one number of a goal. It holds if the median is at most Limit.
type part struct {
	Of    string  `json:"of"`
	Limit float64 `json:"limit"`
	Unit  string  `json:"unit,omitempty"`
	spread
}

type note struct {
	Measure string `json:"measure"`
	Seen    string `json:"seen"`
}

// A spread is what several rounds saw.
type spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return spread{median, sorted[0], sorted[len(sorted)-1]}
}

// once is the spread of a single measurement.
func once(value float64) spread { return spread{value, value, value} }

func (r *report) add(measure, wanted string, parts ...part) {
	pass := len(parts) > 0
	for _, p := range parts {
		pass = pass && p.Median <= p.Limit
	}
	r.Goals = append(r.Goals, goal{measure, wanted, parts, pass})
}

func (r *report) note(measure, format string, args ...any) {
	r.Notes = append(r.Notes, note{measure, fmt.Sprintf(format, args...)})
}

func (r *report) leaveOut(format string, args ...any) {
	r.LeftOut = append(r.LeftOut, fmt.Sprintf(format, args...))
}

func (r *report) save(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// The marks of a page between which update puts the report.
const (
	beginMark = "<!-- what make bench printed -->\n"
	endMark   = "<!-- end of what make bench printed -->\n"
)

func (r *report) update(page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(text), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		return fmt.Errorf("%s has no marks to put the report between", page)
	}
	var printed strings.Builder
	r.print(&printed)
	return os.WriteFile(page, []byte(before+beginMark+"\n"+printed.String()+"\n"+endMark+after), 0o644)
}

// print writes the report as Markdown.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s; %d rounds, %.0f seconds\n\n", r.Machine, r.Rounds, r.Seconds)
	fmt.Fprintln(w, "| measure | goal | this run: median (lowest–highest) | |\n|---|---|---|---|")
	for _, g := range r.Goals {
		verdict := "pass"
		if !g.Pass {
			verdict = "**falls short**"
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", g.Measure, g.Goal, joined(g.Parts), verdict)
	}
	r.printWire(w)
	if len(r.Notes) > 0 {
		fmt.Fprintln(w, "\n| also measured | |\n|---|---|")
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "| %s | %s |\n", n.Measure, n.Seen)
	}
	if len(r.LeftOut) > 0 {
		fmt.Fprintln(w)
	}
	for _, what := range r.LeftOut {
		fmt.Fprintf(w, "- left out: %s\n", what)
	}
}

// printWire shows every client against raw: wall × / processor time × / bytes allocated an upload.
func (r *report) printWire(w io.Writer) {
	var protocol string
	for i, c := range r.Wire {
		if c.Protocol != protocol {
			protocol = c.Protocol
			fmt.Fprintf(w, "\n| %s, against raw: wall / client CPU / bytes an upload |", protocol)
			for _, size := range sizes {
				fmt.Fprintf(w, " %s |", size.name)
			}
			fmt.Fprintln(w, "\n|---|"+strings.Repeat("---|", len(sizes)))
		}
		if i > 0 && r.Wire[i-1].Client == c.Client && r.Wire[i-1].Protocol == c.Protocol {
			continue // in the line of that one
		}
		fmt.Fprintf(w, "| %s |", c.Client)
		for _, size := range sizes {
			if c := r.cell(c.Client, c.Protocol, size.name); c != nil {
				fmt.Fprintf(w, " %.2f / %.2f / %s |", c.Wall.Median, c.CPU.Median, bytesText(c.Bytes))
			} else {
				fmt.Fprint(w, " |")
			}
		}
		fmt.Fprintln(w)
	}
}

// cell is what a client did over a protocol at a size, or nil.
func (r *report) cell(client, protocol, size string) *cell {
	for i := range r.Wire {
		if c := &r.Wire[i]; c.Client == client && c.Protocol == protocol && c.Size == size {
			return c
		}
	}
	return nil
}

func joined(parts []part) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteString(" · ")
		}
		if p.Of != "" {
			fmt.Fprintf(&b, "%s: ", p.Of)
		}
		b.WriteString(number(p.Median) + p.Unit)
		if p.Low != p.High {
			fmt.Fprintf(&b, " (%s–%s)", number(p.Low), number(p.High))
		}
	}
	return b.String()
}

func number(v float64) string {
	if v == math.Trunc(v) || v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func bytesText(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f M", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.0f K", n/1e3)
	}
	return fmt.Sprintf("%.0f", n)
}
