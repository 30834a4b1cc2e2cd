package zoomclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxBuffered is the size of the largest form that is copied into one buffer, so that the request goes out in one write.
	maxBuffered = 64 << 10
	// stallTimeout ends an attempt whose body nobody takes. net/http has no timeout for that.
	stallTimeout = 20 * time.Second
	// maxInformational bounds the 1xx answers to one request. Zoom sends one, and that only where it was asked to.
	maxInformational = 100
)

var (
	errBodyClosed    = errors.New("zoom: the request body is closed")
	errInformational = errors.New("the server sent too many 1xx answers")
)

// A body is the multipart form of one attempt, and how far it has gone.
type body struct {
	sender
	contentType string
	size        int64
	begun       atomic.Bool // the request's header was written
	hooks       httptrace.ClientTrace
}

// A sender gives the form to the transport. It has two kinds: streamed and buffered.
type sender interface {
	reader() io.ReadCloser
	trace(*httptrace.ClientTrace)
	// isWhole reports whether the transport has taken every byte, and, of a streamed form, that before the answer began. It may
	// wait for the transport's word, until ctx ends.
	isWhole(ctx context.Context, begun bool) bool
	// lost says of an attempt without an answer, whose header may have been written, whether the server may have every byte,
	// and whether it broke off on the way.
	lost(begun bool) (whole, broken bool)
	release() // when the attempt is over
}

// withTrace has the transport say how far the request has gone.
func (b *body) withTrace(ctx context.Context) context.Context {
	b.hooks.WroteHeaders = func() { b.begun.Store(true) }
	b.sender.trace(&b.hooks)
	return httptrace.WithClientTrace(ctx, &b.hooks)
}

// noAnswer says how an attempt ended that was not answered: by the attempt's own end, if that came first.
func (b *body) noAnswer(ctx context.Context, err error) error {
	whole, broken := b.lost(b.begun.Load())
	return &noAnswer{cause: causeOf(ctx, err), whole: whole, broken: broken}
}

// causeOf is why ctx ended, if it has. If it has not, no error may match that of a context, as those of a dialer's time-out and
// of a connection do that was being made for somebody else.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errors.New(causeText(err))
	}
	return err
}

// A streamed form is read from where head, picture and tail are.
type streamed struct {
	stop  context.CancelCauseFunc // ends the attempt
	size  int64
	taken atomic.Int64 // bytes that the transport has read
	early atomic.Bool  // the answer began before it had read them all

	mu     sync.Mutex // the transport may close the body while it reads
	parts  [3][]byte  // what is left of head, picture and tail
	closed bool
	stall  *time.Timer
}

func newStreamed(f form, stop context.CancelCauseFunc) *streamed {
	s := &streamed{stop: stop, size: f.size(), parts: [3][]byte{f.appendHead(nil), f.pic.bytes(), f.appendTail(nil)}}
	s.stall = time.AfterFunc(stallTimeout, func() { stop(errStalled) })
	s.stall.Stop() // until the first read: connecting has its own timeouts
	return s
}

func (s *streamed) reader() io.ReadCloser { return s }

// Read gives the transport what comes next.
func (s *streamed) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, errBodyClosed
	}
	s.stall.Reset(stallTimeout)
	for i := range s.parts {
		if len(s.parts[i]) > 0 {
			n := copy(p, s.parts[i])
			s.parts[i] = s.parts[i][n:]
			if s.taken.Add(int64(n)) == s.size {
				s.stall.Stop()
			}
			return n, nil
		}
	}
	s.stall.Stop()
	return 0, io.EOF
}

// Close ends the form; the transport calls it, and every attempt.
func (s *streamed) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.stall.Stop()
	return nil
}

func (s *streamed) trace(t *httptrace.ClientTrace) {
	informational := 0
	t.GotFirstResponseByte = func() { s.early.Store(!s.isTaken()) }
	t.Got1xxResponse = func(int, textproto.MIMEHeader) error {
		s.early.Store(false)                                   // that byte was not yet the answer's
		if informational++; informational > maxInformational { // with this hook there is no bound in net/http
			s.stop(errInformational) // what a hook returns is lost if the caller has one of its own
		}
		return nil
	}
}

func (s *streamed) isTaken() bool { return s.taken.Load() == s.size }
func (s *streamed) release()      { s.Close() }

func (s *streamed) isWhole(context.Context, bool) bool { return s.isTaken() && !s.early.Load() }

func (s *streamed) lost(begun bool) (whole, broken bool) {
	return s.isTaken(), !s.isTaken() && (begun || s.taken.Load() > 0)
}

// A buffered form is one piece, of a type that net/http knows: it then writes header and form at once. What it has read of
// that type cannot be counted, so the transport's own word is taken that it has all: net/http's transports give it, others may
// not. An answer that comes while so little is on its way cannot be told from one that comes right after.
type buffered struct {
	data    *[maxBuffered]byte
	form    bytes.Reader  // of data
	written chan struct{} // closed when the transport is done with data
	once    sync.Once
	err     error // why it is done; set before written is closed
}

var buffers = sync.Pool{New: func() any { return new([maxBuffered]byte) }}

func newBuffered(f form) *buffered {
	b := &buffered{data: buffers.Get().(*[maxBuffered]byte), written: make(chan struct{})}
	b.form.Reset(f.appendTail(append(f.appendHead(b.data[:0]), f.pic.bytes()...)))
	return b
}

func (b *buffered) reader() io.ReadCloser { return io.NopCloser(&b.form) }

func (b *buffered) trace(t *httptrace.ClientTrace) {
	t.WroteRequest = func(info httptrace.WroteRequestInfo) {
		b.once.Do(func() {
			b.err = info.Err
			close(b.written)
		})
	}
}

// isWhole: a transport that has not even said that it wrote the header says nothing at all, as one may that was registered
// for a scheme. There is only its answer to go by.
func (b *buffered) isWhole(ctx context.Context, begun bool) bool {
	if !begun {
		return true
	}
	select {
	case <-b.written:
		return b.err == nil
	case <-ctx.Done():
		return false
	}
}

// lost: all of it is written at once, right behind the header.
func (b *buffered) lost(begun bool) (whole, broken bool) {
	select {
	case <-b.written:
		return b.err == nil, b.err != nil
	default:
		return begun, false
	}
}

// release recycles the buffer.
func (b *buffered) release() {
	if b.isDone() {
		buffers.Put(b.data)
	}
}

// isDone reports whether the transport will surely read no more. After an error it may not have noticed yet.
func (b *buffered) isDone() bool {
	select {
	case <-b.written:
		return b.err == nil
	default:
		return false
	}
}
