package zoomclient

import (
	"context"
	"errors"
	"fmt"
	"unicode"

	"golang.org/x/oauth2"
)

// A TokenSource hands out the access token for one attempt. It must be safe for concurrent use and return when ctx ends.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
}

// A TokenRefresher replaces a token that Zoom refused. If rejected has already been replaced, it returns the replacement.
type TokenRefresher interface {
	TokenSource
	Refresh(ctx context.Context, rejected string) (string, error)
}

// StaticToken always hands out token. When Zoom refuses it, the upload ends with [ErrUnauthorized].
// An empty or malformed token is refused by [New].
func StaticToken(token string) TokenSource { return &staticToken{&token} }

// staticToken holds its token behind two pointers: fmt follows one where it cannot call methods, in the unexported fields of others.
type staticToken struct{ token *string }

func (s *staticToken) Token(context.Context) (string, error) { return *s.token, nil }
func (s *staticToken) check() error                          { return checkToken(*s.token) }
func (s *staticToken) Format(f fmt.State, _ rune)            { fmt.Fprint(f, "zoomclient.StaticToken(secret)") }
func (s *staticToken) MarshalText() ([]byte, error)          { return []byte("secret"), nil }

// OAuth2 hands out the tokens of src, for example of an authorization-code flow made with golang.org/x/oauth2. Such a
// source cannot be told that a token was refused, so a refusal ends the upload with [ErrUnauthorized]. It does not know
// contexts either: when ctx ends the upload ends, but one call of src goes on in the background until src returns.
func OAuth2(src oauth2.TokenSource) TokenSource {
	return &oauth2Source{src: src, turn: make(chan struct{}, 1)}
}

type oauth2Source struct {
	src  oauth2.TokenSource
	turn chan struct{} // holds an element while src is asked: one call at a time, however many wait
}

func (s *oauth2Source) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "zoomclient.OAuth2(secret)") }
func (s *oauth2Source) MarshalText() ([]byte, error) { return []byte("secret"), nil }

func (s *oauth2Source) check() error {
	if s.src == nil {
		return &tokenError{message: "OAuth2 needs a token source"}
	}
	return nil
}

func (s *oauth2Source) Token(ctx context.Context) (string, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	type answer struct {
		token *oauth2.Token
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() { <-s.turn }()
		token, err := s.src.Token()
		answers <- answer{token, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return "", oauth2Failure(a.err)
		}
		if a.token == nil {
			return "", &tokenError{message: "the OAuth2 source gave none"}
		}
		return a.token.AccessToken, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// oauth2Failure is the endpoint's own reason. A RetrieveError itself is not wrapped: it holds the request with the secret.
func oauth2Failure(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response != nil {
		status := refused.Response.StatusCode
		return &tokenError{message: tokenRefusal(status, refused.Body, signInAgain), temporary: isBusy(status)}
	}
	return &tokenError{message: causeText(err), cause: err, temporary: isUnreachable(err)}
}

// checkToken refuses what could not be sent as it is in a header. The token is not in the error.
func checkToken(token string) error {
	if token == "" {
		return &tokenError{message: "the token is empty"}
	}
	for _, r := range token {
		if r <= ' ' || r > unicode.MaxASCII || r == 0x7f {
			return &tokenError{message: "the token holds a line break, a space or another character that no token has; was it copied whole and alone?"}
		}
	}
	return nil
}

func notASCII(r rune) bool { return r > unicode.MaxASCII }
