package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zoompic/zoompic/internal/report"
	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/portrait"
)

// Exit codes, as the help text lists them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitCredentials = 3
	exitLimited     = 4
	exitState       = 5
	exitLocked      = 6
	exitInterrupted = 130
)

var (
	goVersion = runtime.Version()
	platform  = runtime.GOOS + "/" + runtime.GOARCH
)

type versionInfo struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// An outcome is what --json prints of one file.
type outcome struct {
	User       string   `json:"user,omitempty"`
	File       string   `json:"file"`
	Type       string   `json:"type,omitempty"`
	Width      int      `json:"width,omitempty"`
	Height     int      `json:"height,omitempty"`
	Size       int64    `json:"size,omitempty"`
	Trailing   int64    `json:"trailing_bytes,omitempty"`
	SHA256     string   `json:"sha256,omitempty"`
	Status     int      `json:"status,omitempty"`
	Location   string   `json:"location,omitempty"`
	TrackingID string   `json:"tracking_id,omitempty"`
	Attempts   int      `json:"attempts,omitempty"`
	Verified   bool     `json:"verified,omitempty"`
	GPS        bool     `json:"gps,omitempty"`       // it carries a position
	NeedsFit   bool     `json:"needs_fit,omitempty"` // --fit would mend it
	Out        string   `json:"out,omitempty"`
	Failure    *failure `json:"error,omitempty"`

	Fit *portrait.Report `json:"fit,omitempty"`
}

// A failure is an error that knows how the command ends.
type failure struct {
	Exit       int             `json:"exit"`
	Message    string          `json:"message"`
	Code       zoomclient.Code `json:"code,omitempty"`
	RetryAfter float64         `json:"retry_after_seconds,omitempty"`

	printed bool // every message has been printed
}

func (f *failure) Error() string { return f.Message }

// newFailure says in plain words what went wrong with subject, and picks the exit code.
func newFailure(exit int, subject string, err error) *failure {
	message := strings.TrimPrefix(err.Error(), "zoom: ")
	if subject != "" {
		message = subject + ": " + message
	}
	f := &failure{Exit: exit, Message: message}
	if answer, ok := errors.AsType[*zoomclient.Error](err); ok {
		f.Code, f.RetryAfter = answer.Code, answer.RetryAfter.Round(time.Second).Seconds()
	}
	return f
}

// exitCode is how an upload that failed ends the command.
func exitCode(ctx context.Context, err error) int {
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return exitInterrupted
	case errors.Is(err, zoomclient.ErrInvalidUserID), isBadPicture(err):
		return exitUsage
	case errors.Is(err, zoomclient.ErrToken), errors.Is(err, zoomclient.ErrUnauthorized), errors.Is(err, zoomclient.CodeMissingScope):
		return exitCredentials
	case errors.Is(err, zoomclient.ErrRateLimited):
		return exitLimited
	}
	return exitFailed
}

func isBadPicture(err error) bool {
	return errors.Is(err, zoomclient.ErrEmptyPicture) || errors.Is(err, zoomclient.ErrTooLarge) ||
		errors.Is(err, zoomclient.ErrUnsupportedFormat) || errors.Is(err, zoomclient.ErrDamagedPicture)
}

// report prints how the command ended, unless that is done, and returns the exit code. What is no failure of ours is a
// mistake in the command line of the command that was used.
func (c *command) report(used string, err error) int {
	if err == nil {
		return exitDone
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{Exit: exitUsage, Message: err.Error() + "\nRun '" + used + " --help' for how it is used."}
	}
	if !f.printed {
		fmt.Fprintf(c.stderr, "zoompic: %s\n", f.Message)
	}
	return f.Exit
}

// print writes a result to standard output: as JSON of value, or as text.
func (c *command) print(value any, format string, args ...any) error {
	text := fmt.Appendf(nil, format, args...)
	if c.json {
		line, err := json.Marshal(value)
		if err != nil {
			return err
		}
		text = append(report.EscapeJSON(line), '\n')
	}
	_, err := c.stdout.Write(text)
	if err != nil {
		return &failure{Exit: exitFailed, Message: "writing to standard output: " + err.Error()}
	}
	return nil
}

// fail ends the command with f, of which --json prints what is known in o.
func (c *command) fail(o outcome, f *failure) error {
	if c.json {
		o.Failure = f
		if err := c.print(o, ""); err != nil {
			return err
		}
	}
	return f
}

// printable quotes a name that could rewrite a terminal.
func printable(name string) string {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// describe names a checked picture: type, dimensions and size.
func describe(pic zoomclient.Picture) string {
	width, height := pic.Dimensions()
	return fmt.Sprintf("%s, %d × %d pixels, %s", pic.ContentType(), width, height, countBytes(pic.Size()))
}

func countBytes(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits + " bytes"
}
