package zoomclient

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

func scriptedApp(steps ...step) (*ServerToServer, *wire) {
	w := &wire{steps: steps}
	return &ServerToServer{AccountID: "account", ClientID: "client", ClientSecret: "s3cr3t", HTTPClient: &http.Client{Transport: w}}, w
}

func gives(name string) step {
	return answers(200, fmt.Sprintf(`{"access_token":%q,"token_type":"bearer","expires_in":3599}`, name))
}

func TestTokenRequest(t *testing.T) {
	app, w := scriptedApp(gives("T"))
	if got, err := app.Token(t.Context()); got != "T" || err != nil {
		t.Fatal(got, err)
	}
	req := w.taken[0]
	body, _ := io.ReadAll(req.Body)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("client:s3cr3t"))
	if req.Method != "POST" || req.URL.String() != DefaultTokenURL || req.Header.Get("Authorization") != basic || req.GetBody != nil ||
		string(body) != "account_id=account&grant_type=account_credentials" || req.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("%s %s %v %q", req.Method, req.URL, req.Header, body)
	}
}

func TestTokenAnswers(t *testing.T) {
	for _, test := range []struct {
		name      string
		step      step
		fragment  string
		temporary bool
	}{
		{"wrong secret", answers(400, `{"reason":"Invalid client_id or client_secret","error":"invalid_client"}`), "400: Invalid client_id or client_secret (invalid_client)", false},
		{"no reason", answers(400, `{"error":"invalid_grant"}`), "400: invalid_grant", false},
		{"empty refusal", answers(401, ""), "answered 401; check account ID", false},
		{"refusal in a 200", answers(200, `{"error":"invalid_client"}`), "invalid_client", false},
		{"no token", answers(200, `{}`), "holds no token", false},
		{"a page", answers(200, `<html>`), "holds no token", false},
		{"token with a line break", answers(200, `{"access_token":"a\r\nX-Evil: b"}`), "line break", false},
		{"redirect", answers(302, "", "Location", "https://elsewhere.example/"), "redirects are never followed", false},
		{"server error", answers(503, "<html>"), "503; try again later", true},
		{"rate limit", answers(429, ""), "429; try again later", true},
		{"no connection", takes(0, errReset), "zoom.us: connection reset by peer", true},
		{"reason that rewrites a terminal", answers(400, `{"reason":"a\u001b[2Jb"}`), "a[2Jb", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			app, w := scriptedApp(test.step)
			_, err := app.Token(t.Context())
			if !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), test.fragment) || isTransient(err) != test.temporary || w.attempts() != 1 {
				t.Errorf("%v (transient: %v), want %q", err, isTransient(err), test.fragment)
			}
		})
	}
	app, _ := scriptedApp(takes(0, errReset))
	if _, err := app.Token(t.Context()); !errors.Is(err, errReset) {
		t.Errorf("%v does not wrap its cause", err)
	}
}

func TestTokenLife(t *testing.T) {
	for expires, want := range map[string]time.Duration{
		``: time.Minute, `,"expires_in":0`: time.Minute, `,"expires_in":-5`: time.Minute, `,"expires_in":"1800"`: 30 * time.Minute,
		`,"expires_in":3599`: 3599 * time.Second, `,"expires_in":1e300`: time.Hour, `,"expires_in":9223372036854775807`: time.Hour,
		`,"expires_in":null`: time.Minute, `,"expires_in":{}`: time.Minute, `,"expires_in":"NaN"`: time.Minute,
	} {
		_, life, err := decodeToken(200, []byte(`{"access_token":"T"`+expires+`}`))
		if err != nil || life != want {
			t.Errorf("%s: %v %v, want %v", expires, life, err, want)
		}
	}
}

// TestTokenIsShared: one request serves any number of waiters, is repeated before the token expires, and not before.
func TestTokenIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(name string) step {
			return func(req *http.Request) (*http.Response, error) { time.Sleep(time.Second); return gives(name)(req) }
		}
		app, w := scriptedApp(slow("A"), slow("B"))
		ask := func(want string) {
			var waiters sync.WaitGroup
			for range 64 {
				waiters.Go(func() {
					if got, err := app.Token(t.Context()); got != want || err != nil {
						t.Errorf("%q, %v; want %q", got, err, want)
					}
				})
			}
			waiters.Wait()
		}
		ask("A")
		time.Sleep(3538 * time.Second) // it lives 3599 s and is renewed 60 s before that
		ask("A")
		time.Sleep(time.Second)
		ask("B")
		if w.attempts() != 2 {
			t.Errorf("%d requests", w.attempts())
		}
	})
}

func TestRefreshReplacesOnlyWhatWasRefused(t *testing.T) {
	app, w := scriptedApp(gives("A"), gives("B"))
	first, _ := app.Token(t.Context())
	var waiters sync.WaitGroup
	for range 64 {
		waiters.Go(func() {
			if got, err := app.Refresh(t.Context(), first); got != "B" || err != nil {
				t.Error(got, err)
			}
		})
	}
	waiters.Wait()
	if w.attempts() != 2 {
		t.Errorf("%d requests", w.attempts())
	}
}

