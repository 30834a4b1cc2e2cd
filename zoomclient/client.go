package zoomclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
)

// A Client uploads profile pictures. It is made by [New] and safe for concurrent use; all its uploads share one pace,
// and a rate limit that one of them meets pauses them all.
type Client struct {
	tokens     TokenSource
	base       *url.URL
	template   template
	courier    courier
	agent      string
	retry      Retry
	limiter    Limiter // nil: not paced
	log        *slog.Logger
	expectFrom int64 // send Expect: 100-continue for pictures from this size; negative: never
	pause      pause
	throttle   throttle
}

// New returns a client that authorizes its requests with tokens. It sends nothing. All options that are wrong are
// reported together; an unusable static token or incomplete [ServerToServer] matches [ErrToken].
func New(tokens TokenSource, opts ...Option) (*Client, error) {
	config, err := newConfig(opts)
	if tokens == nil {
		err = errors.Join(errors.New("zoom: a client needs a TokenSource, for example a ServerToServer"), err)
	}
	if source, ok := tokens.(interface{ check() error }); ok {
		err = errors.Join(source.check(), err)
	}
	if err != nil {
		return nil, err
	}
	template, err := newTemplate(config.base)
	if err != nil {
		return nil, err
	}
	return &Client{
		tokens:     tokens,
		base:       config.base,
		template:   template,
		courier:    config.courier,
		agent:      userAgent(config.product),
		retry:      config.retry,
		limiter:    config.limiter,
		log:        config.log,
		expectFrom: config.expectFrom,
	}, nil
}

// String names the client without its secrets.
func (c *Client) String() string { return "zoomclient.Client(" + c.base.String() + ")" }

// A Result is what is known after an upload.
type Result struct {
	StatusCode int    // 201, 200 or 204; 0 beside an error
	Location   string // Content-Location, if Zoom sent one
	TrackingID string // x-zm-trackingid, for Zoom's support
	Attempts   int    // requests for the picture that were made; set beside an error too
}

// UploadPicture makes pic the profile picture of userID, which is a user ID, an email address or [Me].
//
// A nil error means that Zoom answered 200, 201 or 204 after it had taken every byte, and named no error code.
// Otherwise the error matches one of
//   - [ErrInvalidUserID] or [ErrEmptyPicture]: nothing was sent;
//   - [ErrToken]: no usable token; the cause is wrapped;
//   - *[Error], and with it its [Code]: Zoom, or something in front of it, answered;
//   - [ErrUnconfirmed]: every byte was sent in some attempt, but no answer came;
//   - ctx.Err() and context.Cause(ctx), with the last failure: ctx ended first.
//
// The package comment says what is tried again and when.
func (c *Client) UploadPicture(ctx context.Context, userID string, pic Picture) (Result, error) {
	if err := CheckUserID(userID); err != nil {
		return Result{}, err
	}
	if pic.Size() == 0 {
		return Result{}, fmt.Errorf("%w: make it with NewPicture, ReadPicture or LoadPicture", ErrEmptyPicture)
	}
	u := &upload{Client: c, userID: userID, pic: pic}
	return u.run(ctx)
}

// UploadFile reads and checks the picture at path as [LoadPicture] does, then uploads it as [Client.UploadPicture] does.
func (c *Client) UploadFile(ctx context.Context, userID, path string) (Result, error) {
	if err := CheckUserID(userID); err != nil {
		return Result{}, err
	}
	data := files.Get().(*bytes.Buffer)
	defer files.Put(data) // no form reads from it after its attempt
	data.Reset()
	pic, err := loadPicture(path, os.Stat, openFile, data)
	if err != nil {
		return Result{}, err
	}
	return c.UploadPicture(ctx, userID, pic)
}

// files are the buffers that UploadFile reads into.
var files = sync.Pool{New: func() any { return new(bytes.Buffer) }}
