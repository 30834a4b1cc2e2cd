package zoomclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Found before anything is sent.
var (
	ErrInvalidUserID     = errors.New("zoom: invalid user ID")
	ErrEmptyPicture      = errors.New("zoom: the picture is empty")
	ErrTooLarge          = errors.New("zoom: the picture is too large")
	ErrUnsupportedFormat = errors.New("zoom: not a format that Zoom takes")
	ErrDamagedPicture    = errors.New("zoom: the picture is damaged")
)

var (
	// ErrUnauthorized is matched by an [*Error] with status 401 or code 124: the token was refused, and so was the one that replaced it.
	ErrUnauthorized = errors.New("zoom: the access token was refused")
	// ErrRateLimited is matched by an [*Error] with status or code 429.
	ErrRateLimited = errors.New("zoom: rate limited")
	// ErrRedirected is matched by an [*Error] with a 3xx status. Redirects are never followed.
	ErrRedirected = errors.New("zoom: redirected")
	// ErrToken says that no usable token could be had; it wraps the cause. The picture was not sent in that attempt.
	ErrToken = errors.New("zoom: no access token")
	// ErrUnconfirmed says that in at least one attempt every byte was sent but no answer came: the picture may have been set.
	// Uploading the same picture again is safe.
	ErrUnconfirmed = errors.New("zoom: the picture may have been set")
)

// LimitType says which of Zoom's rate limits was reached; it is empty where Zoom does not tell.
type LimitType string

// The limits that Zoom's rate-limit page names in X-RateLimit-Type.
const (
	LimitQPS   LimitType = "QPS"   // requests a second
	LimitDaily LimitType = "Daily" // requests a day, counted to 00:00 UTC
)

// An Error is what Zoom, or something in front of it, answered. Errors of this package hold it as *Error:
//
//	if e, ok := errors.AsType[*zoomclient.Error](err); ok { … e.StatusCode … }
//
// It matches its [Code], [ErrUnauthorized], [ErrRateLimited] and [ErrRedirected] under [errors.Is].
// Text that came from the server is bounded and holds no control characters.
type Error struct {
	StatusCode int           // the HTTP status
	Code       Code          // Zoom's own code; 0 if the answer had none
	Message    string        // Zoom's message, at most 500 characters
	Fields     []FieldError  // what Zoom says of single fields, at most 20
	TrackingID string        // x-zm-trackingid, for Zoom's support
	RetryAfter time.Duration // how long Zoom asked to wait, counted from the answer; 0 if it did not say
	Limit      LimitType     // for 429: the limit that was reached
	Attempts   int           // requests for the picture that were made; 0 if an earlier upload's limit still lasted

	answered time.Time // what RetryAfter counts from
	byProxy  bool      // a proxy answered, to the request for a connection: it knows of no token and no limit of Zoom's
}

// A FieldError is one entry of "errors" in Zoom's answer.
type FieldError struct{ Field, Message string }

// Error returns one line: status, message, code, tracking ID and what to do. It never holds a header, a token or a body.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "zoom: %d", e.StatusCode)
	if text := http.StatusText(e.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	switch {
	case e.Message != "":
		b.WriteString(": " + strings.TrimRight(e.Message, ". "))
	case e.Code.meaning() != "":
		b.WriteString(": " + e.Code.meaning())
	}
	for _, f := range e.Fields {
		b.WriteString("; " + strings.TrimRight(strings.TrimPrefix(f.Field+": "+f.Message, ": "), ". "))
	}
	if notes := e.notes(); len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	if advice := e.Advice(); advice != "" {
		b.WriteString("; " + advice)
	}
	return b.String()
}

func (e *Error) notes() []string {
	var notes []string
	if e.Code != 0 {
		notes = append(notes, fmt.Sprintf("code %d", int(e.Code)))
	}
	if e.TrackingID != "" {
		notes = append(notes, "tracking ID "+e.TrackingID)
	}
	if e.Attempts > 1 {
		notes = append(notes, countAttempts(e.Attempts))
	}
	return notes
}

