package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/time/rate"

	"github.com/zoompic/zoompic/internal/report"
	"github.com/zoompic/zoompic/internal/source"
	"github.com/zoompic/zoompic/internal/state"
	"github.com/zoompic/zoompic/zoomclient"
)

const (
	grace    = 10 * time.Second // how long uploads in flight may go on after an interrupt
	minPause = time.Minute      // before --wait tries again
)

var (
	errInterrupted = errors.New("interrupted")
	errGraceOver   = fmt.Errorf("%w, and it did not end within 10 seconds", errInterrupted)
)

// A syncRun is one run of sync.
type syncRun struct {
	*command
	flags    *syncFlags
	source   *source.Source
	state    *state.State
	target   *target // nil in a dry run
	fitter   *fitter // nil if pictures are sent as they are
	progress *progress

	items     []*item            // in the source's order
	stopCause error              // why the rest was not sent
	memory    *bytes.Buffer      // what the plan reads pictures into, one after another
	slots     chan *bytes.Buffer // one is out for each picture that was sent, perhaps, and is not recorded yet; nil: not used yet

	fitting *fitting // of the round

	// While pictures are sent, these belong to the goroutine that settles their outcomes.
	byUser     map[string]*item
	stateError error // the state cannot be written any more
	outError   error // of the first result that could not be printed
}

// send uploads what the plan left, until everything has an outcome or the rest cannot have one in this run.
func (r *syncRun) send(ctx context.Context) {
	r.printPlanned()
	r.progress.start(r.items)
	defer r.progress.stop()
	for {
		queue := r.unsent()
		if len(queue) == 0 || ctx.Err() != nil {
			break
		}
		r.stopCause = r.round(ctx, queue)
		pause, limited := r.limit()
		if !r.flags.wait || !limited || ctx.Err() != nil || r.stateError != nil {
			break
		}
		r.progress.paused(pause)
		if wait(ctx, pause) != nil {
			break
		}
		r.stopCause = nil
	}
	r.leavePending(ctx)
}

// limit is how long to wait after a round that a rate limit ended, or after which it left some pending.
func (r *syncRun) limit() (pause time.Duration, limited bool) {
	if r.stopCause != nil && !errors.Is(r.stopCause, zoomclient.ErrRateLimited) {
		return 0, false
	}
	pause = minPause
	consider := func(err error) {
		if answer, ok := errors.AsType[*zoomclient.Error](err); ok && errors.Is(err, zoomclient.ErrRateLimited) {
			pause, limited = max(pause, answer.RetryAfter), true
		}
	}
	consider(r.stopCause)
	for _, it := range r.items {
		consider(it.undone)
	}
	return pause, limited
}

// unsent is what is to be sent still, and what a rate limit left: it may work when that is over. Why that was left is
// remembered until it is tried again, for Zoom may have the picture.
func (r *syncRun) unsent() []*item {
	var queue []*item
	for _, it := range r.items {
		if it.outcome == "" || it.outcome == report.Pending {
			it.outcome, it.failure = "", rowFailure{}
			queue = append(queue, it)
		}
	}
	return queue
}

// round sends a queue and returns why its end was not reached. An interrupt ends the queue, and in time the uploads.
func (r *syncRun) round(interrupt context.Context, queue []*item) (stopCause error) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(interrupt))
	defer cancel(nil)
	defer context.AfterFunc(interrupt, func() { r.endInOrder(ctx, context.Cause(interrupt), cancel) })()

	r.byUser = map[string]*item{}
	workers := min(r.flags.workers, len(queue))
	r.slots = make(chan *bytes.Buffer, workers)
	for range workers {
		r.slots <- nil
	}
	if r.fitter != nil {
		r.fitting = r.fitter.start(ctx, interrupt, queue)
		defer r.fitting.stop()
	}
	outcomes := make(chan zoomclient.Outcome)
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		r.settleAll(outcomes, cancel)
	}()
	for o := range r.target.client.UploadPictures(ctx, r.uploads(ctx, interrupt, queue), workers) {
		if errors.Is(o.Err, zoomclient.ErrStopped) {
			stopCause = o.Err
			continue
		}
		r.progress.ceased(o.Upload.UserID)
		outcomes <- o
	}
	close(outcomes)
	<-settled
	return stopCause
}

