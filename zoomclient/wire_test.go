package zoomclient

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A step is what the scripted server does with one request.
type step func(*http.Request) (*http.Response, error)

// A wire is a server that follows a script. It is the oracle of the tests: what it has taken is what was sent.
type wire struct {
	mu    sync.Mutex
	steps []step
	taken []*http.Request // every request that arrived, with the bytes of its body that the step took
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	n := len(w.taken)
	if n >= len(w.steps) {
		w.mu.Unlock()
		return nil, errors.New("the script has no step for this request")
	}
	var seen bytes.Buffer
	arrived := req.Clone(context.Background())
	arrived.Body = io.NopCloser(&seen)
	w.taken = append(w.taken, arrived)
	w.mu.Unlock()
	defer req.Body.Close()
	copied := *req
	copied.Body = io.NopCloser(io.TeeReader(req.Body, &seen))
	return w.steps[n](&copied)
}

func (w *wire) attempts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.taken)
}

// answers takes the whole request, then answers.
func answers(status int, body string, header ...string) step {
	return func(req *http.Request) (*http.Response, error) {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return nil, err
		}
		return response(status, strings.NewReader(body), header...), nil
	}
}

// answersEarly answers without taking a byte of the body.
func answersEarly(status int) step {
	return func(*http.Request) (*http.Response, error) { return response(status, strings.NewReader("")), nil }
}

// takes reads n bytes of the body, or all of it if n is negative, and fails.
func takes(n int64, err error) step {
	return func(req *http.Request) (*http.Response, error) {
		if n < 0 {
			n = req.ContentLength
		}
		io.CopyN(io.Discard, req.Body, n)
		return nil, err
	}
}

// hangs reads n bytes of the body and then waits for the client to give up.
func hangs(n int64) step {
	return func(req *http.Request) (*http.Response, error) {
		if n < 0 {
			n = req.ContentLength
		}
		io.CopyN(io.Discard, req.Body, n)
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
}

// answersWith takes the whole request and answers with a body of the test's own.
func answersWith(status int, body func(*http.Request) io.Reader) step {
	return func(req *http.Request) (*http.Response, error) {
		io.Copy(io.Discard, req.Body)
		return response(status, body(req)), nil
	}
}

func response(status int, body io.Reader, header ...string) *http.Response {
	h := http.Header{}
	for pair := range slices.Chunk(header, 2) {
		h.Set(pair[0], pair[1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body), ContentLength: -1, ProtoMajor: 1, ProtoMinor: 1}
}

// hangingBody never ends before the request does.
type hangingBody struct{ ctx context.Context }

func (b hangingBody) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func scripted(t testing.TB, tokens TokenSource, steps []step, opts ...Option) (*Client, *wire) {
	t.Helper()
	w := &wire{steps: steps}
	opts = append([]Option{WithHTTPClient(&http.Client{Transport: w}), WithLimiter(nil)}, opts...)
	client, err := New(tokens, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return client, w
}

// smallPNG is a picture that passes the checks.
func smallPNG(t testing.TB) Picture {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	pic, err := NewPicture(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return pic
}
