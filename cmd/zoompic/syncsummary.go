package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zoompic/zoompic/internal/report"
	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/portrait"
)

// namesShown is how many people the summary names for each cause; the report has them all.
const namesShown = 10

// A rowResult is what --json prints of one person.
type rowResult struct {
	User       string          `json:"user"`
	File       string          `json:"file"`
	Outcome    report.Outcome  `json:"outcome"`
	Reason     string          `json:"reason,omitempty"`
	Advice     string          `json:"advice,omitempty"`
	Status     int             `json:"status,omitempty"`
	Code       zoomclient.Code `json:"code,omitempty"`
	Attempts   int             `json:"attempts,omitempty"`
	TrackingID string          `json:"tracking_id,omitempty"`
	SHA256     string          `json:"sha256,omitempty"`
	FromMemory bool            `json:"from_memory,omitempty"` // an earlier run's failure: nothing was sent
	GPS        bool            `json:"gps,omitempty"`         // the file carries a position
	NeedsFit   bool            `json:"needs_fit,omitempty"`   // of a dry run: --fit will change it

	Fit *portrait.Report `json:"fit,omitempty"`
}

// A summary is what --json prints last.
type summary struct {
	People     int    `json:"people"`
	Uploaded   int    `json:"uploaded"`
	Planned    int    `json:"planned,omitempty"` // of a dry run, instead of uploaded
	Unchanged  int    `json:"unchanged"`
	Failed     int    `json:"failed"`
	Pending    int    `json:"pending"`
	FromMemory int    `json:"from_memory,omitempty"`
	Duplicates int    `json:"duplicates,omitempty"`
	Skipped    int    `json:"skipped,omitempty"`
	Fitted     int    `json:"fitted,omitempty"` // uploads, or what a dry run planned, that are not the source's bytes
	GPS        int    `json:"gps,omitempty"`    // pictures that Zoom has or will get with a position in them
	Requests   int    `json:"requests"`
	Verified   int    `json:"verified,omitempty"` // uploads of this run that the embedded fake holds
	Stopped    string `json:"stopped,omitempty"`  // why the run ended early
	Exit       int    `json:"exit"`
}

// printPlanned prints what had its outcome before anything was sent.
func (r *syncRun) printPlanned() {
	for _, it := range r.items {
		if it.outcome != "" {
			r.printItem(it)
		}
	}
}

// ended reports an item's outcome, which is on the disk by then.
func (r *syncRun) ended(it *item) {
	r.progress.ended(it)
	r.printItem(it)
}

func (r *syncRun) printItem(it *item) {
	if !r.json {
		return
	}
	err := r.print(rowResult{
		User: it.row.User, File: it.row.File, Outcome: it.outcome, Reason: it.failure.reason(), Advice: it.failure.Advice,
		Status: cmp.Or(it.failure.Status, it.result.StatusCode), Code: it.failure.Code, Attempts: it.result.Attempts,
		TrackingID: cmp.Or(it.failure.TrackingID, it.result.TrackingID), SHA256: it.picture.SHA256, FromMemory: it.fromMemory,
		GPS: it.seen.GPS, NeedsFit: it.outcome == report.Planned && it.isFitted(), Fit: it.fit,
	}, "")
	r.outError = cmp.Or(r.outError, err)
}

// conclude writes the report, prints the summary, and says how the command ends. What cannot be written is told, but does
// not hide why the run ended.
func (r *syncRun) conclude(ctx context.Context) error {
	if r.flags.dryRun {
		r.concludePlan()
	}
	end := r.ending(ctx)
	s := r.count()
	mistake := r.verify(&s)
	if mistake != nil {
		s.Exit = exitFailed
	}
	unreported := r.writeReport(ctx)
	if unreported != nil {
		s.Exit = exitFailed
	}
	if end != nil {
		s.Exit = end.Exit
		if !end.printed {
			s.Stopped = end.Message
		}
	}
	printed := r.print(s, "%s", r.text(s))
	unwritten := []error{mistake, cmp.Or(r.outError, printed), unreported}
	if end == nil {
		return r.tellAllButFirst(unwritten)
	}
	return r.tellAllButFirst(append([]error{end}, unwritten...))
}

