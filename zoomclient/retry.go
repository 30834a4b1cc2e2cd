package zoomclient

import (
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// minLimitDelay is the shortest pause after a 429 that names none: limits are counted by the second.
const minLimitDelay = time.Second

// decide says whether another attempt follows err, and after which delay. This is the only place where retries are decided.
func (u *upload) decide(err error) (delay time.Duration, again bool) {
	_, noToken := errors.AsType[*tokenError](err)
	answer, answered := errors.AsType[*Error](err)
	answered = answered && !noToken // a proxy may have answered in place of the token endpoint
	lost, unanswered := errors.AsType[*noAnswer](err)
	if unanswered {
		u.unconfirmed = u.unconfirmed || lost.whole
		u.expect = u.expect || lost.broken
	}
	_, tooLong := errors.AsType[*longLimit](err)
	switch {
	case tooLong:
		return 0, false
	case err == errPaused:
		u.tries-- // nothing was tried
		return 0, true
	case answered && answer.refusesToken():
		_, refreshable := u.tokens.(TokenRefresher)
		again = refreshable && !u.refreshed
		u.refreshed = true
		if again {
			u.tries-- // the repeat does not count
		}
	case answered && isRateLimit(answer):
		// The pause is waited for at the start of the next attempt, by this upload as by all others.
		now := time.Now()
		until := now.Add(u.limitDelay(answer))
		u.pause.extend(until, answer)
		if answer.Limit != LimitDaily {
			u.throttle.refused(now, until)
		}
		again = u.tries < u.retry.MaxAttempts
	case answered && answer.StatusCode == http.StatusExpectationFailed && u.asksFirst(): // RFC 9110, 10.1.1
		u.expectFailed = true
		again = u.tries < u.retry.MaxAttempts
	case isTransient(err) && u.tries < u.retry.MaxAttempts:
		delay, again = u.backoff(), true
		if noToken { // until then the same failure would be handed out
			delay = max(delay, holdFailure)
		}
		if stated := statedWait(err); stated > delay {
			delay = stated
			again = delay <= u.retry.MaxWait-u.waited // a sum could overflow
			u.waited += delay
		}
	}
	return delay, again
}

// statedWait is how long a server wants to be left alone after a failure that is no rate limit of Zoom's.
func statedWait(err error) time.Duration {
	if answer, ok := errors.AsType[*Error](err); ok {
		return answer.RetryAfter
	}
	if token, ok := errors.AsType[*tokenError](err); ok && !token.notBefore.IsZero() {
		return time.Until(token.notBefore)
	}
	return 0
}

// limitDelay is how long a 429 holds everything back.
func (u *upload) limitDelay(answer *Error) time.Duration {
	if answer.RetryAfter > 0 {
		return answer.RetryAfter
	}
	return max(u.backoff(), minLimitDelay)
}

// backoff is a random time between bounds that double with every try: from MinDelay, up to MaxDelay. Chance keeps clients from moving in step.
func (u *upload) backoff() time.Duration {
	longest := u.retry.MinDelay
	for range u.tries {
		longest = min(longest*2, u.retry.MaxDelay)
	}
	shortest := max(u.retry.MinDelay, longest/2)
	return shortest + rand.N(longest-shortest+1)
}

// isTransient reports whether the same request may succeed later.
func isTransient(err error) bool {
	if answer, ok := errors.AsType[*Error](err); ok {
		return answer.StatusCode == http.StatusRequestTimeout || answer.StatusCode == http.StatusTooEarly || answer.StatusCode >= 500
	}
	if token, ok := errors.AsType[*tokenError](err); ok {
		return token.temporary
	}
	if _, ok := errors.AsType[*noAnswer](err); ok {
		return !isCertificate(err)
	}
	return false
}

// isUnreachable recognises the failures of a network, which pass, in what a caller's own source of tokens returns.
func isUnreachable(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok && !isCertificate(err)
}

func isCertificate(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// refusesToken reports whether another token may help; a missing scope is not mended by one.
func (e *Error) refusesToken() bool {
	return e.Is(ErrUnauthorized) && e.Code != CodeMissingScope && e.Code != codeMissingScopeOld
}
