package zoomclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The tests of this file go over the wire of the fault server, where what matters is when a request is sent, and with which token.

// TestStatedWaits: nothing is sent before the time that a server states, and what is no such time gives way to our own delay.
func TestStatedWaits(t *testing.T) {
	const own, tooLong = 0, -1
	at := time.Date(2000, 1, 1, 0, 0, 40, 0, time.UTC) // virtual time begins at midnight
	for value, wait := range map[string]time.Duration{
		"7": 7 * time.Second, " 7 ": 7 * time.Second, "60": time.Minute, "0": own, "-5": own, "1.5": own, "soon": own, "": own,
		"61": tooLong, "31536000": tooLong, "9223372036854775807": tooLong, "99999999999999999999999": tooLong, "-99999999999999999999999": own,
		at.Format(http.TimeFormat): 40 * time.Second, at.Format("Monday, 02-Jan-06 15:04:05 GMT"): 40 * time.Second, at.Format(time.ANSIC): 40 * time.Second,
		"2000-01-01T00:00:40Z": 40 * time.Second, "2000-01-01T01:00:40+01:00": 40 * time.Second, "2000-01-01T00:00:40": 40 * time.Second,
		"2000-01-01T00:00:40.000Z": 40 * time.Second, "2000-01-01 00:00:40": 40 * time.Second, "1999-12-31T23:59:59Z": own, "2001-01-01T00:00:00Z": tooLong,
		"9999-12-31T23:59:59Z": tooLong, "0000-00-00T00:00:00Z": own, "2000-01-02": tooLong, "Sat, 32 Jan 2000 00:00:40 GMT": own,
	} {
		for _, protocol := range []string{http1, http2Name} {
			for _, status := range []int{429, 503} {
				for _, endpoint := range []string{"picture", "token"} {
					t.Run(fmt.Sprintf("%s/%s/%d/%s", endpoint, protocol, status, value), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							w := newWorld(t, protocol)
							struck := w.picture
							if endpoint == "token" {
								struck = w.token
							}
							struck.plan = []fault{{stage: atBodyEnd, action: answers1, reply: reply{status, []string{"Retry-After", value}, "{}"}}}
							start := time.Now()
							result, err := w.upload(t.Context())
							spent := time.Since(start)
							w.holdLedger(result, err)
							least, most := wait, wait+time.Millisecond
							switch {
							case wait == tooLong:
								least, most = 0, 0
							case wait == own && (status == 429 || endpoint == "token"):
								least, most = time.Second, time.Second
							case wait == own:
								least, most = 500*time.Millisecond, time.Second
							}
							if struck.fired != 1 || (err == nil) != (wait != tooLong) || spent < least || spent > most {
								t.Errorf("%d answers, %v after %v; want %v to %v", struck.fired, err, spent, least, most)
							}
							if wait == tooLong {
								w.holdLongWait(endpoint, status, err)
							}
							w.settle()
						})
					})
				}
			}
		}
	}
}

// holdLongWait: who is not to be waited for says so, with the time.
func (w *world) holdLongWait(endpoint string, status int, err error) {
	w.t.Helper()
	if endpoint == "token" {
		if !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "not before 2000-01-01 0") {
			w.t.Error(err)
		}
		return
	}
	if answer, ok := errors.AsType[*Error](err); !ok || answer.RetryAfter <= time.Minute || errors.Is(err, ErrRateLimited) != (status == 429) {
		w.t.Errorf("%v does not say how long the wait is", err)
	}
}

