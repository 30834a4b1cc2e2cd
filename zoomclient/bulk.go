package zoomclient

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime/debug"
	"strings"
)

const (
	maxHeldBack     = 1000 // uploads that wait because another one of their user is in flight
	maxUnanswered   = 20   // uploads in a row without an answer that is about them
	maxNotPermitted = 3    // users in a row
)

// ErrStopped is matched by the last [Outcome] of [Client.UploadPictures] if it ended early. It wraps the cause.
var ErrStopped = errors.New("zoom: stopped")

// An Upload is one picture that [Client.UploadPictures] is to send.
type Upload struct {
	UserID string                  // a user ID, an email address or [Me]
	Open   func() (Picture, error) // called once, when the upload's turn comes, from a goroutine of its own
}

// An Outcome is how one [Upload] ended.
type Outcome struct {
	Upload Upload
	Result Result
	Err    error // of Open as it is, or of [Client.UploadPicture]; nil after a success
}

// UploadPictures sends many pictures, each as [Client.UploadPicture] does, and yields their outcomes as they finish.
//
// At most workers uploads are in flight (1 if workers is less), and as many pictures in memory; the first goes alone, so
// that the others find an open connection. Uploads are taken from the sequence only when there is room for them, by a goroutine
// that runs beside the loop: what both use needs a lock. At most
// one upload of a user is in flight, in the order given; user IDs that differ only in case are the same user. Up to 1,000
// uploads that wait for their user are held back while others go on.
//
// It ends early when the failure is the app's or the network's and not the picture's or the user's:
//   - no token can be had ([ErrToken]), or Zoom refuses it ([ErrUnauthorized]);
//   - the app lacks a scope ([CodeMissingScope]), or may not change pictures ([CodeNotPermitted], for three users in a row);
//   - a rate limit lasts longer than [Retry].MaxWait ([ErrRateLimited]; the [*Error] says in RetryAfter how long);
//   - 20 uploads in a row got no answer that is about them: none at all, 5xx, 429 to the last attempt, a redirect, a page of a proxy;
//   - ctx ended.
//
// Then no further upload is taken or begun, and those in flight finish. The last Outcome has no Upload, and its Err
// matches [ErrStopped] and the cause. Without such an Outcome every upload was made. Uploads that had not begun have no Outcome.
//
// To break out of the loop cancels what is in flight and waits for it, and for the sequence if it is just being asked. A
// panic of the sequence or of Open is passed on to the loop. Each loop over the result starts anew.
func (c *Client) UploadPictures(ctx context.Context, uploads iter.Seq[Upload], workers int) iter.Seq[Outcome] {
	return func(yield func(Outcome) bool) {
		next, stop := iter.Pull(uploads)
		defer stop()
		ctx, cancel := context.WithCancelCause(ctx)
		b := &bulk{client: c, ctx: ctx, next: next, workers: max(workers, 1), busy: map[string]bool{}, events: make(chan event)}
		defer b.drain()
		defer cancel(nil)
		b.run(yield)
	}
}

// A bulk is one loop over UploadPictures. Its fields belong to the loop's goroutine; what others did comes as an event.
type bulk struct {
	client  *Client
	ctx     context.Context
	next    func() (Upload, bool)
	workers int

	events    chan event
	running   int             // goroutines that owe an event
	inFlight  int             // uploads among them
	pulling   bool            // one of them asks the sequence
	exhausted bool            // the sequence has ended
	warm      bool            // an upload has finished
	busy      map[string]bool // users with an upload in flight
	held      []Upload        // taken from the sequence while their users were busy
	verdict   verdict
}

// An event is what a goroutine has done: one of its fields is set.
type event struct {
	pulled   *Upload
	ended    bool // the sequence
	outcome  *Outcome
	panicked *panicked
}

func (b *bulk) run(yield func(Outcome) bool) {
	done := b.ctx.Done()
	for {
		b.begin()
		if b.inFlight == 0 && (b.verdict.cause != nil || b.exhausted && len(b.held) == 0) {
			break
		}
		select {
		case e := <-b.events:
			if outcome := b.take(e); outcome != nil && !yield(*outcome) {
				return
			}
		case <-done:
			done = nil
			b.verdict.stop(contextError(b.ctx))
		}
	}
	if b.verdict.cause != nil {
		yield(Outcome{Err: &stopError{b.verdict.cause}})
	}
}

// begin starts what there is room for: uploads that were held back first, then the next of the sequence.
func (b *bulk) begin() {
	room := b.workers
	switch {
	case !b.warm:
		room = 1
	case b.verdict.unanswered > 0:
		room = min(room, maxUnanswered-b.verdict.unanswered) // no more than may still fail before the end
	}
	for i := 0; i < len(b.held) && b.inFlight < room && b.verdict.cause == nil; {
		if b.busy[userKey(b.held[i].UserID)] {
			i++
			continue
		}
		upload := b.held[i]
		b.held = append(b.held[:i], b.held[i+1:]...)
		b.start(upload)
	}
	if b.inFlight < room && b.verdict.cause == nil && !b.pulling && !b.exhausted && len(b.held) < maxHeldBack {
		b.pulling = true
		b.goAndReport(func() event {
			upload, ok := b.next()
			return event{pulled: &upload, ended: !ok}
		})
	}
}

