package zoomclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// answerTimeout bounds how long the body of an answer may take once its header has come.
const answerTimeout = 10 * time.Second

var (
	errAttemptTimeout = errors.New("no answer in the time allowed for one attempt")
	errStalled        = fmt.Errorf("the server took no byte of the picture for %v", stallTimeout)
	errSlowAnswer     = fmt.Errorf("the body of the answer did not end within %v", answerTimeout)
	errPaused         = errors.New("zoom: a rate limit began while the token was fetched")
	errEarlySuccess   = errors.New("the server reported success before it had taken the whole picture")
)

// An upload is one call of UploadPicture.
type upload struct {
	*Client
	userID string
	pic    Picture

	attempts     int           // requests made
	tries        int           // attempts and tokens that could not be had: what MaxAttempts bounds
	waited       time.Duration // for rate limits
	rejected     string        // a token that Zoom refused and that is still to be replaced
	refreshed    bool          // a token was replaced: a second refusal is final
	expect       bool          // an attempt broke off while it was sent: ask before sending the next
	expectFailed bool          // something on the way cannot be asked
	unconfirmed  bool          // an attempt was sent whole and never answered
	last         error         // of the attempt before
}

// run makes attempts until one succeeds or none may follow.
func (u *upload) run(ctx context.Context) (Result, error) {
	for {
		result, err := u.attempt(ctx)
		u.logAttempt(ctx, result, err)
		if err == nil {
			u.throttle.taken()
			return result, nil
		}
		delay, again := u.decide(err)
		if ctx.Err() != nil || !again {
			return Result{Attempts: u.attempts}, u.end(ctx, err)
		}
		u.log.LogAttrs(ctx, slog.LevelWarn, "zoom: trying again", slog.String("user", u.userID),
			slog.Int("attempt", u.attempts), slog.Duration("delay", delay), slog.String("failure", causeText(err)))
		u.last = err
		if err := sleep(ctx, delay); err != nil {
			return Result{Attempts: u.attempts}, u.end(ctx, err)
		}
	}
}

// logAttempt leaves a record of every attempt, at level Debug.
func (u *upload) logAttempt(ctx context.Context, result Result, err error) {
	if !u.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("user", u.userID), slog.Int("attempt", u.attempts)}
	if answer, ok := errors.AsType[*Error](err); ok {
		result.StatusCode = answer.StatusCode
	}
	if result.StatusCode != 0 {
		attrs = append(attrs, slog.Int("status", result.StatusCode))
	}
	if err != nil {
		attrs = append(attrs, slog.String("failure", causeText(err)))
	}
	u.log.LogAttrs(ctx, slog.LevelDebug, "zoom: attempt", attrs...)
}

// attempt takes one upload through all its layers, in order.
func (u *upload) attempt(ctx context.Context) (Result, error) {
	if err := u.waitTurn(ctx); err != nil {
		return Result{}, err
	}
	u.tries++
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	limit := time.AfterFunc(u.courier.bound(u.retry.AttemptTimeout), func() { stop(errAttemptTimeout) })
	defer limit.Stop()

	token, err := u.token(ctx)
	if err != nil {
		return Result{}, err
	}
	if u.pause.remaining() > 0 {
		return Result{}, errPaused
	}
	body := u.newBody(stop)
	defer body.release()
	req, err := u.newRequest(ctx, token, body)
	if err != nil {
		return Result{}, err
	}
	u.attempts++
	u.throttle.begins(time.Now())
	resp, err := u.courier.do(req)
	if refusal, ok := errors.AsType[*Error](err); ok { // by a proxy
		return Result{}, refusal
	}
	if err != nil {
		return Result{}, body.noAnswer(ctx, err)
	}
	if resp.Body != http.NoBody {
		defer resp.Body.Close()
		slow := time.AfterFunc(answerTimeout, func() { stop(errSlowAnswer) })
		defer slow.Stop()
		// On HTTP/2 the end of ctx alone does not wake a read while our own body waits for the server.
		defer context.AfterFunc(ctx, func() { resp.Body.Close() })()
	}
	return u.read(ctx, token, resp, body)
}

