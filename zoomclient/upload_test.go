package zoomclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zoompic/zoompic/internal/contract"
	"github.com/zoompic/zoompic/zoomclient/testdata/recorded"
)

var errReset = errors.New("connection reset by peer")

// refreshable hands out its tokens one after the other, as they are refused.
type refreshable struct {
	mu      sync.Mutex
	tokens  []string
	refused []string
}

func (r *refreshable) Token(context.Context) (string, error) { return r.tokens[0], nil }

func (r *refreshable) Refresh(_ context.Context, rejected string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = append(r.refused, rejected)
	if r.tokens[0] == rejected && len(r.tokens) > 1 {
		r.tokens = r.tokens[1:]
	}
	return r.tokens[0], nil
}

const tooMany = `{"code":429,"message":"You have reached the maximum per-second rate limit for this API. Try again later."}`

// TestFaults holds every upload against what the server saw of it: attempts, time, and whether it may be called a success.
func TestFaults(t *testing.T) {
	certificate := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	tests := []struct {
		name   string
		steps  []step
		retry  Retry
		static bool // the token cannot be refreshed

		ok        bool
		errors    []error // that the failure matches
		not       []error // that it does not
		status    int     // of the *Error
		attempts  int
		least     time.Duration // virtual time
		most      time.Duration
		fragments string // of the message
	}{
		{name: "201", steps: []step{answers(201, "")}, ok: true, attempts: 1},
		{name: "200", steps: []step{answers(200, "{}")}, ok: true, attempts: 1},
		{name: "204", steps: []step{answers(204, "")}, ok: true, attempts: 1},
		{name: "201 with text", steps: []step{answers(201, "created")}, ok: true, attempts: 1},
		{name: "201 with code 0", steps: []step{answers(201, `{"code":0}`)}, ok: true, attempts: 1},
		{name: "200 with a code", steps: []step{answers(200, `{"code":300,"message":"no"}`)}, errors: []error{CodeRejectedContent}, status: 200, attempts: 1},
		{name: "200 with a code in quotes", steps: []step{answers(200, `{"code":"1001"}`)}, errors: []error{CodeUserNotFound}, status: 200, attempts: 1},
		{name: "200 from a sign-in page", steps: []step{answers(200, "<!DOCTYPE html><title>Sign in</title>")}, status: 200, attempts: 1, fragments: "HTML page"},
		{name: "200 from a page after white space", steps: []step{answers(200, "\ufeff"+strings.Repeat(" ", 600)+"<head>")}, status: 200, attempts: 1},
		{name: "200 with an odd code", steps: []step{answers(200, `{"code":3000000000}`)}, status: 200, attempts: 1},
		{name: "200 with a code as float", steps: []step{answers(200, `{"code":3e2}`)}, errors: []error{CodeRejectedContent}, status: 200, attempts: 1},
		{name: "200 with a code in words", steps: []step{answers(200, `{"code":"E300"}`)}, status: 200, attempts: 1},
		{name: "200 with status false", steps: []step{answers(200, `{"status":false,"errorMessage":"no"}`)}, status: 200, attempts: 1},
		{name: "202", steps: []step{answers(202, "")}, status: 202, attempts: 1},
		{name: "201 before the body, then honest", steps: []step{answersEarly(201), answers(201, "")}, ok: true, attempts: 2, least: 500 * time.Millisecond, most: time.Second},
		{name: "201 before the body, always", steps: []step{answersEarly(201), answersEarly(201)}, retry: Retry{MaxAttempts: 2}, not: []error{ErrUnconfirmed}, attempts: 2, least: 500 * time.Millisecond, most: time.Second, fragments: "before it had taken the whole picture"},
		{name: "201 whose body breaks off", steps: []step{
			answersWith(201, func(*http.Request) io.Reader { return io.MultiReader(strings.NewReader("{"), errReader{errReset}) }), answers(201, "")},
			ok: true, attempts: 2, least: 500 * time.Millisecond, most: time.Second},

		{name: "no connection", steps: []step{takes(0, errReset), answers(201, "")}, ok: true, attempts: 2, least: 500 * time.Millisecond, most: time.Second},
		{name: "no connection, retries off", steps: []step{takes(0, errReset)}, retry: Retry{MaxAttempts: 1}, errors: []error{errReset}, not: []error{ErrUnconfirmed}, attempts: 1},
		{name: "broken off in the body", steps: []step{takes(100, errReset)}, retry: Retry{MaxAttempts: 1}, errors: []error{errReset}, not: []error{ErrUnconfirmed}, attempts: 1, fragments: "could not be sent"},
		{name: "no answer after the body", steps: []step{takes(-1, io.ErrUnexpectedEOF)}, retry: Retry{MaxAttempts: 1}, errors: []error{ErrUnconfirmed, io.ErrUnexpectedEOF}, attempts: 1, fragments: "may have been set"},
		{name: "no answer after the body, then 201", steps: []step{takes(-1, io.ErrUnexpectedEOF), answers(201, "")}, ok: true, attempts: 2, least: 500 * time.Millisecond, most: time.Second},
		{name: "no answer after the body, then 404", steps: []step{takes(-1, io.ErrUnexpectedEOF), answers(404, `{"code":1001}`)}, errors: []error{ErrUnconfirmed, CodeUserNotFound}, status: 404, attempts: 2, least: 500 * time.Millisecond, most: time.Second},
		{name: "certificate", steps: []step{takes(0, certificate)}, errors: []error{certificate}, attempts: 1},

		{name: "408", steps: []step{answers(408, ""), answers(201, "")}, ok: true, attempts: 2, least: 500 * time.Millisecond, most: time.Second},
		{name: "425", steps: []step{answers(425, ""), answers(201, "")}, ok: true, attempts: 2, least: 500 * time.Millisecond, most: time.Second},
		{name: "502 page, always", steps: []step{answers(502, "<html>"), answers(502, "<html>"), answers(502, "<html>"), answers(502, "<html>"), answers(502, "<html>")},
			status: 502, not: []error{ErrUnconfirmed}, attempts: 5, least: 7500 * time.Millisecond, most: 15 * time.Second},
		{name: "503 with Retry-After", steps: []step{answers(503, "", "Retry-After", "7"), answers(201, "")}, ok: true, attempts: 2, least: 7 * time.Second, most: 7 * time.Second},
		{name: "503 with a year", steps: []step{answers(503, "", "Retry-After", "31536000")}, status: 503, attempts: 1},
		{name: "503 with 1s, then a huge number", steps: []step{answers(503, "", "Retry-After", "1"), answers(503, "", "Retry-After", "9223372036854775807")}, status: 503, attempts: 2, least: time.Second, most: time.Second},
		{name: "404", steps: []step{answers(404, `{"code":1001,"message":"User does not exist: x."}`)}, errors: []error{CodeUserNotFound}, status: 404, attempts: 1},
		{name: "early 413", steps: []step{answersEarly(413)}, status: 413, attempts: 1},
		{name: "301", steps: []step{answers(301, "", "Location", "https://elsewhere.example/")}, errors: []error{ErrRedirected}, status: 301, attempts: 1},
		{name: "302", steps: []step{answers(302, "", "Location", "/x")}, errors: []error{ErrRedirected}, status: 302, attempts: 1},
		{name: "303", steps: []step{answers(303, "", "Location", "/x")}, errors: []error{ErrRedirected}, status: 303, attempts: 1},
		{name: "307", steps: []step{answers(307, "", "Location", "http://api.zoom.us/")}, errors: []error{ErrRedirected}, status: 307, attempts: 1},
		{name: "308 malformed", steps: []step{answers(308, "", "Location", "http://[::1")}, errors: []error{ErrRedirected}, status: 308, attempts: 1},

		{name: "401, refreshed", steps: []step{answers(401, ""), answers(201, "")}, ok: true, attempts: 2},
		{name: "124, refreshed with retries off", steps: []step{answers(400, `{"code":124}`), answers(201, "")}, retry: Retry{MaxAttempts: 1}, ok: true, attempts: 2},
		{name: "401, then 503 with retries off", steps: []step{answers(401, ""), answers(503, "")}, retry: Retry{MaxAttempts: 1}, status: 503, attempts: 2},
		{name: "401, then 503 with two", steps: []step{answers(401, ""), answers(503, ""), answers(201, "")}, retry: Retry{MaxAttempts: 2}, ok: true, attempts: 3, least: 500 * time.Millisecond, most: time.Second},
		{name: "401 twice", steps: []step{answers(401, ""), answers(401, "")}, errors: []error{ErrUnauthorized}, status: 401, attempts: 2},
		{name: "401, static", steps: []step{answers(401, "")}, static: true, errors: []error{ErrUnauthorized}, status: 401, attempts: 1},
		{name: "4711 is not refreshed", steps: []step{answers(401, `{"code":4711}`)}, errors: []error{CodeMissingScope}, status: 401, attempts: 1},
		{name: "4700 is not refreshed", steps: []step{answers(401, `{"code":4700}`)}, errors: []error{CodeMissingScope}, status: 401, attempts: 1},

		{name: "429", steps: []step{answers(429, tooMany), answers(201, "")}, ok: true, attempts: 2, least: time.Second, most: 1500 * time.Millisecond},
		{name: "429 in a 200", steps: []step{answers(200, tooMany), answers(201, "")}, ok: true, attempts: 2, least: time.Second, most: 1500 * time.Millisecond},
		{name: "429 with seconds", steps: []step{answers(429, tooMany, "Retry-After", "30"), answers(201, "")}, ok: true, attempts: 2, least: 30 * time.Second, most: 30 * time.Second},
		{name: "429 with ISO time", steps: []step{answers(429, tooMany, "Retry-After", "2000-01-01T00:00:20Z"), answers(201, "")}, ok: true, attempts: 2, least: 20 * time.Second, most: 20 * time.Second},
		{name: "429 with a past time", steps: []step{answers(429, tooMany, "Retry-After", "1999-01-01T00:00:20Z"), answers(201, "")}, ok: true, attempts: 2, least: time.Second, most: 1500 * time.Millisecond},
		{name: "429 with a huge number", steps: []step{answers(429, tooMany, "Retry-After", "9223372036854775807")}, errors: []error{ErrRateLimited, CodeRateLimited}, status: 429, attempts: 1},
		{name: "429 with 1s, then a huge number", steps: []step{answers(429, tooMany, "Retry-After", "1"), answers(429, tooMany, "Retry-After", "9223372036854775807")}, errors: []error{ErrRateLimited}, status: 429, attempts: 2, least: time.Second, most: time.Second},
		{name: "429 with a year", steps: []step{answers(429, tooMany, "Retry-After", "2001-01-01T00:00:00Z")}, errors: []error{ErrRateLimited}, status: 429, attempts: 1, fragments: "go on after 2001-01-01 00:00:00 UTC"},
		{name: "429 over MaxWait in sum", steps: []step{answers(429, tooMany, "Retry-After", "40"), answers(429, tooMany, "Retry-After", "40")}, errors: []error{ErrRateLimited}, status: 429, attempts: 2, least: 40 * time.Second, most: 40 * time.Second},
		{name: "429, retries off", steps: []step{answers(429, tooMany)}, retry: Retry{MaxAttempts: 1}, errors: []error{ErrRateLimited}, status: 429, attempts: 1},
		{name: "daily without a time", steps: []step{answers(429, "You have reached the maximum daily rate limit for this API.")}, errors: []error{ErrRateLimited}, status: 429, attempts: 1, fragments: "2000-01-02 00:00:00 UTC"},

		{name: "body never taken", steps: []step{hangs(100)}, retry: Retry{MaxAttempts: 1}, errors: []error{errStalled}, not: []error{ErrUnconfirmed, context.DeadlineExceeded}, attempts: 1, least: 20 * time.Second, most: 20 * time.Second},
		{name: "never answered", steps: []step{hangs(-1)}, retry: Retry{MaxAttempts: 1}, errors: []error{ErrUnconfirmed}, not: []error{context.DeadlineExceeded}, attempts: 1, least: time.Minute, most: time.Minute},
		{name: "error body that hangs", steps: []step{answersWith(404, func(r *http.Request) io.Reader { return hangingBody{r.Context()} })}, status: 404, attempts: 1, least: 10 * time.Second, most: 10 * time.Second},
		{name: "success body that hangs", steps: []step{answersWith(201, func(r *http.Request) io.Reader { return hangingBody{r.Context()} })}, retry: Retry{MaxAttempts: 1}, errors: []error{ErrUnconfirmed}, attempts: 1, least: 10 * time.Second, most: 10 * time.Second},
		{name: "endless error body", steps: []step{answersWith(500, func(*http.Request) io.Reader { return endless{} })}, retry: Retry{MaxAttempts: 1}, status: 500, attempts: 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tokens TokenSource = &refreshable{tokens: []string{"first", "second", "third"}}
				if test.static {
					tokens = StaticToken("first")
				}
				client, w := scripted(t, tokens, test.steps, WithRetry(test.retry))
				start := time.Now()
				result, err := client.UploadPicture(t.Context(), "ada@example.com", smallPNG(t))
				spent := time.Since(start)

				if test.ok != (err == nil) {
					t.Fatalf("err = %v, want success: %v", err, test.ok)
				}
				if w.attempts() != test.attempts || result.Attempts != test.attempts || len(test.steps) != test.attempts {
					t.Errorf("%d attempts on the wire, %d in the result, want %d of %d steps", w.attempts(), result.Attempts, test.attempts, len(test.steps))
				}
				if spent < test.least || spent > test.most {
					t.Errorf("took %v, want %v to %v", spent, test.least, test.most)
				}
				for _, want := range test.errors {
					if !errors.Is(err, want) {
						t.Errorf("%v does not match %v", err, want)
					}
				}
				for _, wrong := range test.not {
					if errors.Is(err, wrong) {
						t.Errorf("%v matches %v", err, wrong)
					}
				}
				answer, answered := errors.AsType[*Error](err)
				if answered != (test.status != 0) || answered && (answer.StatusCode != test.status || answer.Attempts != test.attempts) {
					t.Errorf("answer %+v, want status %d after %d attempts", answer, test.status, test.attempts)
				}
				if err != nil && (!strings.HasPrefix(err.Error(), "zoom: ") || !strings.Contains(err.Error(), test.fragments) || strings.Contains(err.Error(), "\n")) {
					t.Errorf("message %q, want one line with %q", err, test.fragments)
				}
			})
		})
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte("x"), len(p))), nil }

