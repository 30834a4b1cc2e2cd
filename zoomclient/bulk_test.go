package zoomclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A crowd is a server for many users at once. It counts what arrives, and holds that no user is served twice at a time.
type crowd struct {
	mu       sync.Mutex
	answer   func(user string, nth int) step // nth request of all, from 1
	users    []string                        // of every request, as they arrived
	inFlight map[string]bool
	most     int // requests at the same time
	twice    []string
}

func (c *crowd) RoundTrip(req *http.Request) (*http.Response, error) {
	defer req.Body.Close()
	user := strings.ToLower(strings.Split(req.URL.Path, "/")[3])
	c.mu.Lock()
	c.users = append(c.users, user)
	if c.inFlight[user] {
		c.twice = append(c.twice, user)
	}
	c.inFlight[user] = true
	c.most = max(c.most, len(c.inFlight))
	nth := len(c.users)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.inFlight, user)
	}()
	return c.answer(user, nth)(req)
}

func (c *crowd) requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.users)
}

// takesAWhile answers after d, or not at all if the request ends before.
func takesAWhile(d time.Duration, then step) step {
	return func(req *http.Request) (*http.Response, error) {
		io.Copy(io.Discard, req.Body)
		if err := sleep(req.Context(), d); err != nil {
			return nil, err
		}
		return then(req)
	}
}

func takesEach(string, int) step { return takesAWhile(100*time.Millisecond, answers(201, "")) }

func facing(t testing.TB, answer func(string, int) step, opts ...Option) (*Client, *crowd) {
	t.Helper()
	c := &crowd{answer: answer, inFlight: map[string]bool{}}
	client, err := New(StaticToken("T"), append([]Option{WithHTTPClient(&http.Client{Transport: c}), WithLimiter(nil)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return client, c
}

// uploadsOf gives every user the same picture.
func uploadsOf(pic Picture, users ...string) iter.Seq[Upload] {
	return func(yield func(Upload) bool) {
		for _, user := range users {
			if !yield(Upload{user, func() (Picture, error) { return pic, nil }}) {
				return
			}
		}
	}
}

func people(n int) []string {
	users := make([]string, n)
	for i := range users {
		users[i] = fmt.Sprintf("user%d@example.com", i)
	}
	return users
}

// collect gathers the outcomes, and the last one apart if it says that the rest was not tried.
func collect(outcomes iter.Seq[Outcome]) (all []Outcome, stopped error) {
	for o := range outcomes {
		if errors.Is(o.Err, ErrStopped) {
			stopped = o.Err
			continue
		}
		all = append(all, o)
	}
	return all, stopped
}

func TestUploadPictures(t *testing.T) {
	pic := smallPNG(t)
	for _, workers := range []int{-1, 1, 4, 100} {
		synctest.Test(t, func(t *testing.T) {
			client, server := facing(t, takesEach)
			start := time.Now()
			all, stopped := collect(client.UploadPictures(t.Context(), uploadsOf(pic, people(41)...), workers))
			spent := time.Since(start)

			served := slices.Sorted(slices.Values(server.users))
			if stopped != nil || len(all) != 41 || !slices.Equal(served, slices.Sorted(slices.Values(people(41)))) {
				t.Fatalf("%d workers: %d outcomes, %d requests, %v", workers, len(all), len(served), stopped)
			}
			for _, o := range all {
				if o.Err != nil || o.Result.StatusCode != 201 || o.Result.Attempts != 1 {
					t.Errorf("%s: %+v, %v", o.Upload.UserID, o.Result, o.Err)
				}
			}
			most := min(max(workers, 1), 40) // the first goes alone
			if rounds := (40+most-1)/most + 1; server.most != most || spent != time.Duration(rounds)*100*time.Millisecond {
				t.Errorf("%d workers: %d in flight, done after %v", workers, server.most, spent)
			}
		})
	}
	if all, stopped := collect((&Client{}).UploadPictures(t.Context(), uploadsOf(pic), 8)); len(all) != 0 || stopped != nil {
		t.Errorf("of nothing: %v, %v", all, stopped)
	}
}

// TestUploadsAreLazy: no picture is opened, and no upload taken, before there is room for it.
func TestUploadsAreLazy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 3
		pic := smallPNG(t)
		var mu sync.Mutex
		pulled, opened, ended := 0, 0, 0
		uploads := func(yield func(Upload) bool) {
			for _, user := range people(50) {
				mu.Lock()
				pulled++
				if pulled > ended+workers {
					t.Errorf("%d taken while %d have ended", pulled, ended)
				}
				mu.Unlock()
				open := func() (Picture, error) {
					mu.Lock()
					defer mu.Unlock()
					opened++
					return pic, nil
				}
				if !yield(Upload{user, open}) {
					return
				}
			}
		}
		client, _ := facing(t, takesEach)
		for range client.UploadPictures(t.Context(), uploads, workers) {
			mu.Lock()
			ended++
			mu.Unlock()
		}
		if pulled != 50 || opened != 50 || ended != 50 {
			t.Errorf("%d taken, %d opened, %d ended", pulled, opened, ended)
		}
	})
}