// endInOrder leaves uploads in flight 10 seconds to end, but none to those that only wait before their next attempt.
func (r *syncRun) endInOrder(ctx context.Context, why error, cancel context.CancelCauseFunc) {
	const look = 100 * time.Millisecond // by the first one, those that waited for their turn have ended
	told := false
	for end := time.Now().Add(grace); time.Now().Before(end); {
		if wait(ctx, look) != nil {
			return
		}
		inFlight := r.progress.inFlight()
		if inFlight == 0 {
			cancel(errInterrupted)
			return
		}
		if !told {
			r.progress.ending(inFlight, why)
			told = true
		}
	}
	cancel(errGraceOver)
}

// A pace is a limiter whose waits end with an interrupt: nothing is sent any more by whoever waits for a turn then.
type pace struct {
	limiter   *rate.Limiter
	interrupt context.Context
}

func (p *pace) Wait(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.interrupt, cancel)()
	err := p.limiter.Wait(ctx)
	if p.interrupt.Err() != nil {
		return errInterrupted
	}
	return err
}

// uploads is the queue as UploadPictures takes it, until an interrupt.
func (r *syncRun) uploads(ctx, interrupt context.Context, queue []*item) iter.Seq[zoomclient.Upload] {
	for _, it := range queue {
		r.byUser[it.row.User] = it
	}
	return func(yield func(zoomclient.Upload) bool) {
		for _, it := range queue {
			open := func() (zoomclient.Picture, error) {
				if interrupt.Err() != nil {
					return zoomclient.Picture{}, errInterrupted
				}
				return r.open(ctx, it)
			}
			if interrupt.Err() != nil || !yield(zoomclient.Upload{UserID: it.row.User, Open: open}) {
				return
			}
		}
	}
}

// open reads a picture when its turn to be sent has come. It waits while as many others as there are workers may be with
// Zoom and not yet recorded: no more than these are sent again after the process is killed.
func (r *syncRun) open(ctx context.Context, it *item) (zoomclient.Picture, error) {
	select {
	case it.memory = <-r.slots:
		it.holdsSlot = true
	case <-ctx.Done():
		return zoomclient.Picture{}, context.Cause(ctx)
	}
	pic, err := r.prepare(it)
	if err != nil {
		return pic, err
	}
	if it.known.Done != "" && it.known.Done != it.seen.SHA256 {
		// Whatever happens from here on, nobody knows that Zoom still has the old one.
		it.known.Done, it.known.DoneAt, it.known.Fitted = "", time.Time{}, state.Picture{}
		if err := r.state.PutSoon(it.key, it.known); err != nil {
			return zoomclient.Picture{}, err
		}
	}
	r.progress.began(it.row.User)
	return pic, nil
}

// pictureMemory has room for any picture; the system gives it as it is used.
func pictureMemory() *bytes.Buffer {
	return bytes.NewBuffer(make([]byte, 0, zoomclient.MaxPictureSize+bytes.MinRead))
}

// prepare returns the picture to send. Its file is read again, for it may have changed since the plan.
func (r *syncRun) prepare(it *item) (zoomclient.Picture, error) {
	if r.fitter == nil {
		if it.memory == nil {
			it.memory = pictureMemory()
		}
		return r.load(it, it.memory)
	}
	made, err := r.fitting.take(it)
	if err != nil {
		return zoomclient.Picture{}, err
	}
	digest := made.pic.SHA256()
	it.see(made.seen)
	it.fit = &made.report
	it.picture = state.Picture{SHA256: hex.EncodeToString(digest[:]), Type: made.pic.ContentType(), Size: made.pic.Size()}
	it.picture.Width, it.picture.Height = made.pic.Dimensions()
	return made.pic, nil
}

// settleAll takes outcomes until there are no more, as many at a time as have come: they share one write to the disk.
func (r *syncRun) settleAll(outcomes <-chan zoomclient.Outcome, cancel context.CancelCauseFunc) {
	for first := range outcomes {
		batch := []zoomclient.Outcome{first}
	gather:
		for {
			select {
			case o, open := <-outcomes:
				if !open {
					break gather
				}
				batch = append(batch, o)
			default:
				break gather
			}
		}
		if r.settle(batch); r.stateError != nil {
			cancel(r.stateError)
		}
	}
}