func (b *bulk) start(upload Upload) {
	b.busy[userKey(upload.UserID)] = true
	b.inFlight++
	b.goAndReport(func() event {
		result, err := b.client.open(b.ctx, upload)
		return event{outcome: &Outcome{upload, result, err}}
	})
}

// open is one upload, from the opening of its picture.
func (c *Client) open(ctx context.Context, upload Upload) (Result, error) {
	if err := CheckUserID(upload.UserID); err != nil {
		return Result{}, err
	}
	if upload.Open == nil {
		return Result{}, fmt.Errorf("zoom: the upload of %s has no Open to get its picture from", upload.UserID)
	}
	pic, err := upload.Open()
	if err != nil {
		return Result{}, err
	}
	return c.UploadPicture(ctx, upload.UserID, pic)
}

// goAndReport runs what may call the caller's code, and always reports.
func (b *bulk) goAndReport(work func() event) {
	b.running++
	go func() {
		e := event{panicked: &panicked{value: "zoom: runtime.Goexit was called by a sequence of uploads or an Open"}}
		defer func() { b.events <- e }()
		defer func() {
			if value := recover(); value != nil {
				e.panicked = &panicked{value, debug.Stack()}
			}
		}()
		e = work()
	}()
}

// take notes an event and returns the outcome, if it brings one.
func (b *bulk) take(e event) *Outcome {
	b.running--
	switch {
	case e.panicked != nil:
		panic(e.panicked)
	case e.pulled != nil:
		b.pulling = false
		b.exhausted = e.ended
		if !e.ended {
			b.held = append(b.held, *e.pulled)
		}
		return nil
	}
	b.inFlight--
	b.warm = true
	delete(b.busy, userKey(e.outcome.Upload.UserID))
	b.verdict.judge(b.client, e.outcome)
	return e.outcome
}

// drain waits for everything that was started. What else it has to say is lost, as in a loop that was left nobody listens.
func (b *bulk) drain() {
	for ; b.running > 0; b.running-- {
		<-b.events
	}
}

// userKey is the same for all ways to write a user's email address.
func userKey(userID string) string { return strings.ToLower(userID) }

// A panicked is a panic that is passed on from another goroutine.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

func (p *panicked) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// A verdict is whether the rest of the uploads can work.
type verdict struct {
	cause        error           // why they cannot
	unanswered   int             // uploads in a row
	notPermitted map[string]bool // users in a row
}

func (v *verdict) stop(cause error) {
	if v.cause == nil {
		v.cause = cause
	}
}

func (v *verdict) judge(c *Client, o *Outcome) {
	limited := c.pause.remaining()
	switch {
	case o.Err != nil && isHopeless(o.Err):
		v.stop(o.Err)
	case errors.Is(o.Err, ErrRateLimited) && limited > c.retry.MaxWait:
		v.stop(o.Err) // the next upload would end at once, too
	case o.Err == nil || isAboutUpload(o.Err):
		v.unanswered = 0
	case o.Result.Attempts > 0 || errors.Is(o.Err, ErrToken):
		if v.unanswered++; v.unanswered == maxUnanswered {
			v.stop(fmt.Errorf("zoom: no useful answer to %d uploads in a row; the last: %w", maxUnanswered, o.Err))
		}
	}
	switch {
	case errors.Is(o.Err, CodeNotPermitted):
		if v.notPermitted == nil {
			v.notPermitted = map[string]bool{}
		}
		v.notPermitted[userKey(o.Upload.UserID)] = true
		if len(v.notPermitted) == maxNotPermitted {
			v.stop(fmt.Errorf("zoom: the same answer for %d users in a row: %w", maxNotPermitted, o.Err))
		}
	case o.Err == nil || isAboutUpload(o.Err):
		v.notPermitted = nil
	}
}

// isHopeless reports whether a failure would meet every other upload too.
func isHopeless(err error) bool {
	if token, ok := errors.AsType[*tokenError](err); ok {
		return !token.temporary
	}
	return errors.Is(err, ErrUnauthorized) || errors.Is(err, CodeMissingScope)
}

// isAboutUpload reports whether Zoom answered to this picture or user.
func isAboutUpload(err error) bool {
	answer, ok := errors.AsType[*Error](err)
	return ok && (answer.Code != 0 || answer.StatusCode == http.StatusRequestEntityTooLarge) && !isTransient(answer) && !isRateLimit(answer)
}

// A stopError is the end of UploadPictures before that of its uploads.
type stopError struct{ cause error }

func (e *stopError) Error() string {
	return "zoom: stopped: " + strings.TrimPrefix(causeText(e.cause), "zoom: ")
}
func (e *stopError) Is(target error) bool { return target == ErrStopped }
func (e *stopError) Unwrap() error        { return e.cause }

// contextError matches the error of a context that ended, and its cause.
func contextError(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return &uploadError{causeText(cause), []error{cause, ctx.Err()}}
	}
	return ctx.Err()
}
