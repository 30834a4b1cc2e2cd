package zoomclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Each test of this file shows a trap of net/http or x/oauth2 with a plain client, and that this package does not fall into it.

// plainUpload sends the picture as most programs do.
func (w *world) plainUpload(ctx context.Context, change func(*http.Request)) (*http.Response, error) {
	data, err := os.ReadFile(w.file.path)
	if err != nil {
		w.t.Fatal(err)
	}
	head := "--b\r\nContent-Disposition: form-data; name=\"pic_file\"; filename=\"x.jpg\"\r\n\r\n"
	body := bytes.NewReader(slices.Concat([]byte(head), data, []byte("\r\n--b--\r\n")))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.zoom.us/v2/users/ada@example.com/picture", body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	req.Header.Set("Authorization", "Bearer "+canaryToken)
	change(req)
	resp, err := (&http.Client{Transport: w.transport}).Do(req)
	if err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return resp, err
}

// TestNothingIsSentAgainUnseen: with GetBody, which http.NewRequest sets, net/http repeats refused streams on its own; with an
// idempotency key it repeats what a connection has lost.
func TestNothingIsSentAgainUnseen(t *testing.T) {
	for _, trap := range []struct {
		name, protocol string
		fault          fault
		plain          func(*http.Request)
	}{
		{"GetBody", http2Name, fault{stage: atBodyEnd, action: resetStream, code: http2.ErrCodeRefusedStream}, func(*http.Request) {}},
		{"GetBody, GOAWAY", http2Name, fault{stage: atBodyEnd, action: goAway}, func(*http.Request) {}},
		{"Idempotency-Key", http1, fault{stage: atBodyEnd, action: fin}, func(r *http.Request) { r.Header.Set("Idempotency-Key", "1") }},
	} {
		t.Run(trap.name, func(t *testing.T) {
			hits := func(send func(*world)) int {
				var arrived int
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, trap.protocol, WithRetry(Retry{MaxAttempts: 1}))
					w.upload(t.Context()) // the connection is used before
					synctest.Wait()
					w.picture.plan = slices.Repeat([]fault{trap.fault}, 5)
					w.picture.arrived = 0
					send(w)
					synctest.Wait()
					arrived = w.picture.arrived
					w.settle()
				})
				return arrived
			}
			if n := hits(func(w *world) { w.plainUpload(w.t.Context(), trap.plain) }); n < 2 {
				t.Errorf("the control: a plain client sent %d requests", n)
			}
			if n := hits(func(w *world) { w.upload(w.t.Context()) }); n != 1 {
				t.Errorf("one attempt sent %d requests", n)
			}
		})
	}
}

// TestServerThatStopsReading: ResponseHeaderTimeout starts only when the request was written.
func TestServerThatStopsReading(t *testing.T) {
	for _, protocol := range []string{http1, http2Name} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, protocol, WithRetry(Retry{MaxAttempts: 1}))
			w.transport.ResponseHeaderTimeout = time.Second
			w.transport.HTTP2 = nil
			stuck := fault{stage: atBody, after: 20_000, action: hang}
			w.picture.plan = []fault{stuck}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			start := time.Now()
			if _, err := w.plainUpload(ctx, func(*http.Request) {}); err == nil || time.Since(start) != time.Hour {
				t.Errorf("the control: a plain client ended after %v with %v", time.Since(start), err)
			}
			w.network.closeAll()
			synctest.Wait()

			w.picture.plan = []fault{stuck}
			start = time.Now()
			if _, err := w.upload(t.Context()); !errors.Is(err, errStalled) || time.Since(start) != stallTimeout {
				t.Errorf("ended after %v with %v", time.Since(start), err)
			}
			w.network.closeAll()
			time.Sleep(time.Minute)
		})
	}
}

// TestDeadHTTP2Connection: without pings a transport sends every request to a connection that has died in silence.
func TestDeadHTTP2Connection(t *testing.T) {
	again := func(pings bool) (err error) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, http2Name)
			if !pings {
				w.transport.HTTP2 = nil
			}
			w.picture.plan = []fault{{stage: atBody, after: 20_000, action: hang}}
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), stallTimeout)
				defer cancel()
				_, err = w.plainUpload(ctx, func(*http.Request) {})
			}
			w.network.closeAll()
			time.Sleep(time.Minute)
		})
		return err
	}
	if err := again(false); err == nil {
		t.Error("the control: without pings the third request was answered")
	}
	if err := again(true); err != nil {
		t.Errorf("the third request did not get another connection: %v", err)
	}
}

