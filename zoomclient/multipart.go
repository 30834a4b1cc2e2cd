package zoomclient

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zoompic/zoompic/api"
)

// partName is the one field that Zoom reads (Zoom's item).
const partName = "pic_file"

// stallTimeout ends an attempt whose body nobody takes. net/http has no timeout for that.
const stallTimeout = 20 * time.Second

// maxInformational bounds the 1xx answers to one request. Zoom sends one, and that only where it was asked to.
const maxInformational = 100

var (
	errBodyClosed    = errors.New("zoom: the request body is closed")
	errInformational = errors.New("the server sent too many 1xx answers")
)

// A body is the multipart form of one attempt: head, picture and tail, read from where they are. Only the constants of
// this file, the picture's checked type and a fresh boundary are written around the picture.
type body struct {
	boundary string
	size     int64
	taken    atomic.Int64 // bytes that the transport has read
	begun    atomic.Bool  // the request's header was written
	early    atomic.Bool  // the answer began before the transport had read every byte

	mu     sync.Mutex // the transport may close the body while it reads
	parts  [3][]byte  // what is left of head, picture and tail
	closed bool
	stall  *time.Timer
}

// newBody returns the body of one attempt, which it stops with errStalled when the transport reads no more of it.
func newBody(pic Picture, stop context.CancelCauseFunc) *body {
	boundary := "zoompic-" + rand.Text()
	head := "--" + boundary + "\r\n" +
		`Content-Disposition: form-data; name="` + partName + `"; filename="` + pic.fileName() + "\"\r\n" +
		"Content-Type: " + pic.ContentType() + "\r\n\r\n"
	tail := "\r\n--" + boundary + "--\r\n"
	b := &body{
		boundary: boundary,
		size:     int64(len(head)) + pic.Size() + int64(len(tail)),
		parts:    [3][]byte{[]byte(head), pic.bytes(), []byte(tail)},
	}
	b.stall = time.AfterFunc(stallTimeout, func() { stop(errStalled) })
	b.stall.Stop() // until the first read: connecting has its own timeouts
	return b
}

func (b *body) contentType() string { return "multipart/form-data; boundary=" + b.boundary }

// Read gives the transport what comes next.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errBodyClosed
	}
	b.stall.Reset(stallTimeout)
	for i := range b.parts {
		if len(b.parts[i]) > 0 {
			n := copy(p, b.parts[i])
			b.parts[i] = b.parts[i][n:]
			if b.taken.Add(int64(n)) == b.size {
				b.stall.Stop()
			}
			return n, nil
		}
	}
	b.stall.Stop()
	return 0, io.EOF
}

// Close ends the body; the transport calls it, and every attempt.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.stall.Stop()
	return nil
}

// trace notes in which order the request and its answer go over the wire.
func (b *body) trace(ctx context.Context) context.Context {
	informational := 0
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders:         func() { b.begun.Store(true) },
		GotFirstResponseByte: func() { b.early.Store(!b.whole()) },
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			b.early.Store(false) // that byte was not yet the answer's
			if informational++; informational > maxInformational {
				return errInformational
			}
			return nil
		},
	})
}

// whole reports whether the transport took every byte.
func (b *body) whole() bool { return b.taken.Load() == b.size }

// noAnswer says how an attempt ended that was not answered: by the attempt's own end, if that came first.
func (b *body) noAnswer(ctx context.Context, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without method and URL: the caller knows them
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &noAnswer{cause: err, begun: b.begun.Load() || b.taken.Load() > 0, whole: b.whole()}
}

// newRequest is the generated request with its headers, sure to go where the client was told to.
func (u *upload) newRequest(ctx context.Context, token string, body *body) (*http.Request, error) {
	req, err := api.NewUploadUserPictureRequestWithBody(u.server, u.userID, body.contentType(), body)
	if err != nil {
		return nil, fmt.Errorf("zoom: making the request: %w", err)
	}
	if err := u.checkURL(req.URL); err != nil {
		return nil, err
	}
	req = req.WithContext(body.trace(ctx))
	req.ContentLength = body.size // exact; GetBody stays nil, so that net/http sends nothing on its own
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", u.agent)
	if u.asksFirst() {
		req.Header.Set("Expect", "100-continue")
	}
	req.Close = u.expect // or else net/http sends the picture after a refusal too, to keep the connection, and may lose the answer
	return req, nil
}

// asksFirst reports whether the server is asked whether it wants the picture, before it is sent.
func (u *upload) asksFirst() bool {
	return !u.expectFailed && (u.expect || u.expectFrom >= 0 && u.pic.Size() >= u.expectFrom)
}

// checkURL makes sure that the user ID has stayed one segment of the path.
func (u *upload) checkURL(target *url.URL) error {
	user, before := strings.CutPrefix(target.EscapedPath(), u.base.EscapedPath()+"/users/")
	user, after := strings.CutSuffix(user, "/picture")
	sameOrigin := target.Scheme == u.base.Scheme && target.Host == u.base.Host && target.User == nil
	if !sameOrigin || !before || !after || user == "" || strings.ContainsAny(user, "/?#") || target.RawQuery != "" {
		return fmt.Errorf("%w: it would change where the request goes", ErrInvalidUserID)
	}
	return nil
}
