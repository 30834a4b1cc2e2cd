package zoomclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"
	"testing/synctest"
	"time"
)

// TestOthersContextIsNotOurs: net/http may end a request because another one, which was making the connection, was cancelled.
func TestOthersContextIsNotOurs(t *testing.T) {
	client, _ := scripted(t, StaticToken("T"), []step{takes(0, context.Canceled), takes(0, context.DeadlineExceeded), answers(201, "")}, WithRetry(Retry{MaxAttempts: 1}))
	for range 2 {
		_, err := client.UploadPicture(t.Context(), Me, smallPNG(t))
		if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v matches a context's error", err)
		}
	}
}

// TestBuffered: what a buffered form knows comes from the transport alone, and its buffer is recycled only when that is done.
func TestBuffered(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	failed := errors.New("write error")
	for _, test := range []struct {
		name                 string
		hooks                []error // what WroteRequest says
		ctx                  context.Context
		begun                bool
		whole, lost, recycle bool
	}{
		{"written", []error{nil}, t.Context(), true, true, true, true},
		{"written, ctx ended", []error{nil, errors.New("late")}, t.Context(), true, true, true, true},
		{"write error", []error{failed}, t.Context(), true, false, false, false},
		{"nothing said until ctx ends", nil, ended, true, false, true, false},
		{"a transport that says nothing", nil, t.Context(), false, true, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBuffered(form{boundary: "b", pic: smallPNG(t)})
			var trace httptrace.ClientTrace
			b.trace(&trace)
			for _, err := range test.hooks {
				trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
			}
			if got := b.isWhole(test.ctx, test.begun); got != test.whole {
				t.Errorf("whole: %v", got)
			}
			if whole, broken := b.lost(test.begun); whole != test.lost || broken != (len(test.hooks) > 0 && test.hooks[0] != nil) {
				t.Errorf("lost: whole %v, broken %v", whole, broken)
			}
			if got := b.isDone(); got != test.recycle {
				t.Errorf("recycled: %v", got)
			}
		})
	}
}

// TestTransportThatSaysNothing: one that was registered with net/http's own gives none of its hooks. Its answers count.
func TestTransportThatSaysNothing(t *testing.T) {
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetHTTP1(true)
	transport.RegisterProtocol("https", silentTransport{})
	client, err := New(StaticToken("T"), WithHTTPClient(&http.Client{Transport: transport}), WithLimiter(nil))
	if err != nil {
		t.Fatal(err)
	}
	if result, err := client.UploadPicture(t.Context(), Me, smallPNG(t)); err != nil || result.Attempts != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

type silentTransport struct{}

func (silentTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, req.Body)
	req.Body.Close()
	return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{}, Body: http.NoBody}, nil
}

// TestCallersTrace takes nothing away: its hooks are called, and the 1xx answers stay bounded.
func TestCallersTrace(t *testing.T) {
	for _, protocol := range []string{http1, http2Name} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, protocol, WithRetry(Retry{MaxAttempts: 1}))
			w.picture.plan = []fault{{stage: atHead, action: flood}}
			seen := 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { seen++; return nil }})
			start := time.Now()
			result, err := w.upload(ctx)
			w.holdLedger(result, err)
			if !errors.Is(err, errInformational) || seen < maxInformational || time.Since(start) > time.Second {
				t.Errorf("%v after %v and %d 1xx answers", err, time.Since(start), seen)
			}
			w.settle()
		})
	}
}