// TestHTTP2IsOn although the transport has a DialContext and a TLS configuration of its own, which turn it off.
func TestHTTP2IsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, http2Name)
		protocol := func() string {
			resp, err := w.plainUpload(t.Context(), func(*http.Request) {})
			if err != nil {
				t.Fatal(err)
			}
			return resp.Proto
		}
		if got := protocol(); got != "HTTP/2.0" {
			t.Errorf("the client's transport speaks %s", got)
		}
		w.settle()
		w.transport = &http.Transport{DialContext: w.network.DialContext, TLSClientConfig: &tls.Config{RootCAs: certificates().roots}}
		if got := protocol(); got != "HTTP/1.1" {
			t.Errorf("the control: a plain transport speaks %s", got)
		}
		w.transport.CloseIdleConnections()
	})
}

// plainTokens is x/oauth2's client of the token endpoint.
func plainTokens(w *wire) oauth2.TokenSource {
	config := clientcredentials.Config{ClientID: "client", ClientSecret: canarySecret, TokenURL: DefaultTokenURL}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: w})
	return config.TokenSource(ctx)
}

// TestFailingTokenEndpointIsAskedOnce: x/oauth2 lets each of 64 waiters ask, and asks twice, the second time with the secret in the body.
func TestFailingTokenEndpointIsAskedOnce(t *testing.T) {
	ask := func(token func() error) {
		var waiters sync.WaitGroup
		for range 64 {
			waiters.Go(func() {
				if token() == nil {
					t.Error("a token came")
				}
			})
		}
		waiters.Wait()
	}
	synctest.Test(t, func(t *testing.T) {
		w := &wire{steps: slices.Repeat([]step{answers(400, `{"error":"invalid_client"}`)}, 1000)}
		plain := plainTokens(w)
		ask(func() error { _, err := plain.Token(); return err })
		inBody := false
		for _, req := range w.taken {
			body, _ := io.ReadAll(req.Body)
			inBody = inBody || strings.Contains(string(body), canarySecret)
		}
		if w.attempts() < 64 || !inBody {
			t.Errorf("the control: %d requests, the secret in a body: %v", w.attempts(), inBody)
		}
		app, w := scriptedApp(answers(400, `{"error":"invalid_client"}`))
		ask(func() error { _, err := app.Token(t.Context()); return err })
		if w.attempts() != 1 {
			t.Errorf("%d requests", w.attempts())
		}
	})
}

// TestRevokedTokenIsReplaced: x/oauth2 hands it out until it expires.
func TestRevokedTokenIsReplaced(t *testing.T) {
	w := &wire{steps: []step{gives("A"), gives("B")}}
	plain := plainTokens(w)
	first, err := plain.Token()
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := plain.Token(); again.AccessToken != first.AccessToken || w.attempts() != 1 {
		t.Error("the control: x/oauth2 gave another token")
	}
	app, _ := scriptedApp(gives("A"), gives("B"))
	app.Token(t.Context())
	if got, err := app.Refresh(t.Context(), "A"); got != "B" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestTokenObeysItsCaller: x/oauth2 asks with the context of the day it was made.
func TestTokenObeysItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(req *http.Request) (*http.Response, error) {
			select {
			case <-time.After(2 * time.Second):
				return gives("A")(req)
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		}
		spent := func(token func(context.Context)) time.Duration {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			token(ctx)
			return time.Since(start)
		}
		plain := plainTokens(&wire{steps: []step{slow}})
		if d := spent(func(context.Context) { plain.Token() }); d != 2*time.Second {
			t.Errorf("the control: x/oauth2 returned after %v", d)
		}
		app, _ := scriptedApp(slow)
		if d := spent(func(ctx context.Context) { app.Token(ctx) }); d != 100*time.Millisecond {
			t.Errorf("returned after %v", d)
		}
	})
}

// TestISOTimeIsRead: net/http's parser, which other clients use for Retry-After, does not know the form of Zoom's daily limit.
func TestISOTimeIsRead(t *testing.T) {
	const daily = "2020-05-31T00:00:00Z"
	if _, err := http.ParseTime(daily); err == nil {
		t.Error("the control: net/http reads it")
	}
	if got := parseRetryAfter(daily, time.Date(2020, 5, 30, 23, 0, 0, 0, time.UTC)); got != time.Hour {
		t.Error(got)
	}
}
