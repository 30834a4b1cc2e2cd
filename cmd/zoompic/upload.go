package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zoompic/zoompic/zoomclient"
)

const fromStdin = "-"

var errTimeout = errors.New("the time given by --timeout is over")

func (c *command) upload() *cobra.Command {
	var account accountFlags
	var fit fitFlags
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "upload USER FILE",
		Short: "Make FILE the profile picture of USER",
		Long: `Make FILE the profile picture of USER.

USER is a Zoom user ID, an email address, or "me" for the user whose token it is.
FILE is a JPEG or PNG of at most 2 MB; "-" reads it from standard input. With --fit
it may be any photo: it is turned upright, scaled down and sent without metadata.`,
		Example: "  zoompic upload ada@example.com ada.jpg\n  zoompic upload --fake ada@example.com examples/ada.jpg",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout < 0 {
				return errors.New("--timeout must not be negative")
			}
			if err := fit.check(); err != nil {
				return err
			}
			ctx := cmd.Context()
			limited, cancel := ctx, func() {}
			if timeout > 0 {
				limited, cancel = context.WithTimeoutCause(ctx, timeout, errTimeout)
			}
			defer cancel()
			return c.uploadOne(limited, ctx, account, fit, args[0], args[1])
		},
	}
	account.register(cmd)
	fit.registerChoice(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Minute, "end after this long; 0 for no limit")
	return cmd
}

// uploadOne checks what it is given, in the order a person would mend it, then uploads. Both contexts end the upload;
// the end of interrupt is the user's.
func (c *command) uploadOne(ctx, interrupt context.Context, account accountFlags, fit fitFlags, user, file string) error {
	o := outcome{User: user, File: file}
	if err := zoomclient.CheckUserID(user); err != nil {
		return c.fail(o, newFailure(exitUsage, fmt.Sprintf("%q", user), err))
	}
	pic, err := c.preparePicture(ctx, file, fit, &o)
	if err != nil {
		exit := exitUsage
		switch {
		case interrupt.Err() != nil:
			exit = exitInterrupted
		case ctx.Err() != nil:
			exit = exitFailed
		}
		return c.fail(o, newFailure(exit, "", err))
	}
	digest := pic.SHA256()
	o.describePicture(pic)
	o.SHA256 = hex.EncodeToString(digest[:])

	target, err := account.open(c, zoomclient.WithLogger(slog.New(c.logTo())))
	if err != nil {
		return c.fail(o, asFailure(err))
	}
	defer target.close()

	result, err := target.client.UploadPicture(ctx, user, pic)
	o.Attempts = result.Attempts
	if err != nil {
		return c.fail(o, newFailure(exitCode(interrupt, err), user, err))
	}
	o.Status, o.Location, o.TrackingID = result.StatusCode, result.Location, result.TrackingID
	if target.fake != nil {
		if arrived, _ := target.fake.Picture(user); sha256.Sum256(arrived) != digest {
			return c.fail(o, newFailure(exitFailed, user, errors.New("the fake Zoom holds other bytes than were sent")))
		}
		o.Verified = true
	}
	return c.print(o, "%s", o.text(pic))
}

func (o *outcome) describePicture(pic zoomclient.Picture) {
	o.Type, o.Size, o.Trailing = pic.ContentType(), pic.Size(), pic.TrailingBytes()
	o.Width, o.Height = pic.Dimensions()
}

// text is what a person reads after a success.
func (o *outcome) text(pic zoomclient.Picture) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("file", "%s (%s)", printable(o.File), describe(pic))
	if o.Fit != nil {
		line("fitted", "%s", o.Fit)
	}
	line("user", "%s", o.User)
	line("status", "%d %s", o.Status, http.StatusText(o.Status))
	if o.Location != "" {
		line("picture", "%s", o.Location)
	}
	if o.TrackingID != "" {
		line("tracking", "%s", o.TrackingID)
	}
	if o.Verified {
		line("verified", "the fake Zoom holds the same %s that were sent (SHA-256 %s…)", countBytes(o.Size), o.SHA256[:16])
	}
	return b.String()
}

// preparePicture reads the picture, and makes it fit if that is wanted.
func (c *command) preparePicture(ctx context.Context, file string, fit fitFlags, o *outcome) (zoomclient.Picture, error) {
	if fit.wanted {
		pic, report, err := c.fitFile(ctx, file, fit.options)
		if err == nil {
			o.Fit = &report
		}
		return pic, err
	}
	pic, err := c.readPicture(ctx, file)
	if err != nil {
		return pic, withFitAdvice(file, err)
	}
	c.inspect(pic, o)
	return pic, nil
}

// readPicture reads a file or standard input, which an interrupt must not leave waiting.
func (c *command) readPicture(ctx context.Context, file string) (zoomclient.Picture, error) {
	if file != fromStdin {
		return zoomclient.LoadPicture(file)
	}
	return heeding(ctx, func() (zoomclient.Picture, error) { return zoomclient.ReadPicture(c.stdin) })
}

// heeding returns what read does, or when ctx ends.
func heeding[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("stopped while reading standard input: %w", context.Cause(ctx))
	}
}
