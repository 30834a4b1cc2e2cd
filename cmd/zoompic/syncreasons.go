package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"github.com/zoompic/zoompic/internal/state"
	"github.com/zoompic/zoompic/zoomclient"
)

// A rowFailure is why one person's picture is not where it should be.
type rowFailure struct {
	Cause      string // the same for all who failed like this
	Detail     string // of this one; may be empty
	Advice     string
	Status     int
	Code       zoomclient.Code
	TrackingID string
}

func (f rowFailure) reason() string {
	if f.Detail == "" {
		return f.Cause
	}
	return f.Cause + ": " + f.Detail
}

// explain puts an error in words that group it with others of its kind.
func explain(err error) rowFailure {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "zoom: "), "stopped: ")
	if answer, ok := errors.AsType[*zoomclient.Error](err); ok {
		f := explainAnswer(answer)
		if errors.Is(err, zoomclient.ErrUnconfirmed) {
			f.Detail = strings.TrimPrefix(f.Detail+"; an earlier attempt may have set the picture", "; ")
		}
		return f
	}
	for _, class := range []error{
		zoomclient.ErrInvalidUserID, zoomclient.ErrEmptyPicture, zoomclient.ErrTooLarge, zoomclient.ErrUnsupportedFormat, zoomclient.ErrDamagedPicture,
	} {
		if cause := strings.TrimPrefix(class.Error(), "zoom: "); errors.Is(err, class) {
			_, detail, _ := strings.Cut(text, cause+": ")
			return rowFailure{Cause: cause, Detail: detail}
		}
	}
	switch {
	case errors.Is(err, zoomclient.ErrUnconfirmed):
		return rowFailure{Cause: "sent, but no answer came: the picture may have been set", Advice: "run again: it is sent once more"}
	case errors.Is(err, zoomclient.ErrToken):
		return rowFailure{Cause: text}
	}
	if _, detail, ok := strings.Cut(text, "the picture could not be sent: "); ok {
		return rowFailure{Cause: "the picture could not be sent", Detail: detail, Advice: "run again"}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return rowFailure{Cause: "there is no such file", Advice: "check its name, and whether a link leads nowhere"}
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return rowFailure{Cause: "the file cannot be read: " + text, Advice: "check the file, and who may read it"}
	}
	cause, advice, _ := strings.Cut(text, "; ")
	return rowFailure{Cause: cause, Advice: advice}
}

// explainPending is explain for what the next run sends again.
func explainPending(err error) rowFailure {
	_, unrecorded := errors.AsType[*state.WriteError](err)
	switch {
	case errors.Is(err, zoomclient.ErrUnconfirmed):
		return rowFailure{Cause: "sent, but no answer came; the next run sends it once more", Advice: "run again"}
	case unrecorded:
		return rowFailure{Cause: "not sent: the state file could not be written"}
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return rowFailure{Cause: "not sent: interrupted", Advice: "run again to go on"}
	}
	f := explain(err)
	f.Cause = "not sent: " + f.Cause
	return f
}

func explainAnswer(answer *zoomclient.Error) rowFailure {
	f := rowFailure{
		Cause:  strings.TrimSpace(fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))),
		Detail: strings.TrimRight(answer.Message, ". "), Advice: answer.Advice(),
		Status: answer.StatusCode, Code: answer.Code, TrackingID: answer.TrackingID,
	}
	if answer.Code != 0 {
		f.Cause = strings.TrimPrefix(answer.Code.Error(), "zoom: ")
	}
	switch answer.Code {
	case zoomclient.CodeRejectedContent, zoomclient.CodeUserNotFound, zoomclient.CodeUserNotInAccount:
		f.Detail = "" // it says the same as the cause
	}
	return f
}