// TestOutcomesDoNotWaitForTheSequence: a sequence that takes its time does not hold back what has finished.
func TestOutcomesDoNotWaitForTheSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pic := smallPNG(t)
		slow := func(yield func(Upload) bool) {
			for upload := range uploadsOf(pic, people(3)...) {
				if !yield(upload) {
					return
				}
				time.Sleep(time.Hour)
			}
		}
		client, _ := facing(t, takesEach)
		start, n := time.Now(), 0
		for range client.UploadPictures(t.Context(), slow, 2) {
			if spent, want := time.Since(start), time.Duration(n)*time.Hour+100*time.Millisecond; spent > want+100*time.Millisecond {
				t.Errorf("outcome %d after %v, want %v", n, spent, want)
			}
			n++
		}
	})
}

// TestOneUploadOfAUserAtATime in the order given, while others go on.
func TestOneUploadOfAUserAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pic := smallPNG(t)
		users := slices.Concat([]string{"first@example.com"}, slices.Repeat([]string{"ada@example.com", "Ada@Example.com"}, 10), people(20))
		var order []int
		var mu sync.Mutex
		uploads := func(yield func(Upload) bool) {
			for i, user := range users {
				open := func() (Picture, error) {
					mu.Lock()
					defer mu.Unlock()
					if strings.EqualFold(user, "ada@example.com") {
						order = append(order, i)
					}
					return pic, nil
				}
				if !yield(Upload{user, open}) {
					return
				}
			}
		}
		client, server := facing(t, takesEach)
		start := time.Now()
		all, stopped := collect(client.UploadPictures(t.Context(), uploads, 4))
		if spent := time.Since(start); len(all) != 41 || stopped != nil || spent != 2100*time.Millisecond {
			t.Errorf("%d outcomes after %v, %v; the 20 of one user take 2 s, the others go beside them", len(all), spent, stopped)
		}
		if len(server.twice) != 0 || len(order) != 20 || !slices.IsSorted(order) {
			t.Errorf("at the same time: %v; order %v", server.twice, order)
		}
	})
}

// TestBusyUserIsNotBufferedWithoutBound: of an endless run of one user only so many uploads are taken.
func TestBusyUserIsNotBufferedWithoutBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pic := smallPNG(t)
		pulled := 0
		endless := func(yield func(Upload) bool) {
			for yield(Upload{"ada@example.com", func() (Picture, error) { return pic, nil }}) {
				pulled++
			}
		}
		client, _ := facing(t, takesEach)
		n := 0
		for range client.UploadPictures(t.Context(), endless, 8) {
			if n++; n == 10 {
				break
			}
		}
		if pulled < 900 || pulled > maxHeldBack+20 {
			t.Errorf("%d were taken", pulled)
		}
	})
}

// TestBreak: leaving the loop cancels what is in flight, waits for it and takes no more.
func TestBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		client, server := facing(t, func(_ string, nth int) step {
			if nth == 1 {
				return answers(201, "")
			}
			return hangs(-1)
		})
		returned := false
		uploads := func(yield func(Upload) bool) {
			defer func() { returned = true }()
			uploadsOf(smallPNG(t), people(100)...)(yield)
		}
		for range client.UploadPictures(t.Context(), uploads, 8) {
			break
		}
		if !returned || server.requests() != 1 {
			t.Errorf("the sequence has ended: %v; %d requests", returned, server.requests())
		}
		for o := range client.UploadPictures(t.Context(), uploadsOf(smallPNG(t), people(100)...), 8) {
			if o.Err == nil {
				t.Error("a hanging server took a picture")
			}
			break
		}
		if len(server.inFlight) != 0 {
			t.Errorf("%d are in flight", len(server.inFlight))
		}
	})
}