// TestRequestsKeepTheContract captures every kind of request that is sent. The contract's own tests show that it bites.
func TestRequestsKeepTheContract(t *testing.T) {
	checked := contract.Load(t)
	jpeg, err := UncheckedPicture([]byte("\xff\xd8\xff"), "image/jpeg")
	if err != nil {
		t.Fatal(err)
	}
	for _, pic := range []Picture{smallPNG(t), jpeg} {
		for _, userID := range []string{"ada@example.com", "z8dsdsdsdsdCfp8uQ", Me, "jürgen+zoom@example.com"} {
			client, w := scripted(t, StaticToken("T"), []step{answers(201, "")})
			if _, err := client.UploadPicture(t.Context(), userID, pic); err != nil {
				t.Fatal(err)
			}
			req := w.taken[0]
			body, _ := io.ReadAll(req.Body)
			if int64(len(body)) != req.ContentLength || req.GetBody != nil {
				t.Errorf("%d bytes were sent, %d declared; GetBody set: %v", len(body), req.ContentLength, req.GetBody != nil)
			}
			_, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
			if err != nil {
				t.Fatal(err)
			}
			part, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(part); !bytes.Equal(got, pic.bytes()) || part.FileName() != pic.fileName() {
				t.Errorf("the part %q holds other bytes than the picture", part.FileName())
			}
			req.Body = io.NopCloser(bytes.NewReader(body))
			if err := checked.CheckRequest(req); err != nil {
				t.Error(err)
			}
			for name, want := range map[string]string{"Authorization": "Bearer T", "Accept": "application/json", "User-Agent": userAgent("")} {
				if got := req.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		}
	}
}

func TestExpectContinue(t *testing.T) {
	const expect = "100-continue"
	pic := smallPNG(t)
	for _, test := range []struct {
		name  string
		opts  []Option
		steps []step
		want  []string
	}{
		{"small by default", nil, []step{answers(201, "")}, []string{""}},
		{"always", []Option{WithExpectContinue(0)}, []step{answers(201, "")}, []string{expect}},
		{"from its size", []Option{WithExpectContinue(pic.Size())}, []step{answers(201, "")}, []string{expect}},
		{"never", []Option{WithExpectContinue(-1)}, []step{answers(201, "")}, []string{""}},
		{"after a write error", []Option{WithExpectContinue(-1)}, []step{takes(10, errReset), answers(503, ""), answers(201, "")}, []string{"", expect, expect}},
		{"after no connection", nil, []step{takes(0, errReset), answers(201, "")}, []string{"", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, w := scripted(t, StaticToken("T"), test.steps, test.opts...)
				if _, err := client.UploadPicture(t.Context(), Me, pic); err != nil {
					t.Fatal(err)
				}
				for i, req := range w.taken {
					if got := req.Header.Get("Expect"); got != test.want[i] {
						t.Errorf("attempt %d: Expect %q, want %q", i+1, got, test.want[i])
					}
				}
			})
		})
	}
}