// waitTurn sits out the client's pause, keeps the throttle's gap, then waits for the limiter.
func (u *upload) waitTurn(ctx context.Context) error {
	for {
		for {
			d := u.pause.remaining()
			if d == 0 {
				break
			}
			if d > u.retry.MaxWait-u.waited { // a sum could overflow
				cause := u.pause.reason()
				cause.RetryAfter, cause.answered = d, time.Now()
				return &longLimit{cause}
			}
			u.waited += d
			u.log.LogAttrs(ctx, slog.LevelWarn, "zoom: rate limited", slog.String("user", u.userID), slog.Duration("delay", d))
			if err := sleep(ctx, d); err != nil {
				return err
			}
		}
		if err := u.throttle.wait(ctx); err != nil {
			return err
		}
		if u.limiter == nil {
			return nil
		}
		// Without its deadline: a rate.Limiter would fail at once, with an error that does not match the context's.
		if err := u.limiter.Wait(noDeadline{ctx}); err != nil {
			return fmt.Errorf("zoom: waiting for the limiter: %w", err)
		}
		if u.pause.remaining() == 0 {
			return nil
		}
	}
}

// A longLimit is a rate limit that asks for more patience than MaxWait.
type longLimit struct{ answer *Error }

func (l *longLimit) Error() string { return l.answer.Error() }
func (l *longLimit) Unwrap() error { return l.answer }

type noDeadline struct{ context.Context }

func (noDeadline) Deadline() (time.Time, bool) { return time.Time{}, false }

// token returns the token to send, and replaces the one that Zoom refused before.
func (u *upload) token(ctx context.Context) (string, error) {
	var token string
	var err error
	if refresher, ok := u.tokens.(TokenRefresher); ok && u.rejected != "" {
		token, err = refresher.Refresh(ctx, u.rejected)
	} else {
		token, err = u.tokens.Token(ctx)
	}
	if err == nil {
		err = checkToken(token)
	}
	if err == nil {
		u.rejected = ""
		return token, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = &tokenError{message: causeText(cause), cause: cause, temporary: cause == errAttemptTimeout}
	}
	if !errors.Is(err, ErrToken) {
		err = &tokenError{message: causeText(err), cause: err, temporary: isUnreachable(err)}
	}
	return "", err
}

// read turns an answer into a result or an error.
func (u *upload) read(ctx context.Context, token string, resp *http.Response, body *body) (Result, error) {
	if isSuccess(resp.StatusCode) && !body.isWhole(ctx, body.begun.Load()) {
		return Result{}, body.noAnswer(ctx, errEarlySuccess) // its body says nothing about a picture that Zoom did not have
	}
	failure, err := decodeAnswer(resp, token)
	switch {
	case failure != nil:
		if failure.refusesToken() {
			u.rejected = token
		}
		return Result{}, failure
	case err != nil: // half an answer may hide an error code
		return Result{}, body.noAnswer(ctx, err)
	}
	return Result{
		StatusCode: resp.StatusCode,
		Location:   clean(hide(resp.Header.Get("Content-Location"), token), maxMessage),
		TrackingID: trackingID(resp.Header, token),
		Attempts:   u.attempts,
	}, nil
}

// end is the error that the caller gets.
func (u *upload) end(ctx context.Context, err error) error {
	if long, ok := errors.AsType[*longLimit](err); ok {
		err = long.answer
	}
	lost, unanswered := errors.AsType[*noAnswer](err)
	u.count(err)
	switch {
	case ctx.Err() != nil:
		err = stopped(ctx, u.attempts, u.lastFailure(ctx, err))
	case unanswered && lost.whole:
		err = &uploadError{fmt.Sprintf("no answer came to the picture: %s (%s)", lost, countAttempts(u.attempts)), []error{err}}
	case unanswered:
		err = &uploadError{fmt.Sprintf("the picture could not be sent: %s (%s)", lost, countAttempts(u.attempts)), []error{err}}
	}
	if u.unconfirmed {
		return &uploadError{strings.TrimPrefix(causeText(err), "zoom: ") + "; the picture may have been set: upload it again or look at the profile", []error{err, ErrUnconfirmed}}
	}
	return err
}

// lastFailure is what went wrong before the context ended, if anything did.
func (u *upload) lastFailure(ctx context.Context, err error) error {
	if errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)) {
		err = u.last
	}
	u.count(err)
	return err
}

// count puts the number of attempts into an answer to this upload. What answered a request for a token is others' as well.
func (u *upload) count(err error) {
	_, noToken := errors.AsType[*tokenError](err)
	if answer, ok := errors.AsType[*Error](err); ok && !noToken {
		answer.Attempts = u.attempts
	}
}
