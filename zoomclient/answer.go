package zoomclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswer     = 64 << 10 // bytes of an answer's body that are read
	maxFields     = 20
	maxTrackingID = 128 // characters
)

// decodeAnswer reads an answer: status first, then a bounded part of the body, whatever its type says. failure is nil if
// the answer reports success; secret is hidden where the answer repeats it; err says that the body could not be read to its end or bound.
func decodeAnswer(resp *http.Response, secret string) (failure *Error, err error) {
	var body []byte
	if resp.Body != http.NoBody {
		body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	}
	content := decodeBody(body)
	if isSuccess(resp.StatusCode) && !content.reportsFailure() && !isMarkup(body) {
		return nil, err
	}
	failure = newError(resp.StatusCode, resp.Header, body, content, secret, time.Now())
	return failure, err
}

func isSuccess(status int) bool {
	return status == http.StatusOK || status == http.StatusCreated || status == http.StatusNoContent
}

func newError(status int, header http.Header, body []byte, content answerBody, secret string, now time.Time) *Error {
	text := func(s string) string { return clean(hide(s, secret), maxMessage) }
	e := &Error{
		TrackingID: trackingID(header, secret),
		StatusCode: status,
		Code:       content.code(),
		Message:    text(content.message()),
		answered:   now,
		RetryAfter: parseRetryAfter(header.Get("Retry-After"), now),
	}
	if e.Message == "" && isHTML(body) {
		e.Message = "an HTML page came instead of Zoom's answer"
	}
	for _, f := range content.Errors[:min(len(content.Errors), maxFields)] {
		e.Fields = append(e.Fields, FieldError{text(string(f.Field)), text(string(f.Message))})
	}
	if isRateLimit(e) {
		e.Limit = limitType(header.Get("X-RateLimit-Type"), e.Message)
	}
	if e.Limit == LimitDaily && e.RetryAfter == 0 {
		e.RetryAfter = untilMidnightUTC(now)
	}
	return e
}

func trackingID(header http.Header, secret string) string {
	return clean(hide(header.Get("X-Zm-Trackingid"), secret), maxTrackingID)
}

// minSecret is the length from which hide takes a secret for one: shorter ones, of a fake, are part of many words.
const minSecret = 8

// hide takes secrets out of decoded text that somebody else wrote: proxies repeat what they were sent.
func hide(text string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			text = strings.ReplaceAll(text, secret, "[secret]")
		}
	}
	return text
}

// An answerBody is what Zoom's error bodies hold, under all the names that were seen.
type answerBody struct {
	Code         looseCode  `json:"code"`
	ErrorCode    looseCode  `json:"errorCode"`
	Message      looseText  `json:"message"`
	ErrorMessage looseText  `json:"errorMessage"`
	Reason       looseText  `json:"reason"`
	Errors       fieldTexts `json:"errors"`

	Status json.RawMessage `json:"status"` // false in some failures
}

func (b answerBody) code() Code {
	if b.Code.number != 0 {
		return b.Code.number
	}
	return b.ErrorCode.number
}

// reportsFailure is asked where the status reports success.
func (b answerBody) reportsFailure() bool {
	return b.code() != 0 || b.Code.odd || b.ErrorCode.odd || string(b.Status) == "false"
}

func (b answerBody) message() string {
	for _, text := range []looseText{b.Message, b.ErrorMessage, b.Reason} {
		if text != "" {
			return string(text)
		}
	}
	return ""
}

// decodeBody never fails: what is not JSON becomes the message, and broken JSON is searched for code and message.
func decodeBody(body []byte) answerBody {
	body = trimStart(body)
	if !bytes.HasPrefix(body, []byte("{")) {
		if isHTML(body) {
			return answerBody{}
		}
		return answerBody{Message: looseText(body)}
	}
	var content answerBody
	if _, broken := errors.AsType[*json.SyntaxError](json.Unmarshal(body, &content)); broken {
		return salvage(body)
	}
	return content // of a field with another type than expected the rest is still good
}

var (
	brokenCode    = regexp.MustCompile(`"(?:code|errorCode)"\s*:\s*"?(-?\d{1,9})\b`)
	brokenMessage = regexp.MustCompile(`(?s)"(?:message|errorMessage)"\s*:\s*"(.*?)"?\s*\}?$`)
)

// salvage finds code and message in JSON that is none: Zoom sends unescaped quotes in the message of code 4711.
func salvage(body []byte) answerBody {
	var content answerBody
	if m := brokenCode.FindSubmatch(body); m != nil {
		n, _ := strconv.Atoi(string(m[1])) // nine digits always fit
		content.Code.number = Code(n)
	}
	if m := brokenMessage.FindSubmatch(body); m != nil {
		content.Message = looseText(unescape(m[1]))
	}
	return content
}

var jsonEscape = regexp.MustCompile(`\\\\(?:u[0-9A-Fa-f]{4}|["\\\\/bfnrt])`)

// unescape does for a text in broken JSON what decoding does for others: or else a secret could hide in it.
func unescape(text []byte) []byte {
	return jsonEscape.ReplaceAllFunc(text, func(escape []byte) []byte {
		var plain string
		_ = json.Unmarshal([]byte(`"`+string(escape)+`"`), &plain) // each of them is valid
		return []byte(plain)
	})
}

// A looseCode is a number, or a number in quotes. What else is not empty is odd: no code, but no success either.
type looseCode struct {
	number Code
	odd    bool
}

func (c *looseCode) UnmarshalJSON(data []byte) error {
	text := strings.TrimSpace(strings.Trim(string(data), `"`))
	if text == "" || text == "null" {
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 {
		c.odd = true
		return nil
	}
	c.number = Code(n)
	return nil
}

// A looseText is a string. Anything else is no text.
type looseText string

func (t *looseText) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*t = looseText(text)
	}
	return nil
}

type fieldTexts []struct {
	Field   looseText `json:"field"`
	Message looseText `json:"message"`
}

// isHTML recognises the pages of proxies and edges, which come with any status.
func isHTML(body []byte) bool {
	body = trimStart(body)
	start := bytes.ToLower(body[:min(len(body), 512)])
	return bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
}

// isMarkup recognises every page and document that Zoom does not send with a success.
func isMarkup(body []byte) bool { return bytes.HasPrefix(trimStart(body), []byte("<")) }

// trimStart passes over a byte order mark and white space.
func trimStart(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
}

func limitType(header, message string) LimitType {
	switch {
	case strings.HasPrefix(strings.ToLower(header), "daily"), strings.Contains(strings.ToLower(message), "daily rate limit"):
		return LimitDaily
	case strings.EqualFold(header, "QPS"), strings.Contains(strings.ToLower(message), "per-second rate limit"):
		return LimitQPS
	}
	return ""
}

// untilMidnightUTC is how long a daily limit lasts (Zoom's rate-limit page).
func untilMidnightUTC(now time.Time) time.Duration {
	return now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now)
}

// parseRetryAfter returns how long a Retry-After header asks to wait: seconds, an HTTP date, or the ISO-8601 time that
// Zoom's daily limit sends. What is garbage, negative or past is 0; what is huge is the longest Duration.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		if seconds > int64(longest/time.Second) {
			return longest
		}
		return max(time.Duration(seconds), 0) * time.Second
	}
	date, err := http.ParseTime(value)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05", time.DateOnly} {
		if err != nil {
			date, err = time.Parse(layout, value)
		}
	}
	if err != nil {
		return 0
	}
	return max(date.Sub(now), 0) // Sub saturates
}

// longest is the longest wait that is told apart; more would overflow.
const longest time.Duration = 1<<63 - 1