// TestRecordedReplies decodes what Zoom's documents say it answers.
func TestRecordedReplies(t *testing.T) {
	for name, want := range map[string]struct {
		code    Code
		message string
		limit   LimitType
	}{
		"rejected-content":    {CodeRejectedContent, "explicit content", ""},
		"not-permitted":       {CodeNotPermitted, "account administrator", ""},
		"user-not-found":      {CodeUserNotFound, "does not exist", ""},
		"file-empty":          {CodeInvalidFile, "File is empty.", ""},
		"file-too-large":      {CodeInvalidFile, "2M", ""},
		"file-wrong-type":     {CodeInvalidFile, "jpg/jpeg or png", ""},
		"file-no-name":        {CodeInvalidFile, "", ""},
		"token-expired":       {CodeInvalidToken, "expired", ""},
		"token-invalid-401":   {CodeInvalidToken, "Invalid access token", ""},
		"user-not-in-account": {CodeUserNotInAccount, "account", ""},
		"missing-scope":       {CodeMissingScope, `scopes:["user:write:profile_picture:admin"`, ""},
		"rate-limited":        {CodeRateLimited, "per-second", LimitQPS},
		"rate-limited-daily":  {CodeRateLimited, "daily", LimitDaily},
		"bad-gateway":         {0, "HTML page", ""},
	} {
		reply, err := recorded.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		failure, err := decodeAnswer(&http.Response{StatusCode: reply.Status, Header: reply.Header, Body: io.NopCloser(bytes.NewReader(reply.Body))}, "T")
		if err != nil || failure == nil {
			t.Fatalf("%s: %v, %v", name, failure, err)
		}
		if failure.StatusCode != reply.Status || failure.Code != want.code || !strings.Contains(failure.Message, want.message) || failure.Limit != want.limit {
			t.Errorf("%s: %+v, want %+v", name, failure, want)
		}
	}
	for _, name := range []string{"created", "created-json"} {
		reply, err := recorded.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		client, _ := scripted(t, StaticToken("T"), []step{answers(reply.Status, string(reply.Body), "Content-Location", reply.Header.Get("Content-Location"))})
		if result, err := client.UploadPicture(t.Context(), Me, smallPNG(t)); err != nil || result.StatusCode != 201 || result.Location != reply.Header.Get("Content-Location") {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
	}
}

func TestRefreshNamesTheRejectedToken(t *testing.T) {
	tokens := &refreshable{tokens: []string{"first", "second"}}
	client, w := scripted(t, tokens, []step{answers(401, ""), answers(201, "")})
	if _, err := client.UploadPicture(t.Context(), Me, smallPNG(t)); err != nil {
		t.Fatal(err)
	}
	if len(tokens.refused) != 1 || tokens.refused[0] != "first" || w.taken[1].Header.Get("Authorization") != "Bearer second" {
		t.Errorf("refused %q, then sent %q", tokens.refused, w.taken[1].Header.Get("Authorization"))
	}
}

// TestPauseIsShared: while a limit lasts that one upload met, no upload of the client sends anything.
func TestPauseIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var sent []time.Duration
		honest := func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			sent = append(sent, time.Since(start))
			mu.Unlock()
			return answers(201, "")(req)
		}
		client, _ := scripted(t, StaticToken("T"), []step{answers(429, tooMany, "Retry-After", "30"), honest, honest, honest})
		pic := smallPNG(t)
		var uploads sync.WaitGroup
		for i := range 3 {
			uploads.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				if _, err := client.UploadPicture(t.Context(), Me, pic); err != nil {
					t.Error(err)
				}
			})
		}
		uploads.Wait()
		if len(sent) != 3 || min(sent[0], sent[1], sent[2]) < 30*time.Second {
			t.Errorf("sent after %v, none may be sent before 30s", sent)
		}
	})
}