func TestPanicsReachTheLoop(t *testing.T) {
	pic := smallPNG(t)
	good := Upload{"ada@example.com", func() (Picture, error) { return pic, nil }}
	cause := errors.New("the disk is on fire")
	for name, uploads := range map[string]iter.Seq[Upload]{
		"sequence":         func(yield func(Upload) bool) { yield(good); panic(cause) },
		"Open":             slices.Values([]Upload{good, {"bob@example.com", func() (Picture, error) { panic(cause) }}}),
		"Goexit in Open":   slices.Values([]Upload{good, {"bob@example.com", func() (Picture, error) { runtime.Goexit(); return pic, nil }}}),
		"body of the loop": slices.Values([]Upload{good, good, good}),
	} {
		synctest.Test(t, func(t *testing.T) {
			client, _ := facing(t, takesEach)
			defer func() {
				err, _ := recover().(error)
				if !errors.Is(err, cause) && (name != "Goexit in Open" || err == nil || !strings.Contains(err.Error(), "Goexit")) {
					t.Errorf("%s: recovered %v", name, err)
				}
			}()
			for range client.UploadPictures(t.Context(), uploads, 4) {
				if name == "body of the loop" {
					panic(cause)
				}
			}
			t.Errorf("%s: nothing panicked", name)
		})
	}
}

// TestRowsFailAlone: what is wrong with one upload does not end the others.
func TestRowsFailAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pic := smallPNG(t)
		gone := errors.New("the file is gone")
		answersOf := map[string]step{
			"unknown@example.com":  answers(404, `{"code":1001}`),
			"foreign@example.com":  answers(400, `{"code":1010}`),
			"rejected@example.com": answers(400, `{"code":300}`),
			"refused@example.com":  answers(400, `{"code":120}`),
			"admin@example.com":    answers(400, `{"code":200}`),
			"flaky@example.com":    answers(503, ""),
		}
		var uploads []Upload
		for i := range 30 {
			for user := range answersOf {
				if user != "flaky@example.com" || i < maxUnanswered-1 { // more could come in a row
					uploads = append(uploads, Upload{user, func() (Picture, error) { return pic, nil }})
				}
			}
			uploads = append(uploads, Upload{"ada@example.com", func() (Picture, error) { return pic, nil }},
				Upload{"..", nil}, Upload{"closed@example.com", nil}, Upload{"bob@example.com", func() (Picture, error) { return pic, gone }})
		}
		client, _ := facing(t, func(user string, _ int) step {
			if s := answersOf[user]; s != nil {
				return s
			}
			return answers(201, "")
		}, WithRetry(Retry{MaxAttempts: 1}))
		all, stopped := collect(client.UploadPictures(t.Context(), slices.Values(uploads), 4))
		if stopped != nil || len(all) != len(uploads) {
			t.Fatalf("%d outcomes of %d, %v", len(all), len(uploads), stopped)
		}
		for _, o := range all {
			if o.Upload.UserID == "ada@example.com" != (o.Err == nil) ||
				o.Upload.UserID == "bob@example.com" && o.Err != gone || o.Upload.UserID == ".." && !errors.Is(o.Err, ErrInvalidUserID) {
				t.Errorf("%s: %v", o.Upload.UserID, o.Err)
			}
		}
	})
}

// TestEarlyEnd: a failure that is not the upload's ends the whole run, and what was sent until then is counted at the server.
func TestEarlyEnd(t *testing.T) {
	const rows, workers = 10_000, 8
	pic := smallPNG(t)
	always := func(s step) func(string, int) step { return func(string, int) step { return s } }
	after := func(n int, s step) func(string, int) step {
		return func(user string, nth int) step {
			if nth <= n {
				return takesEach(user, nth)
			}
			return s
		}
	}
	permitted := answers(400, `{"code":200,"message":"Only an account administrator can change a profile picture."}`)
	daily := answers(429, tooMany, "Retry-After", "7200", "X-RateLimit-Type", "Daily-limit")
	for _, test := range []struct {
		name   string
		answer func(string, int) step
		tokens TokenSource
		cause  error
		most   int // requests
		least  int // outcomes
	}{
		{"no network", always(takes(0, errReset)), nil, errReset, 100, 20},
		{"network lost on the way", after(500, takes(0, errReset)), nil, errReset, 500 + 100, 520},
		{"every answer is 503", always(answers(503, "")), nil, &Error{StatusCode: 503}, 100, 20},
		{"every answer is a short 429", always(answers(429, tooMany)), nil, ErrRateLimited, 100, 20},
		{"redirected", always(answers(302, "")), nil, ErrRedirected, 20, 20},
		{"another site", always(answers(404, "<html>")), nil, &Error{StatusCode: 404}, 20, 20},
		{"certificate", always(takes(0, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})), nil, x509.UnknownAuthorityError{}, 20, 20},
		{"refused token", always(answers(401, "")), nil, ErrUnauthorized, 1, 1},
		{"refused token on the way", after(100, answers(401, `{"code":124}`)), nil, ErrUnauthorized, 100 + workers, 101},
		{"missing scope", always(answers(400, `{"code":4711}`)), nil, CodeMissingScope, 1, 1},
		{"not permitted", always(permitted), nil, CodeNotPermitted, 3 + workers, 3},
		{"no token", always(answers(201, "")), brokenTokens{}, ErrToken, 0, 1},
		{"daily limit", after(100, daily), nil, ErrRateLimited, 100 + workers, 101},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := facing(t, test.answer)
				if test.tokens != nil {
					client.tokens = test.tokens
				}
				pulled := 0
				uploads := func(yield func(Upload) bool) {
					for upload := range uploadsOf(pic, people(rows)...) {
						pulled++
						if !yield(upload) {
							return
						}
					}
				}
				var last Outcome
				n := 0
				for last = range client.UploadPictures(t.Context(), uploads, workers) {
					n++
				}
				if !errors.Is(last.Err, ErrStopped) || last.Upload.UserID != "" || last.Upload.Open != nil {
					t.Fatalf("the last outcome is %+v", last)
				}
				if want, ok := errors.AsType[*Error](test.cause); ok {
					if got, ok := errors.AsType[*Error](last.Err); !ok || got.StatusCode != want.StatusCode {
						t.Errorf("the cause is %v", last.Err)
					}
				} else if !errors.Is(last.Err, test.cause) {
					t.Errorf("the cause is %v, want %v", last.Err, test.cause)
				}
				if requests := server.requests(); requests > test.most || n-1 < test.least || pulled-(n-1) > 1 {
					t.Errorf("%d requests (at most %d), %d taken, %d outcomes: %v", requests, test.most, pulled, n-1, last.Err)
				}
				if text := last.Err.Error(); !strings.HasPrefix(text, "zoom: stopped: ") || strings.Count(text, "zoom: ") > 2 {
					t.Errorf("message %q", text)
				}
			})
		})
	}
}