// tellAllButFirst returns the first of errs that is one, for its exit code, and prints the others.
func (r *syncRun) tellAllButFirst(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) == 0 {
		return nil
	}
	for _, err := range errs[1:] {
		fmt.Fprintf(r.stderr, "zoompic: %v\n", err)
	}
	return errs[0]
}

// concludePlan gives the outcomes of a dry run.
func (r *syncRun) concludePlan() {
	for _, it := range r.items {
		switch it.outcome {
		case "":
			it.outcome = report.Planned
		case report.Failed:
			it.outcome = report.Refused
		}
		r.printItem(it)
	}
}

func (r *syncRun) count() summary {
	s := summary{People: len(r.items), Duplicates: r.source.Duplicates, Skipped: len(r.source.Skipped) + r.source.Empty}
	for _, it := range r.items {
		switch it.outcome {
		case report.Uploaded:
			s.Uploaded++
		case report.Planned:
			s.Planned++
		case report.Unchanged:
			s.Unchanged++
		case report.Failed, report.Refused:
			s.Failed++
		case report.Pending:
			s.Pending++
		}
		if it.fromMemory {
			s.FromMemory++
		}
		if it.isFitted() {
			s.Fitted++
		}
		if r.fitter == nil && it.seen.GPS && it.outcome != report.Failed && it.outcome != report.Refused {
			s.GPS++
		}
		s.Requests += it.requests
	}
	return s
}

// isFitted reports whether something else than the file was sent, or will be.
func (it *item) isFitted() bool {
	switch it.outcome {
	case report.Uploaded:
		return it.fit != nil && !it.fit.Unchanged()
	case report.Planned:
		return it.seen.Fit != "" && !it.seen.Fits
	}
	return false
}

// ending is how the command ends, nil for a good end.
func (r *syncRun) ending(ctx context.Context) *failure {
	s := r.count()
	switch {
	case r.stateError != nil:
		return newFailure(exitState, "", r.stateError)
	case s.Pending > 0 && ctx.Err() != nil:
		return interruption(ctx, fmt.Sprintf(" with %d still to be sent; run again to go on", s.Pending))
	case r.stopCause != nil && (s.Pending > 0 || ctx.Err() == nil): // an interrupt that came too late for anybody is none
		return newFailure(exitCode(ctx, r.stopCause), "", r.stopCause)
	case s.Pending > 0:
		return r.endingOfPending(ctx, s.Pending)
	case s.Failed > 0:
		return &failure{Exit: exitFailed, Message: fmt.Sprintf("%d failed", s.Failed), printed: true}
	}
	return nil
}

// endingOfPending is how the command ends when the run came to its end, but some uploads failed for no reason of their own.
func (r *syncRun) endingOfPending(ctx context.Context, pending int) *failure {
	first := slices.IndexFunc(r.items, func(it *item) bool { return it.undone != nil })
	f := newFailure(exitCode(ctx, r.items[first].undone), "", r.items[first].undone)
	f.Message = fmt.Sprintf("%d still to be sent: %s; run again to go on", pending, f.Message)
	return f
}

// verify compares what the embedded fake holds with what was reported as uploaded.
func (r *syncRun) verify(s *summary) error {
	if r.target == nil || r.target.fake == nil {
		return nil
	}
	for _, it := range r.items {
		if it.outcome != report.Uploaded {
			continue
		}
		arrived, _ := r.target.fake.Picture(it.row.User)
		if digest := sha256.Sum256(arrived); hex.EncodeToString(digest[:]) != it.picture.SHA256 {
			return newFailure(exitFailed, printable(it.row.User), errors.New("the fake Zoom holds other bytes than were sent"))
		}
		s.Verified++
	}
	return nil
}