// slowToken is a source that takes a while for its second token.
type slowToken struct{ asked atomic.Int64 }

func (s *slowToken) Token(context.Context) (string, error) {
	if s.asked.Add(1) == 2 {
		time.Sleep(time.Second)
	}
	return "T", nil
}

// TestPauseBeginsDuringTheToken: an upload that was fetching its token when another met a limit waits too.
func TestPauseBeginsDuringTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		late := func(req *http.Request) (*http.Response, error) {
			if time.Since(start) < 30*time.Second {
				t.Errorf("sent after %v", time.Since(start))
			}
			return answers(201, "")(req)
		}
		limited := func(req *http.Request) (*http.Response, error) {
			time.Sleep(500 * time.Millisecond)
			return answers(429, tooMany, "Retry-After", "30")(req)
		}
		client, _ := scripted(t, &slowToken{}, []step{limited, late, late})
		var uploads sync.WaitGroup
		for range 2 {
			uploads.Go(func() {
				if _, err := client.UploadPicture(t.Context(), Me, smallPNG(t)); err != nil {
					t.Error(err)
				}
			})
		}
		uploads.Wait()
	})
}

// TestLongLimitIsRemembered: what Zoom has said once is not asked again.
func TestLongLimitIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, w := scripted(t, StaticToken("T"), []step{answers(429, tooMany, "Retry-After", "3600", "X-RateLimit-Type", "Daily-limit")})
		client.UploadPicture(t.Context(), Me, smallPNG(t))
		time.Sleep(10 * time.Minute)
		result, err := client.UploadPicture(t.Context(), Me, smallPNG(t))
		answer, ok := errors.AsType[*Error](err)
		if !ok || answer.RetryAfter != 50*time.Minute || answer.Limit != LimitDaily || answer.Attempts != 0 || result.Attempts != 0 || w.attempts() != 1 {
			t.Errorf("%+v after %d attempts on the wire", answer, w.attempts())
		}
	})
}