// TestRefusedTokenIsReplacedOnce, whatever the number of uploads that were sent with it, and all of them succeed.
func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	for _, refusal := range []reply{{401, nil, `{"code":124,"message":"Invalid access token."}`}, {400, nil, `{"code":124,"message":"Access token is expired."}`}, {401, nil, ""}} {
		t.Run(fmt.Sprint(refusal.status, refusal.body), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, http1)
				honest := w.picture.answer
				w.picture.answer = func(s *faultServer, req *http.Request, body []byte) reply {
					if req.Header.Get("Authorization") == "Bearer "+canaryToken+"-1" {
						time.Sleep(time.Second) // until all are here
						return refusal
					}
					return honest(s, req, body)
				}
				var uploads sync.WaitGroup
				for range 64 {
					uploads.Go(func() {
						if result, err := w.upload(t.Context()); err != nil || result.Attempts != 2 {
							t.Errorf("%+v, %v", result, err)
						}
					})
				}
				uploads.Wait()
				synctest.Wait()
				if w.token.arrived != 2 || w.picture.arrived != 128 || len(w.picture.commits) != 64 {
					t.Errorf("%d tokens, %d requests, %d pictures", w.token.arrived, w.picture.arrived, len(w.picture.commits))
				}
				w.settle()
			})
		})
	}
}

// TestTokensThatStayRefused end the upload after the one repeat; a scope that is missing is not mended by another token.
func TestTokensThatStayRefused(t *testing.T) {
	for _, test := range []struct {
		reply            reply
		attempts, tokens int
		matches          error
	}{
		{reply{401, nil, ""}, 2, 2, ErrUnauthorized},
		{reply{400, nil, `{"code":124}`}, 2, 2, ErrUnauthorized},
		{reply{400, nil, `{"code":4711,"message":"Invalid access token, does not contain scopes:["user:write:admin"]."}`}, 1, 1, CodeMissingScope},
		{reply{401, nil, `{"code":4711}`}, 1, 1, CodeMissingScope},
		{reply{401, nil, `{"code":4700,"message":"Token cannot be empty"}`}, 1, 1, CodeMissingScope},
	} {
		for _, protocol := range []string{http1, http2Name} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, protocol)
				w.picture.plan = slices.Repeat([]fault{{stage: atBodyEnd, action: answers1, reply: test.reply}}, 3)
				result, err := w.upload(t.Context())
				w.holdLedger(result, err)
				if !errors.Is(err, test.matches) || w.picture.fired != test.attempts || w.token.arrived != test.tokens {
					t.Errorf("%d %s: %v after %d attempts with %d tokens", test.reply.status, test.reply.body, err, w.picture.fired, w.token.arrived)
				}
				w.settle()
			})
		}
	}
}

// TestContextEndsEveryExchange: at whatever stage an exchange hangs, the end of the context ends the upload at once.
func TestContextEndsEveryExchange(t *testing.T) {
	errMine := errors.New("enough")
	answer := reply{200, []string{"Content-Type", "application/json"}, `{"access_token":"T"}`}
	for _, at := range []stage{atAccept, atHandshake, atOpen, atHead, atBody, atBodyEnd, atStatus, atHeaders, atAnswer} {
		for _, does := range []action{hang, trickle, silence} {
			for _, protocol := range []string{http1, http2Name} {
				for _, endpoint := range []string{"picture", "token"} {
					late := at != atAccept && at != atHandshake && at != atOpen
					if does == silence && (protocol == http1 || !late) || does == trickle && (at == atAccept || at == atOpen || at == atHead || at == atBody || at == atBodyEnd) {
						continue // no such thing
					}
					t.Run(fmt.Sprintf("%s/%s/%s/%s", endpoint, protocol, at, does), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							w := newWorld(t, protocol)
							struck := w.picture
							f := fault{stage: at, action: does, after: 100_000, reply: answer}
							if endpoint == "token" {
								struck, f.after = w.token, 10
							}
							struck.plan = []fault{f, f}
							ctx, cancel := context.WithTimeoutCause(t.Context(), 8*time.Second, errMine)
							defer cancel()
							start := time.Now()
							result, err := w.upload(ctx)
							if spent := time.Since(start); spent < 8*time.Second || spent > 8*time.Second+100*time.Millisecond {
								t.Errorf("the upload ended after %v", spent)
							}
							w.holdLedger(result, err)
							if struck.fired == 0 || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errMine) {
								t.Errorf("after %d faults: %v", struck.fired, err)
							}
							w.settle()
						})
					})
				}
			}
		}
	}
}

