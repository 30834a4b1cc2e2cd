package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"time"

	"github.com/zoompic/zoompic/internal/report"
	"github.com/zoompic/zoompic/internal/source"
	"github.com/zoompic/zoompic/internal/state"
	"github.com/zoompic/zoompic/zoomclient"
)

// makePlan checks every row and decides what is to be sent; nothing is. Files that the state knows unchanged are not read.
func (r *syncRun) makePlan(ctx context.Context) error {
	r.memory = pictureMemory()
	defer func() { r.memory = nil }()
	looks := map[string]state.Person{} // of files that were read for nothing: the next run shall not
	for i := range r.source.Rows {
		if ctx.Err() != nil {
			return interruption(ctx, " while the pictures were checked; nothing was sent")
		}
		r.progress.checking(i, len(r.source.Rows))
		row := &r.source.Rows[i]
		it := &item{row: row, key: source.Key(row.User)}
		r.items = append(r.items, it)
		if row.Err != nil {
			it.fail(row.Err)
			continue
		}
		var err error
		if it.known, err = r.state.Get(it.key); err != nil {
			return stateFailure(err)
		}
		r.look(it)
		r.compare(it)
		if it.outcome == report.Unchanged && it.seen != it.known.Seen {
			it.known.Seen = it.seen
			looks[it.key] = it.known
		}
	}
	if len(looks) > 0 && !r.flags.dryRun {
		if err := r.state.Put(looks); err != nil {
			return stateFailure(err)
		}
	}
	return nil
}

// look finds out what is in a row's file.
func (r *syncRun) look(it *item) {
	if stamp, err := r.source.Stat(it.row); err == nil && it.known.Seen.Holds(it.row.File, r.fitOptions(), stamp) {
		it.see(it.known.Seen)
		return
	}
	if r.fitter != nil {
		if _, seen, err := r.fitter.read(it.row); err != nil {
			it.fail(err)
		} else {
			it.see(seen)
		}
		return
	}
	if _, err := r.load(it, r.memory); err != nil {
		it.fail(err)
		if r.fitWouldTake(it, err) {
			it.failure.Advice = "let --fit make it fit"
		}
	}
}

// fitOptions tells what is to be done to every picture; it is empty if that is nothing.
func (r *syncRun) fitOptions() string {
	if r.fitter == nil {
		return ""
	}
	return r.fitter.options.String()
}

func (r *syncRun) fitWouldTake(it *item, refused error) bool {
	if !mayFit(refused) {
		return false
	}
	data, _, err := r.source.Bytes(it.row)
	return err == nil && canFit(data)
}

// load reads and checks a row's picture into memory, and notes what it saw.
func (r *syncRun) load(it *item, memory *bytes.Buffer) (zoomclient.Picture, error) {
	now := time.Now()
	pic, stamp, err := r.source.Load(it.row, memory)
	if err != nil {
		return pic, err
	}
	digest := pic.SHA256()
	width, height := pic.Dimensions()
	it.see(state.Seen{
		File: it.row.File, Stamp: stamp, SHA256: hex.EncodeToString(digest[:]), At: now, Type: pic.ContentType(), Width: width, Height: height,
		GPS: inspect(memory.Bytes()).GPS,
	})
	it.picture.Size = pic.Size() // the stamp has none if the file has just changed
	return pic, nil
}

// see notes what is in an item's file, which is what is sent unless something is made of it.
func (it *item) see(seen state.Seen) {
	it.seen = seen
	it.picture = state.Picture{Type: seen.Type, Size: seen.Stamp.Size, Width: seen.Width, Height: seen.Height}
	if seen.Fit == "" {
		it.picture.SHA256 = seen.SHA256
	}
}

// compare decides by what earlier runs have left.
func (r *syncRun) compare(it *item) {
	switch refusal := it.known.Refusal; {
	case it.outcome != "" || r.flags.force:
	case it.seen.SHA256 == it.known.Done:
		it.outcome, it.when = report.Unchanged, it.known.DoneAt
		it.picture = cmp.Or(it.known.Fitted, it.picture)
	case refusal != nil && it.seen.SHA256 == refusal.SHA256:
		it.outcome, it.fromMemory = report.Failed, true
		it.failure = rowFailure{
			Cause: refusal.Reason, Advice: refusal.Advice,
			Status: refusal.Status, Code: zoomclient.Code(refusal.Code), TrackingID: refusal.TrackingID,
		}
	}
}

func (it *item) fail(err error) {
	it.outcome, it.failure = report.Failed, explain(err)
}
