package zoomclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// DefaultTokenURL is Zoom's token endpoint. Zoom for Government is https://zoomgov.com/oauth/token.
const DefaultTokenURL = "https://zoom.us/oauth/token"

const (
	tokenTimeout    = 30 * time.Second // of one request to the token endpoint
	holdFailure     = time.Second      // a failure is given to all who ask within it
	maxTokenWait    = time.Hour        // a longer Retry-After of the token endpoint is taken for this long
	minTokenLife    = time.Minute
	maxTokenLife    = time.Hour
	maxRenewalAhead = time.Minute // a token is renewed this long before it expires, or a tenth of its life if that is less
)

// ServerToServer gets tokens for a Server-to-Server OAuth app. It is ready to use once the first three fields are set;
// they must not be changed after that. It is used as *ServerToServer, which is safe for concurrent use and prints without
// its secret; but fmt cannot call its methods, and may show its fields, in an unexported field of a struct of your own.
//
// Zoom may make the previous token invalid when it gives a new one, so all who ask share one request at a time and one
// token, and a failure is shared for a second. A token is renewed a minute before it expires; a missing or odd lifetime
// is taken as between a minute and an hour.
type ServerToServer struct {
	AccountID, ClientID, ClientSecret string

	TokenURL   string       // default [DefaultTokenURL]; https, except on loopback
	HTTPClient *http.Client // default: bounded; of this one the Transport and the Timeout are used

	state *tokenState // behind a pointer, so that printing a copy needs no lock
}

type tokenState struct {
	owner   *ServerToServer // a copy of a ServerToServer must not use its tokens
	courier courier
	turn    chan struct{} // holds an element while somebody reads or replaces what follows

	token   string
	renewAt time.Time
	failure error
	until   time.Time // how long failure is given to others
}

// stateMu guards the making of every ServerToServer's state.
var stateMu sync.Mutex

// Token returns the current token, and gets one first if there is none or it is about to expire.
func (s *ServerToServer) Token(ctx context.Context) (string, error) { return s.Refresh(ctx, "") }

// Refresh returns a token other than rejected: the current one if it has been replaced already, or else a new one.
func (s *ServerToServer) Refresh(ctx context.Context, rejected string) (string, error) {
	state, err := s.ready()
	if err != nil {
		return "", err
	}
	select {
	case state.turn <- struct{}{}:
		defer func() { <-state.turn }()
	case <-ctx.Done():
		return "", &tokenError{message: causeText(context.Cause(ctx)), cause: ctx.Err()}
	}
	if state.token != "" && state.token != rejected && time.Now().Before(state.renewAt) {
		return state.token, nil
	}
	if state.token == rejected {
		state.token = "" // nobody shall send it again, even if there is no other
	}
	if time.Now().Before(state.until) {
		return "", state.failure
	}
	token, life, err := s.request(ctx, state.courier)
	switch {
	case err == nil:
		state.token, state.failure, state.until = token, nil, time.Time{}
		state.renewAt = time.Now().Add(life - min(maxRenewalAhead, life/10))
	case ctx.Err() == nil: // a caller who gave up says nothing about the endpoint
		state.hold(err)
	}
	return token, err
}

// hold gives err to all who ask in the next second, or for as long as the endpoint wants to be left alone.
func (t *tokenState) hold(err error) {
	t.failure, t.until = err, time.Now().Add(holdFailure)
	if refusal, ok := errors.AsType[*tokenError](err); ok && refusal.notBefore.After(t.until) {
		t.until = refusal.notBefore
	}
}