// TestExpectationFailed: what cannot be asked first is sent without asking, at once.
func TestExpectationFailed(t *testing.T) {
	for _, protocol := range []string{http1, http2Name} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, protocol, WithExpectContinue(0))
			w.picture.plan = []fault{{stage: atHead, action: answers1, reply: reply{status: 417}}}
			start := time.Now()
			result, err := w.upload(t.Context())
			w.holdLedger(result, err)
			sent := w.picture.received.String()
			if err != nil || result.Attempts != 2 || time.Since(start) > 100*time.Millisecond || strings.Count(sent, "100-continue") != 1 {
				t.Errorf("%v after %v; sent %s", err, time.Since(start), sent)
			}
			w.settle()
		})
	}
}

// TestProxyFaults: a proxy's refusal is an answer, and its password stays where it is.
func TestProxyFaults(t *testing.T) {
	for _, test := range []struct {
		name   string
		serve  func(*memConn) // nil: nobody listens
		status int            // of the *Error
		tries  int
	}{
		{"nobody listens", nil, 0, 5},
		{"wrong password", func(c *memConn) { io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") }, 407, 1},
		{"a status of Zoom's", func(c *memConn) { io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n") }, 401, 1},
		{"a limit that is not Zoom's", func(c *memConn) { io.WriteString(c, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n") }, 429, 1},
		{"forbidden", func(c *memConn) { io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") }, 403, 1},
		{"bad gateway", func(c *memConn) { io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n") }, 502, 5},
		{"FIN", func(c *memConn) {}, 0, 5},
		{"RST", func(c *memConn) { c.Reset() }, 0, 5},
		{"garbage", func(c *memConn) { io.WriteString(c, "garbage\r\n\r\n") }, 0, 5},
		{"hang", func(c *memConn) { <-c.peerClosed }, 0, 5},
	} {
		for _, source := range []string{"token", "static"} {
			t.Run(test.name+"/"+source, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, http1)
					if source == "static" {
						w.client.tokens = StaticToken(canaryToken)
					}
					var asked atomic.Int64
					w.transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.example:3128", User: url.UserPassword("user", canaryProxy)})
					if test.serve != nil {
						w.network.hosts["proxy.example:3128"] = func(c *memConn) {
							if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil && req.Method == http.MethodConnect && req.Header.Get("Proxy-Authorization") != "" {
								asked.Add(1)
							}
							test.serve(c)
						}
					}
					_, err := w.upload(t.Context())
					synctest.Wait()
					dialed := w.network.dialed["proxy.example:3128"]
					delete(w.network.dialed, "proxy.example:3128")
					if dialed != test.tries || test.serve != nil && int(asked.Load()) != test.tries || len(w.network.dialed) > 0 {
						t.Errorf("the proxy was dialed %d times and asked %d; others: %v", dialed, asked.Load(), w.network.dialed)
					}
					if answer, ok := errors.AsType[*Error](err); ok != (test.status != 0) || ok && answer.StatusCode != test.status {
						t.Errorf("want status %d: %v", test.status, err)
					}
					if errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrRateLimited) || w.client.pause.remaining() > 0 {
						t.Errorf("the proxy was taken for Zoom: %v", err)
					}
					for e := err; e != nil; e = unwrapOnce(e) {
						findCanary(t, printed(e))
					}
					findCanary(t, w.log.String())
					w.settle()
				})
			})
		}
	}
}

// TestSharedRefusal: many uploads get the one answer of a proxy to the one request for a token; none of them may write to it.
func TestSharedRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, http1)
		w.transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.example:3128"})
		w.network.hosts["proxy.example:3128"] = func(c *memConn) {
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
		}
		var uploads sync.WaitGroup
		for range 8 {
			uploads.Go(func() {
				if _, err := w.upload(t.Context()); !errors.Is(err, ErrToken) {
					t.Error(err)
				}
			})
		}
		uploads.Wait()
		synctest.Wait()
		if n := w.network.dialed["proxy.example:3128"]; n != 1 {
			t.Errorf("the proxy was asked %d times", n)
		}
		w.settle()
	})
}