// TestFailureIsShared for a second, and then asked again.
func TestFailureIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, w := scriptedApp(answers(400, ""), gives("A"))
		var waiters sync.WaitGroup
		for range 64 {
			waiters.Go(func() {
				if _, err := app.Token(t.Context()); !errors.Is(err, ErrToken) {
					t.Error(err)
				}
			})
		}
		waiters.Wait()
		if w.attempts() != 1 {
			t.Errorf("%d requests for 64 waiters", w.attempts())
		}
		time.Sleep(time.Second)
		if got, err := app.Token(t.Context()); got != "A" || err != nil {
			t.Error(got, err)
		}
	})
}

// TestWaitersObeyTheirOwnContext, and one who gives up leaves no failure behind.
func TestWaitersObeyTheirOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, w := scriptedApp(hangs(0), gives("A"))
		first, cancelFirst := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancelFirst()
		second, cancelSecond := context.WithTimeout(t.Context(), time.Second)
		defer cancelSecond()
		var waiters sync.WaitGroup
		for ctx, want := range map[context.Context]time.Duration{first: 2 * time.Second, second: time.Second} {
			waiters.Go(func() {
				if ctx == second {
					time.Sleep(time.Millisecond) // behind the first
				}
				start := time.Now()
				_, err := app.Token(ctx)
				if spent := time.Since(start).Round(time.Second); spent != want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %v: %v", spent, err)
				}
			})
		}
		waiters.Wait()
		if got, err := app.Token(t.Context()); got != "A" || err != nil || w.attempts() != 2 {
			t.Error(got, err, w.attempts())
		}
	})
}

func TestTokenEndpointIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, _ := scriptedApp(hangs(0))
		start := time.Now()
		_, err := app.Token(t.Context())
		if spent := time.Since(start); spent != tokenTimeout || !isTransient(err) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v", spent, err)
		}
	})
}

// TestUploadOutlivesTokenFailures: a token endpoint that fails for a while costs tries, no requests for the picture.
func TestUploadOutlivesTokenFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, tokens := scriptedApp(answers(503, ""), takes(0, errReset), gives("A"))
		client, w := scripted(t, app, []step{answers(201, "")}, WithRetry(Retry{MinDelay: 2 * time.Second}))
		result, err := client.UploadPicture(t.Context(), Me, smallPNG(t))
		if err != nil || result.Attempts != 1 || w.attempts() != 1 || tokens.attempts() != 3 {
			t.Errorf("%+v, %v; %d requests for tokens", result, err, tokens.attempts())
		}
	})
}

func TestBadCredentialsAreFoundByNew(t *testing.T) {
	for name, tokens := range map[string]TokenSource{
		"empty token": StaticToken(""), "line break": StaticToken("T\n"), "space": StaticToken("Bearer T"), "not ASCII": StaticToken("ä"),
		"no account": &ServerToServer{ClientID: "c", ClientSecret: "s"}, "no secret": &ServerToServer{AccountID: "a", ClientID: "c"},
		"nil":       (*ServerToServer)(nil),
		"no source": OAuth2(nil),
	} {
		if _, err := New(tokens); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain := &ServerToServer{AccountID: "a", ClientID: "c", ClientSecret: "s", TokenURL: "http://zoom.us/oauth/token"}
	if _, err := New(plain); err == nil || errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "https://") {
		t.Errorf("a token URL without TLS: %v", err)
	}
	if _, err := New(nil); err == nil {
		t.Error("no token source is accepted")
	}
}

// TestRefusedTokenIsGone: it is not handed out again while there is no other.
func TestRefusedTokenIsGone(t *testing.T) {
	app, _ := scriptedApp(gives("A"), answers(503, ""))
	first, _ := app.Token(t.Context())
	if _, err := app.Refresh(t.Context(), first); !errors.Is(err, ErrToken) {
		t.Error(err)
	}
	if got, err := app.Token(t.Context()); got != "" || !errors.Is(err, ErrToken) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestCopyHasTokensOfItsOwn: it may be of another account.
func TestCopyHasTokensOfItsOwn(t *testing.T) {
	app, w := scriptedApp(gives("A"), gives("B"))
	app.Token(t.Context())
	other := *app
	other.AccountID = "other"
	if got, err := other.Token(t.Context()); got != "B" || err != nil || w.attempts() != 2 {
		t.Error(got, err)
	}
}

type tokenFunc func() (*oauth2.Token, error)

func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }

func TestOAuth2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		source := OAuth2(tokenFunc(func() (*oauth2.Token, error) {
			calls++
			time.Sleep(time.Minute)
			return &oauth2.Token{AccessToken: "T"}, nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := source.Token(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if got, err := source.Token(t.Context()); got != "T" || err != nil || calls != 2 || time.Since(start) != 2*time.Minute {
			t.Errorf("%q, %v after %v and %d calls, one at a time", got, err, time.Since(start), calls)
		}
	})
	refusal := &oauth2.RetrieveError{Response: &http.Response{StatusCode: 400}, Body: []byte(`{"reason":"Invalid Token!","error":"invalid_grant"}`)}
	_, err := OAuth2(tokenFunc(func() (*oauth2.Token, error) { return nil, refusal })).Token(t.Context())
	if !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "Invalid Token! (invalid_grant); let the user sign in again") {
		t.Error(err)
	}
}