// TestContextEndsEveryStage: the upload ends at once, and its error matches the context's and the last failure.
func TestContextEndsEveryStage(t *testing.T) {
	stages := map[string]struct {
		steps  []step
		tokens TokenSource
		opts   []Option
		last   error
	}{
		"limiter":        {opts: []Option{WithLimiter(never{})}},
		"token":          {tokens: hangingTokens{}},
		"body":           {steps: []step{hangs(10)}},
		"answer":         {steps: []step{hangs(-1)}, last: ErrUnconfirmed},
		"answer's body":  {steps: []step{answersWith(500, func(r *http.Request) io.Reader { return hangingBody{r.Context()} })}},
		"before a retry": {steps: []step{answers(503, "")}, opts: []Option{WithRetry(Retry{MinDelay: 10 * time.Second})}, last: &Error{StatusCode: 503}},
		"rate limit":     {steps: []step{answers(429, tooMany, "Retry-After", "20")}, last: ErrRateLimited},
	}
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if stage.tokens == nil {
					stage.tokens = StaticToken("T")
				}
				client, _ := scripted(t, stage.tokens, stage.steps, stage.opts...)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				start := time.Now()
				_, err := client.UploadPicture(ctx, Me, smallPNG(t))
				if spent := time.Since(start); spent != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %v: %v", spent, err)
				}
				if want, ok := errors.AsType[*Error](stage.last); ok {
					if got, ok := errors.AsType[*Error](err); !ok || got.StatusCode != want.StatusCode {
						t.Errorf("%v does not hold the last failure", err)
					}
				} else if stage.last != nil && !errors.Is(err, stage.last) {
					t.Errorf("%v does not match %v", err, stage.last)
				}
			})
		})
	}
}

type never struct{}

func (never) Wait(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

type hangingTokens struct{}

func (hangingTokens) Token(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }

// TestNothingIsSent for input that is refused.
func TestNothingIsSent(t *testing.T) {
	client, w := scripted(t, StaticToken("T"), nil)
	if _, err := client.UploadPicture(t.Context(), "..", smallPNG(t)); !errors.Is(err, ErrInvalidUserID) {
		t.Error(err)
	}
	if _, err := client.UploadPicture(t.Context(), Me, Picture{}); !errors.Is(err, ErrEmptyPicture) {
		t.Error(err)
	}
	if _, err := client.UploadFile(t.Context(), Me, t.TempDir()); err == nil {
		t.Error("a folder was uploaded")
	}
	if w.attempts() != 0 {
		t.Errorf("%d requests were sent", w.attempts())
	}
}
