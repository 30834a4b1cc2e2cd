package main

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/zoompic/zoompic/internal/report"
)

func (r *syncRun) writeReport(ctx context.Context) error {
	if r.flags.report == "" {
		return nil
	}
	counts := map[report.Outcome]int{}
	for _, it := range r.items {
		counts[it.outcome]++
	}
	err := report.Write(r.flags.report, report.Report{
		Title: r.flags.title(), Time: time.Now(), DryRun: r.flags.dryRun, Columns: r.source.Columns, Rows: r.reportRows(ctx), Counts: counts,
	})
	if err != nil {
		return &failure{Exit: exitFailed, Message: "writing the report: " + err.Error()}
	}
	return nil
}

func (r *syncRun) reportRows(ctx context.Context) iter.Seq[report.Row] {
	return func(yield func(report.Row) bool) {
		for _, it := range r.items {
			row := report.Row{
				User: it.row.User, File: it.row.File, Outcome: it.outcome, Reason: it.failure.reason(), Advice: it.failure.Advice,
				Status: cmp.Or(it.failure.Status, it.result.StatusCode), Code: int(it.failure.Code), Attempts: it.result.Attempts,
				TrackingID: cmp.Or(it.failure.TrackingID, it.result.TrackingID),
				SHA256:     it.picture.SHA256, ContentType: it.picture.Type, Size: it.picture.Size, Width: it.picture.Width, Height: it.picture.Height,
				When: it.when, Extra: it.row.Extra,
			}
			if it.seen.SHA256 != "" {
				row.Open = func() ([]byte, error) { return r.face(ctx, it) }
			}
			if !yield(row) {
				return
			}
		}
	}
}

// face is the picture for a report. What fits only by --fit is fitted again, in small: what Zoom got is not kept, an
// unchanged one was not made in this run, and the file itself may be one that lies on its side or no browser shows.
func (r *syncRun) face(ctx context.Context, it *item) ([]byte, error) {
	if ctx.Err() != nil { // who has interrupted a run waits for its report, and not for faces
		return nil, ctx.Err()
	}
	if r.fitter != nil {
		return r.fitter.preview(ctx, it.row)
	}
	data, _, err := r.source.Bytes(it.row)
	return data, err
}