type brokenTokens struct{}

func (brokenTokens) Token(context.Context) (string, error) { return "", errReset }

// TestShortTroubleEndsNothing is the control: trouble that passes, however often it comes.
func TestShortTroubleEndsNothing(t *testing.T) {
	pic := smallPNG(t)
	for name, answer := range map[string]func(string, int) step{
		"every third is lost": func(user string, nth int) step {
			if nth%3 == 0 {
				return takes(-1, errReset)
			}
			return takesEach(user, nth)
		},
		"19 lost, then one taken": func(user string, nth int) step {
			if nth%20 != 0 {
				return answers(503, "")
			}
			return answers(201, "")
		},
		"two of three not permitted": func(user string, nth int) step {
			if nth%3 != 0 {
				return answers(400, `{"code":200}`)
			}
			return answers(201, "")
		},
		"short limits": func(user string, nth int) step {
			if nth%3 == 0 {
				return answers(429, tooMany, "Retry-After", "50")
			}
			return answers(201, "")
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, _ := facing(t, answer, WithRetry(Retry{MaxAttempts: 1}))
			all, stopped := collect(client.UploadPictures(t.Context(), uploadsOf(pic, people(200)...), 1))
			if stopped != nil || len(all) != 200 {
				t.Errorf("%s: %d outcomes, %v", name, len(all), stopped)
			}
		})
	}
}

// TestNotPermittedForOneUser in a row of many uploads is this user's.
func TestNotPermittedForOneUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := facing(t, func(string, int) step { return answers(400, `{"code":200}`) })
		all, stopped := collect(client.UploadPictures(t.Context(), uploadsOf(smallPNG(t), slices.Repeat([]string{"ada@example.com", "ADA@example.com", "bob@example.com"}, 5)...), 4))
		if stopped != nil || len(all) != 15 {
			t.Errorf("%d outcomes, %v", len(all), stopped)
		}
	})
}

func TestContextEndsUploadPictures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enough := errors.New("enough")
		client, server := facing(t, takesEach)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(1050*time.Millisecond, func() { cancel(enough) })
		start := time.Now()
		all, stopped := collect(client.UploadPictures(ctx, uploadsOf(smallPNG(t), people(1000)...), 5))
		spent := time.Since(start)
		if spent != 1050*time.Millisecond || !errors.Is(stopped, context.Canceled) || !errors.Is(stopped, enough) {
			t.Errorf("after %v: %v", spent, stopped)
		}
		if len(all) != server.requests() || len(all) != 1+9*5+5 {
			t.Errorf("%d outcomes of %d requests", len(all), server.requests())
		}
		for i, o := range all {
			if inTime := i < 46; inTime != (o.Err == nil) || !inTime && !errors.Is(o.Err, enough) {
				t.Errorf("outcome %d: %v", i, o.Err)
			}
		}
	})
}