func (s *ServerToServer) ready() (*tokenState, error) {
	stateMu.Lock()
	defer stateMu.Unlock()
	if s.state != nil && s.state.owner == s {
		return s.state, nil
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	courier, err := newCourier()
	if s.HTTPClient != nil {
		courier, err = courierOf(s.HTTPClient), nil
	}
	if err != nil {
		return nil, &tokenError{message: strings.TrimPrefix(causeText(err), "zoom: "), cause: err}
	}
	s.state = &tokenState{owner: s, courier: courier, turn: make(chan struct{}, 1)}
	return s.state, nil
}

// check is called by New too, so that bad settings are found before the first upload.
func (s *ServerToServer) check() error {
	if s == nil {
		return &tokenError{message: "the ServerToServer is nil"}
	}
	for _, field := range []struct{ name, value string }{
		{"AccountID", s.AccountID}, {"ClientID", s.ClientID}, {"ClientSecret", s.ClientSecret},
	} {
		if field.value == "" {
			return &tokenError{message: "ServerToServer." + field.name + " is empty"}
		}
		if clean(field.value, maxMessage) != field.value {
			return &tokenError{message: "ServerToServer." + field.name + " holds a line break or another character that does not belong there"}
		}
	}
	if _, err := parseEndpoint("token URL", s.tokenURL()); err != nil {
		return err
	}
	return nil
}

func (s *ServerToServer) tokenURL() string {
	if s.TokenURL == "" {
		return DefaultTokenURL
	}
	return s.TokenURL
}

// request makes one request for a token, as Zoom wants it: the app's ID and secret in the header, the account in the body.
func (s *ServerToServer) request(ctx context.Context, courier courier) (token string, life time.Duration, err error) {
	limit := courier.bound(tokenTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the token endpoint did not answer within %v", limit))
	defer cancel()
	form := url.Values{"grant_type": {"account_credentials"}, "account_id": {s.AccountID}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.tokenURL(), strings.NewReader(form))
	if err != nil {
		return "", 0, &tokenError{message: "the token URL is not valid"}
	}
	req.GetBody = nil // net/http must not ask twice on its own
	req.SetBasicAuth(s.ClientID, s.ClientSecret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent(""))
	resp, err := courier.do(req)
	if err != nil {
		return "", 0, tokenUnreachable(ctx, req.URL.Host, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode != http.StatusOK {
		basic := strings.TrimPrefix(req.Header.Get("Authorization"), "Basic ")
		refusal := &tokenError{message: tokenRefusal(resp.StatusCode, body, checkApp, s.ClientSecret, basic), temporary: isBusy(resp.StatusCode)}
		if wait := parseRetryAfter(resp.Header.Get("Retry-After"), time.Now()); wait > 0 && refusal.temporary {
			refusal.notBefore = time.Now().Add(min(wait, maxTokenWait))
			refusal.message += ", not before " + clock(refusal.notBefore)
		}
		return "", 0, refusal
	}
	if err != nil {
		return "", 0, tokenUnreachable(ctx, req.URL.Host, err)
	}
	return decodeToken(resp.StatusCode, body)
}

func tokenUnreachable(ctx context.Context, host string, err error) error {
	err = causeOf(ctx, err)
	temporary := !isCertificate(err)
	if refusal, ok := errors.AsType[*Error](err); ok { // by a proxy
		temporary = isTransient(refusal)
	}
	return &tokenError{message: fmt.Sprintf("%s: %s", host, causeText(err)), cause: err, temporary: temporary}
}

// What a person can do about a token that is refused.
const (
	checkApp    = "check account ID, client ID and client secret, and that the app is a Server-to-Server OAuth app and activated"
	signInAgain = "let the user sign in again"
)

// isBusy reports whether an endpoint with this status may answer otherwise later.
func isBusy(status int) bool { return status == http.StatusTooManyRequests || status >= 500 }

// tokenRefusal is the endpoint's own reason for a refusal, and what to do.
func tokenRefusal(status int, body []byte, advice string, secrets ...string) string {
	var answer struct {
		Reason           looseText `json:"reason"`
		Error            looseText `json:"error"`
		ErrorDescription looseText `json:"error_description"`
	}
	_ = json.Unmarshal(body, &answer) // an empty or odd body leaves the status
	message := fmt.Sprintf("the token endpoint answered %d", status)
	for _, text := range []looseText{answer.Reason, answer.ErrorDescription, answer.Error} {
		if text != "" {
			message += fmt.Sprintf(": %s", clean(hide(string(text), secrets...), maxMessage))
			break
		}
	}
	if answer.Error != "" && answer.Reason != "" {
		message += fmt.Sprintf(" (%s)", clean(hide(string(answer.Error), secrets...), maxMessage))
	}
	switch {
	case isBusy(status):
		return message + "; try again later"
	case status >= 300 && status < 400:
		return message + "; redirects are never followed: check the token URL"
	}
	return message + "; " + advice
}

// decodeToken reads the answer to a token request, tolerant of everything but the token itself.
func decodeToken(status int, body []byte) (token string, life time.Duration, err error) {
	var answer struct {
		AccessToken string          `json:"access_token"`
		ExpiresIn   json.RawMessage `json:"expires_in"`
		Error       looseText       `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error != "" || answer.AccessToken == "" {
		return "", 0, &tokenError{message: tokenRefusal(status, body, checkApp) + " (the answer holds no token)"}
	}
	if err := checkToken(answer.AccessToken); err != nil {
		return "", 0, err
	}
	return answer.AccessToken, tokenLife(strings.Trim(string(answer.ExpiresIn), `"`)), nil
}

// tokenLife clamps what should be a number of seconds. As a float it cannot overflow.
func tokenLife(expiresIn string) time.Duration {
	seconds, _ := strconv.ParseFloat(expiresIn, 64) // 0 if it is no number
	switch {
	case math.IsNaN(seconds), seconds < minTokenLife.Seconds():
		return minTokenLife
	case seconds > maxTokenLife.Seconds():
		return maxTokenLife
	}
	return time.Duration(seconds) * time.Second
}

// Format prints s without its secret, whatever the verb.
func (s ServerToServer) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "zoomclient.ServerToServer(client %s, secret)", clean(s.ClientID, maxMessage))
}

// MarshalText is used by encoding/json and log/slog; it does not show the secret either.
func (s ServerToServer) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", s), nil }