// Advice says what the person running the upload can do about the failure; it is empty where nothing useful is known.
func (e *Error) Advice() string {
	if isRateLimit(e) && e.RetryAfter > 0 {
		return "go on after " + clock(e.answered.Add(e.RetryAfter))
	}
	if e.Code == CodeNotPermitted && strings.Contains(e.Message, "api key or secret") {
		return "get the token with the grant account_credentials, not client_credentials" // Zoom's forum, thread 79648
	}
	if advice := e.Code.advice(); advice != "" {
		return advice
	}
	switch {
	case e.byProxy && e.StatusCode < 500:
		return "check the proxy's address, user name and password"
	case e.StatusCode == http.StatusUnauthorized:
		return Code(CodeInvalidToken).advice()
	case isRateLimit(e):
		return CodeRateLimited.advice()
	case e.StatusCode == http.StatusRequestEntityTooLarge:
		return "use a smaller picture"
	case e.StatusCode >= 300 && e.StatusCode < 400:
		return "redirects are never followed: check the base URL and any proxy on the way"
	case e.StatusCode >= 500:
		return "try again later"
	}
	return ""
}

// Is reports whether e is one of the classes of failure that this package names.
func (e *Error) Is(target error) bool {
	if e.byProxy {
		return false
	}
	switch target {
	case CodeMissingScope:
		return e.Code == codeMissingScopeOld
	case ErrUnauthorized:
		return e.StatusCode == http.StatusUnauthorized || e.Code == CodeInvalidToken
	case ErrRateLimited:
		return isRateLimit(e)
	case ErrRedirected:
		return e.StatusCode >= 300 && e.StatusCode < 400
	}
	return false
}

// Unwrap returns the Code, so that errors.Is(err, CodeUserNotFound) holds.
func (e *Error) Unwrap() error {
	if e.Code == 0 {
		return nil
	}
	return e.Code
}

func isRateLimit(e *Error) bool {
	return !e.byProxy && (e.StatusCode == http.StatusTooManyRequests || e.Code == CodeRateLimited)
}

// A tokenError says why there is no token to send with.
type tokenError struct {
	message   string
	cause     error     // may be nil
	temporary bool      // a later request may succeed
	notBefore time.Time // when the next request may be made, if that is known
}

func (e *tokenError) Error() string        { return "zoom: no access token: " + e.message }
func (e *tokenError) Is(target error) bool { return target == ErrToken }
func (e *tokenError) Unwrap() error        { return e.cause }

// A noAnswer is an attempt that ended without a usable answer.
type noAnswer struct {
	cause  error
	whole  bool // the server may have every byte
	broken bool // it broke off while the picture was sent
}

func (e *noAnswer) Error() string { return causeText(e.cause) }
func (e *noAnswer) Unwrap() error { return e.cause }

// An uploadError is the end of an upload for which no *Error speaks alone.
type uploadError struct {
	message string
	causes  []error
}

func (e *uploadError) Error() string   { return "zoom: " + e.message }
func (e *uploadError) Unwrap() []error { return e.causes }

// stopped is the end of an upload by its caller's context, in words that hold the last failure too.
func stopped(ctx context.Context, attempts int, last error) error {
	message := fmt.Sprintf("the upload was stopped: %s", causeText(context.Cause(ctx)))
	causes := []error{ctx.Err()}
	if cause := context.Cause(ctx); cause != ctx.Err() {
		causes = append(causes, cause)
	}
	if attempts > 0 {
		message += " (" + countAttempts(attempts) + ")"
	}
	if last != nil {
		message += "; last failure: " + strings.TrimPrefix(causeText(last), "zoom: ")
		causes = append(causes, last)
	}
	return &uploadError{message, causes}
}

// causeText is the text of an error that others made: it may quote what a server said.
func causeText(err error) string { return clean(err.Error(), maxMessage) }

// clock is a time for people, rounded up to the second.
func clock(t time.Time) string {
	return t.Add(time.Second - 1).UTC().Format("2006-01-02 15:04:05 MST")
}

func countAttempts(n int) string {
	if n == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", n)
}