// text is what a person reads at the end.
func (r *syncRun) text(s summary) string {
	var b strings.Builder
	if r.flags.dryRun {
		fmt.Fprintf(&b, "%s: %d to upload, %d unchanged, %d refused\n", countPeople(s.People), s.Planned, s.Unchanged, s.Failed)
	} else {
		fmt.Fprintf(&b, "%s: %d uploaded, %d unchanged, %d failed, %d pending\n", countPeople(s.People), s.Uploaded, s.Unchanged, s.Failed, s.Pending)
	}
	switch s.Verified {
	case 0:
	case 1:
		b.WriteString("verified: the fake Zoom holds the same picture that was sent\n")
	default:
		fmt.Fprintf(&b, "verified: the fake Zoom holds the same %d pictures that were sent\n", s.Verified)
	}
	if s.Fitted > 0 && r.flags.dryRun {
		fmt.Fprintf(&b, "to be made to fit: %s\n", plural(s.Fitted, "picture"))
	} else if s.Fitted > 0 {
		fmt.Fprintf(&b, "made to fit: %s\n", plural(s.Fitted, "picture"))
	}
	if s.GPS > 0 {
		fmt.Fprintf(&b, "warning: the GPS position of where it was taken, perhaps a home, is in %s for all who get it to read; --fit removes it\n", plural(s.GPS, "picture"))
	}
	if s.Duplicates > 0 {
		fmt.Fprintf(&b, "left out: %s of a person and picture that are there already\n", plural(s.Duplicates, "row"))
	}
	if r.source.Empty > 0 {
		fmt.Fprintf(&b, "left out: %s with nothing in them\n", plural(r.source.Empty, "row"))
	}
	if len(r.source.Skipped) > 0 {
		fmt.Fprintf(&b, "passed over: %s\n", names(r.source.Skipped))
	}
	if s.FromMemory > 0 {
		fmt.Fprintf(&b, "not sent again: %s that Zoom refused in an earlier run; change them, or use --force\n", plural(s.FromMemory, "picture"))
	}
	if r.flags.dryRun {
		for _, it := range r.items {
			if it.outcome == report.Planned {
				note := ""
				if it.isFitted() {
					note = "; to be made to fit"
				}
				fmt.Fprintf(&b, "upload  %s  %s (%s, %d × %d pixels, %s%s)\n", printable(it.row.User), printable(it.row.File), it.seen.Type, it.seen.Width, it.seen.Height, countBytes(it.seen.Stamp.Size), note)
			}
		}
	}
	for _, outcome := range []report.Outcome{report.Failed, report.Refused, report.Pending} {
		r.explainAll(&b, outcome)
	}
	return b.String()
}

// explainAll writes the causes of an outcome, the most frequent first, with what to do and whom they met.
func (r *syncRun) explainAll(b *strings.Builder, outcome report.Outcome) {
	type cause struct{ text, advice string }
	met := map[cause][]*item{}
	var causes []cause
	for _, it := range r.items {
		if it.outcome != outcome {
			continue
		}
		c := cause{it.failure.Cause, it.failure.Advice}
		if met[c] == nil {
			causes = append(causes, c)
		}
		met[c] = append(met[c], it)
	}
	slices.SortStableFunc(causes, func(a, b cause) int { return len(met[b]) - len(met[a]) })
	for _, c := range causes {
		fmt.Fprintf(b, "\n%s: %d × %s\n", outcome, len(met[c]), c.text)
		if c.advice != "" {
			fmt.Fprintf(b, "  what to do: %s\n", c.advice)
		}
		for _, it := range met[c][:min(len(met[c]), namesShown)] {
			fmt.Fprintf(b, "  %s  %s", printable(it.row.User), printable(it.row.File))
			if it.failure.Detail != "" {
				fmt.Fprintf(b, "  (%s)", it.failure.Detail)
			}
			b.WriteString("\n")
		}
		if more := len(met[c]) - namesShown; more > 0 {
			fmt.Fprintf(b, "  … and %d more; --report lists everybody\n", more)
		}
	}
}

func countPeople(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// names lists the first few.
func names(all []string) string {
	const most = 3
	shown := make([]string, 0, most)
	for _, name := range all[:min(len(all), most)] {
		shown = append(shown, printable(name))
	}
	text := strings.Join(shown, ", ")
	if len(all) > most {
		text += fmt.Sprintf(" and %d more", len(all)-most)
	}
	return text
}