// settle records what became of uploads, and only then reports it.
func (r *syncRun) settle(batch []zoomclient.Outcome) {
	changes := map[string]state.Person{}
	for _, o := range batch {
		it := r.byUser[o.Upload.UserID]
		if p, changed := it.conclude(o); changed {
			changes[it.key] = p
		}
		if failed, ok := errors.AsType[*state.WriteError](o.Err); ok {
			r.stateError = failed
		}
	}
	if len(changes) > 0 && r.stateError == nil {
		r.stateError = r.state.Put(changes)
	}
	for _, o := range batch {
		it := r.byUser[o.Upload.UserID]
		if _, unrecorded := changes[it.key]; unrecorded && r.stateError != nil {
			it.outcome, it.failure = report.Pending, rowFailure{Cause: "it was sent, but that could not be recorded", Advice: "run again: it is sent once more"}
		}
		if it.holdsSlot {
			r.slots <- it.memory
			it.memory, it.holdsSlot = nil, false
		}
		if it.outcome != report.Pending { // that is not its end: there may be another round
			r.ended(it)
		}
	}
}

// conclude gives an item the outcome of its upload. changed says that p is to be remembered.
func (it *item) conclude(o zoomclient.Outcome) (p state.Person, changed bool) {
	it.result = o.Result
	it.requests += o.Result.Attempts
	it.undone = nil
	p = it.known
	switch {
	case o.Err == nil:
		it.outcome, it.when = report.Uploaded, time.Now()
		p.Done, p.DoneAt, p.Seen, p.Fitted = it.seen.SHA256, it.when, it.seen, state.Picture{}
		if p.Refusal != nil && p.Refusal.SHA256 == it.seen.SHA256 {
			p.Refusal = nil // Zoom has changed its mind
		}
		if it.fit != nil {
			p.Fitted = it.picture
		}
		return p, true
	case isOfTheRun(o.Err):
		it.outcome, it.failure, it.undone = report.Pending, explainPending(o.Err), o.Err
		return p, false
	}
	it.fail(o.Err)
	if !isForGood(o.Err) {
		return p, false
	}
	p.Seen = it.seen
	p.Refusal = &state.Refusal{
		SHA256: it.seen.SHA256, At: time.Now(), Status: it.failure.Status, Code: int(it.failure.Code),
		Reason: it.failure.reason(), Advice: it.failure.Advice, TrackingID: it.failure.TrackingID,
	}
	return p, true
}

// isOfTheRun reports whether an upload failed for a reason that every other one has too: it was not tried, or its try says nothing.
func isOfTheRun(err error) bool {
	if _, ok := errors.AsType[*state.WriteError](err); ok {
		return true
	}
	for _, cause := range []error{
		context.Canceled, errInterrupted, zoomclient.ErrRateLimited, zoomclient.ErrToken, zoomclient.ErrUnauthorized, zoomclient.CodeMissingScope,
	} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// isForGood reports whether Zoom will refuse this picture every time. That a user does not exist may change any day.
func isForGood(err error) bool {
	answer, ok := errors.AsType[*zoomclient.Error](err)
	return ok && !errors.Is(err, zoomclient.ErrUnconfirmed) &&
		(answer.Code == zoomclient.CodeInvalidFile || answer.Code == zoomclient.CodeRejectedContent)
}

// leavePending ends the run for what has no outcome, and says why: by its own failure if it was tried.
func (r *syncRun) leavePending(ctx context.Context) {
	cause := cmp.Or(r.stateError, r.stopCause)
	if r.stateError == nil && ctx.Err() != nil {
		cause = errInterrupted
	}
	for _, it := range r.items {
		if it.outcome != "" && it.outcome != report.Pending {
			continue
		}
		if it.outcome == "" {
			it.outcome, it.failure = report.Pending, explainPending(cmp.Or(it.undone, cause))
		}
		r.ended(it)
	}
}

// wait returns after d, or with an error when ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
